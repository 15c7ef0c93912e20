"""Frames with the same pixels, in files that are not the same byte by byte.

Cells of one picture under two specimens would be trained on and tested with at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.data.cells.extraction import FrameCells
from training.errors import BadImageError


@dataclass
class PicturesSeen:
    """The pictures of the frames so far, of which it keeps a hash each."""

    _files: dict[tuple[tuple[int, ...], bytes], Path] = field(default_factory=dict)

    def add(self, cells: FrameCells) -> None:
        """Refuse a frame with the grey values of another one.

        Raises
        ------
        BadImageError
            The sentence names both files.
        """
        image = np.ascontiguousarray(cells.image)
        key = image.shape, hashlib.sha256(image.data).digest()
        path = cells.frame.image
        first = self._files.setdefault(key, path)
        if first != path:
            near = first.parent == path.parent
            named = first.name if near else f"{first.parent.name}/{first.name}"
            raise BadImageError(
                path,
                f"it is the same picture as {named}",
                "keep the one that is named rightly",
            )
