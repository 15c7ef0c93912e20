"""What the plugin remembers of its user: napari's settings of the plugin.

They are in napari's preferences, and in a file of their own beside napari's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from training.config import ExtractionSettings

_MOST_FOLDERS = 8


def _settings() -> Any:
    """Return the settings by the manifest; None where the plugin is not enabled."""
    from napari.settings import get_plugin_settings

    with suppress(KeyError):
        return get_plugin_settings("napari-hep2").session
    return None


def remembered(name: str, default: Any) -> Any:
    """Return a setting by its name in the manifest, or the default for an empty one."""
    return getattr(_settings(), name, default) or default


def remember(name: str, value: Any) -> None:
    """Let the next window begin with a value; nothing is kept without the plugin."""
    settings = _settings()
    if settings is not None:
        setattr(settings, name, value)


def remembered_model() -> Path | None:
    """Return the model that was chosen last, where its file is still there."""
    path = Path(remembered("model", ""))
    return path if path.is_file() else None


def remembered_crops() -> ExtractionSettings:
    """Return how cells are cut, with the crop size of the settings where it is one."""
    with suppress(ValueError):
        return ExtractionSettings(
            size=remembered("crop_size", ExtractionSettings().size)
        )
    return ExtractionSettings()


def recent_folders() -> list[str]:
    """Return the folders that were opened, the last one first."""
    return [one for one in remembered("recent_folders", "").split(os.pathsep) if one]


def remember_folder(folder: Path) -> None:
    """Put a folder first among the recent ones, if a list of paths can hold it."""
    path = str(folder.absolute())
    if os.pathsep not in path:
        others = [one for one in recent_folders() if one != path]
        remember("recent_folders", os.pathsep.join([path, *others][:_MOST_FOLDERS]))


def recent_folder() -> str:
    """Return the folder that was opened last of those still there, or ''."""
    return next((one for one in recent_folders() if Path(one).is_dir()), "")
