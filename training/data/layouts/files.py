"""Files of a data folder; nothing outside it is ever followed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.errors import BadLayoutError
from training.storage.images import IMAGE_SUFFIXES
from training.storage.paths import checked, is_inside

MENDED = "mended"
"""The folder beside the data that holds mended masks; it is none of the data."""
MENDED_ABOUT = "mended.json"
"""The file in it by which it is told from a specimen of that name."""

_MASK_ENDINGS = ("_mask", "-mask", "_masks")


@dataclass(frozen=True)
class Listing:
    """The images of one folder, told from their masks by name.

    Attributes
    ----------
    images, masks
        File by stem; a mask's stem is given without its ``_mask``.
    """

    folder: Path
    images: dict[str, Path]
    masks: dict[str, Path]

    def mask_of(self, stem: str) -> Path | None:
        """Return the mask beside an image, the one that should be there, or None."""
        if stem in self.masks:
            return self.masks[stem]
        return self._expected_mask(stem) if self.masks else None

    def without_mask(self) -> list[str]:
        """Return the stems of images without a mask where others have one."""
        return [s for s in self.images if s not in self.masks] if self.masks else []

    def _expected_mask(self, stem: str) -> Path:
        other, mask = next(iter(self.masks.items()))
        return self.folder / f"{stem}{mask.stem[len(other) :]}{mask.suffix}"


def list_images(root: Path, folder: Path) -> Listing:
    """List the images and masks in `folder`, which lies in `root`.

    Raises
    ------
    BadLayoutError
        If an image is a link that leads out of `root` or is not a regular file, or if
        two files differ only in their suffix.
    """
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for path in files_in(root, folder, IMAGE_SUFFIXES):
        stem = _without_mask_ending(path.stem)
        into, name = (images, path.stem) if stem is None else (masks, stem)
        if name in into:
            raise BadLayoutError(
                path, f"{into[name].name} is there as well", "keep one of the two"
            )
        into[name] = path
    return Listing(folder, images, masks)


def files_in(root: Path, folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Return the regular files with one of the suffixes, sorted by name.

    Raises
    ------
    BadLayoutError
        As `list_images` does.
    """
    wanted = set(suffixes)
    found = []
    with os.scandir(checked(root, folder)) as entries:
        for entry in entries:
            path = folder / entry.name
            hidden = entry.name.startswith(".")
            if hidden or path.suffix.lower() not in wanted or entry.is_dir():
                continue
            found.append(
                path if entry.is_file(follow_symlinks=False) else checked(root, path)
            )
    return sorted(found)


def folders_in(root: Path, folder: Path) -> list[Path]:
    """Return the visible subfolders that lie in `root`, sorted by name.

    The folder of mended masks is left out.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.is_dir() and is_inside(root, path)
        if not (path.name == MENDED and (path / MENDED_ABOUT).is_file())
    )


def _without_mask_ending(stem: str) -> str | None:
    for ending in _MASK_ENDINGS:
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            return stem[: -len(ending)]
    return None
