"""What the plugin remembers of its user from one window to the next."""

from __future__ import annotations

from qtpy.QtCore import QSettings

_REVIEWER = "reviewer"


def _settings() -> QSettings:
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-hep2", "session"
    )


def remembered_reviewer() -> str:
    """Return the name that decisions carried last, or ''."""
    return str(_settings().value(_REVIEWER, "")).strip()


def remember_reviewer(name: str) -> None:
    """Let the next window begin with this name."""
    settings = _settings()
    settings.setValue(_REVIEWER, name)
    settings.sync()
