"""The cell set: the cells that an experiment trains and tests on, in memory.

Images are packed once to uint8 at the classifier's input size, whatever they came as:
Task-1's cells of 54 to 111 pixels, or 77 x 77 crops of a cell folder or of frames.
Those of 16 bits are each packed from their own range of grey values, so that a cell
never depends on other cells, on the rest of its frame or on the bits of its camera.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.cells.census import specimen_census
from training.patterns import Vocabulary

if TYPE_CHECKING:
    from training.decisions.applied import ReviewManifest

SIMULATED = "simulated/"
"""How the specimens of simulated extra cells begin."""

_PERCENTILES = (0.01, 0.99)


@dataclass(frozen=True)
class CellSet:
    """Cells with their patterns and specimens.

    Attributes
    ----------
    images : (N, S, S) uint8
    patterns : (N,) int64
        Index in the order of `vocabulary`.
    specimens : (N,) str
        Empty strings where the data name no specimens.
    ids : (N,) str
    vocabulary
        The patterns in use.
    source
        The folder and layout it came from, for people.
    notes
        Sentences that the user should read.
    masks : (N, S, S) bool or None
        The nucleus, where a classifier asked for it.
    extra : (N,) bool or None
        Cells that are trained on and never tested; None where all may be tested.
    reviews
        The state of the decisions in each cell folder that the cells came from.
    specimens_from
        What said which specimen is which, e.g. ``column 'Specimen' of truth.csv``.
    """

    images: npt.NDArray[np.uint8]
    patterns: npt.NDArray[np.int64]
    specimens: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    vocabulary: Vocabulary
    source: str = ""
    notes: tuple[str, ...] = ()
    masks: npt.NDArray[np.bool_] | None = None
    extra: npt.NDArray[np.bool_] | None = None
    reviews: tuple[ReviewManifest, ...] = ()
    specimens_from: str = ""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def has_specimens(self) -> bool:
        """Return whether every cell carries a specimen id."""
        return bool(np.all(self.specimens != ""))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides a result: pixels, patterns, specimens, order."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.patterns).data)
        digest.update("\n".join(self.specimens).encode())
        digest.update("\n".join(self.vocabulary.names).encode())
        for optional in (self.masks, self.extra):
            if optional is None:
                continue
            # Whole bytes at a time: 8,192 cells have a multiple of eight pixels.
            for start in range(0, len(optional), 8192):
                digest.update(np.packbits(optional[start : start + 8192]).data)
        return digest.hexdigest()

    @property
    def own(self) -> npt.NDArray[np.bool_]:
        """The cells that may be tested, (N,) bool."""
        return np.ones(len(self), bool) if self.extra is None else ~self.extra

    @property
    def simulated(self) -> npt.NDArray[np.bool_]:
        """The simulated cells that are trained on beside others, (N,) bool."""
        named = np.char.startswith(self.specimens, SIMULATED)
        return named & ~self.own

    @property
    def census(self) -> str:
        """How many specimens may be tested, of which patterns, and by what."""
        known = self.own & (self.specimens != "")
        named = zip(self.specimens[known], self.patterns[known], strict=True)
        names = self.vocabulary.names
        patterns = {str(specimen): names[int(k)] for specimen, k in named}
        return specimen_census(patterns, names, self.specimens_from)

    def take(self, rows: npt.NDArray[np.int64]) -> CellSet:
        """Return the cells of these rows, in this order."""
        return replace(
            self,
            images=self.images[rows],
            patterns=self.patterns[rows],
            specimens=self.specimens[rows],
            ids=self.ids[rows],
            masks=None if self.masks is None else self.masks[rows],
            extra=None if self.extra is None else self.extra[rows],
        )


def pack_images(images: Iterable[npt.NDArray[Any]], size: int) -> npt.NDArray[np.uint8]:
    """Resize grey images to `size` and pack them as uint8.

    Parameters
    ----------
    images : each (H, W) uint8 or uint16
    size
        Side of the square result in pixels.

    Returns
    -------
    packed : (N, size, size) uint8
        Bilinear, with the support widened when shrinking, as Pillow does it.

    Notes
    -----
    Values of 8 bits stay as they are. Those of 16 bits are stretched from the image's
    darkest to its brightest value, or from one span below the 1st percentile to one
    above the 99th where that is less, the span being what lies between the two. So a
    hot pixel leaves at least 85 grey values to the rest, and *cell* normalisation,
    which clips at these percentiles, loses nothing.
    """
    packed = [_pack_one(image, size) for image in images]
    return np.stack(packed) if packed else np.zeros((0, size, size), np.uint8)


def _pack_one(image: npt.NDArray[Any], size: int) -> npt.NDArray[np.uint8]:
    if image.dtype != np.uint8:
        image = _stretched(image)
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)


def _stretched(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an image of 16 bits with its own range of values as 0 to 255."""
    darkest, brightest = float(image.min()), float(image.max())
    dark, bright = np.quantile(image, _PERCENTILES, method="nearest").astype(float)
    span = bright - dark or brightest - darkest
    low, high = max(darkest, dark - span), min(brightest, bright + span)
    scale = 255.0 / max(high - low, 1.0)
    return np.clip((image - low) * scale + 0.5, 0, 255).astype(np.uint8)


def pack_masks(
    masks: Iterable[npt.NDArray[np.bool_]], size: int
) -> npt.NDArray[np.bool_]:
    """Resize masks as `pack_images` resizes images; half covered is inside.

    Returns
    -------
    packed : (N, size, size) bool
    """
    packed = [_pack_one(mask * np.uint8(255), size) >= 128 for mask in masks]
    return np.stack(packed) if packed else np.zeros((0, size, size), bool)
