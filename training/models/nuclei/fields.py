"""Fields of nuclei to learn from: given with labels, and simulated."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy
import skimage

from training.data.masks.nucleus_network import NOMINAL
from training.data.simulation import PROPORTIONS, draw_style, simulate_frame
from training.errors import BadLayoutError
from training.storage.images import read_frame, read_labels

Part = Literal["training", "validation", "held-out"]
Labels = npt.NDArray[np.int32]
Grey = npt.NDArray[np.float32]

LABELS = "_labels.png"
_FEWEST_OF_A_SIZE = 10
_SIXTHS: tuple[Part, ...] = (
    "held-out",
    "held-out",
    "validation",
    "training",
    "training",
    "training",
)
_LEAST_DIAMETER = 12.0
_BETWEEN = 4
_BETWEEN_WEIGHT = 4.0
_SIMULATED_SHAPE = (420, 420)
_IN_TURN = (*PROPORTIONS, "NuMem", "Golgi")
"""Patterns to learn from: those whose nuclei are dim come twice as often."""

_FIRST_SEED: dict[Part, int] = {
    "training": 1_000_000,
    "validation": 2_000_000,
    "held-out": 3_000_000,
}


@dataclass(frozen=True)
class Field:
    """An image with its nuclei.

    Attributes
    ----------
    image : (H, W) uint8 or uint16
    labels : (H, W) int32
        0 is background.
    mitotic
        Labels of mitotic nuclei; None where they are not known.
    debris
        Labels of what is no nucleus.
    """

    name: str
    image: npt.NDArray[Any]
    labels: Labels
    mitotic: frozenset[int] | None = None
    debris: frozenset[int] = frozenset()

    @property
    def nuclei(self) -> Labels:
        """The labels without debris, (H, W) int32."""
        return np.where(np.isin(self.labels, list(self.debris)), 0, self.labels)

    @property
    def diameter(self) -> float:
        """Median diameter of its nuclei in pixels, of a disc of the same area."""
        areas = np.bincount(self.nuclei.ravel())[1:]
        return float(np.sqrt(4 / np.pi * np.median(areas[areas > 0])))


def without_debris(found: Labels, field: Field) -> Labels:
    """Return what was found in a field, but for what lies mostly on debris."""
    if not field.debris or not found.any():
        return found
    debris = np.isin(field.labels, list(field.debris))
    areas = np.bincount(found.ravel())
    on = np.bincount(found.ravel(), debris.ravel()) > areas / 2
    return np.where(on[found], 0, found)


@dataclass(frozen=True)
class Lesson:
    """A field at the network's scale, with what the network should answer.

    Attributes
    ----------
    maps : (6, H, W) float32
        Intensity; nucleus, distance and mitosis, each 0 to 1; the weights of the
        nucleus and of the mitosis.
    share
        How often it is drawn, relative to others: small nuclei, blown up, teach less.
    """

    maps: Grey
    share: float


def read_fields(folder: Path) -> dict[Part, list[Field]]:
    """Read ``NAME.png`` with ``NAME_labels.png`` and part them.

    Images of one size come from one laboratory: a size of few images is held out as a
    whole. Of the others one third is held out and one sixth is for validation, by a
    hash of the pixels, so that neither the order nor the names decide.

    Raises
    ------
    BadLayoutError
        If there are none.
    """
    found = [
        path for path in sorted(folder.glob("*.png")) if _labels_of(path).is_file()
    ]
    if not found:
        raise BadLayoutError(
            folder, f"no NAME.png with a NAME{LABELS} is in it", "name another folder"
        )
    fields = [_read(path) for path in found]
    sizes = Counter(field.image.shape for field in fields)
    parts: dict[Part, list[Field]] = {"training": [], "validation": [], "held-out": []}
    for field in fields:
        rare = sizes[field.image.shape] < _FEWEST_OF_A_SIZE
        digest = hashlib.blake2b(field.image.tobytes(), digest_size=8).digest()
        part = _SIXTHS[int.from_bytes(digest) % len(_SIXTHS)]
        parts["held-out" if rare else part].append(field)
    return parts


def _labels_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}{LABELS}")


def _read(path: Path) -> Field:
    image = read_frame(path).pixels
    return Field(path.stem, image, read_labels(_labels_of(path), image.shape))


def simulated_fields(
    part: Part,
    count: int,
    seed: int = 0,
    shape: tuple[int, int] = _SIMULATED_SHAPE,
    pattern: str = "",
    *,
    usual: bool = False,
) -> Iterator[Field]:
    """Simulate fields of all patterns, or of one; no two parts share any.

    Many nuclei touch, are out of focus or in mitosis, and specimens and the cells of
    one differ more than real ones do, unless the `usual` specimens of `simulate` are
    wanted.
    """
    names = (pattern,) if pattern else _IN_TURN
    for k in range(count):
        rng = np.random.default_rng((_FIRST_SEED[part] + seed, k))
        effect, spread, crowding, rejects = rng.uniform(
            (0.7, 1.0, 0.5, 0.15), (1.5, 4.0, 1.1, 0.6)
        )
        if usual:
            effect, spread, crowding, rejects = 1.0, 1.0, 0.7, 0.12
        style = draw_style(names[k % len(names)], effect, rng)
        style = replace(style, cell_spread=style.cell_spread * spread)
        cells = int(shape[0] * shape[1] * crowding / 5500)
        frame = simulate_frame(style, cells, shape, rejects, rng)
        marked = {
            condition: frozenset(
                n.label for n in frame.nuclei if n.condition == condition
            )
            for condition in ("mitotic", "debris")
        }
        yield Field(f"{names[k % len(names)]} {k}", frame.image, frame.labels, **marked)


def lessons(fields: list[Field]) -> list[Lesson]:
    """Bring fields to the network's scale; those of tiny nuclei are left out."""
    return [
        Lesson(_maps(field), min(field.diameter, NOMINAL) ** 2)
        for field in fields
        if field.diameter >= _LEAST_DIAMETER
    ]


def _maps(field: Field) -> Grey:
    nuclei = field.nuclei
    mitotic = np.isin(nuclei, list(field.mitotic or ()))
    weight = np.where(_between(nuclei), _BETWEEN_WEIGHT, 1.0)
    weight[np.isin(field.labels, list(field.debris))] = 0.5
    known = np.full(nuclei.shape, float(field.mitotic is not None))
    light = field.image * (255 / np.iinfo(field.image.dtype).max)
    maps = np.stack(
        [light, nuclei > 0, distances(nuclei), mitotic, weight, known * (nuclei > 0)]
    ).astype(np.float32)
    scale = NOMINAL / field.diameter
    shape = [max(32, round(side * scale)) for side in nuclei.shape]
    scaled = [
        skimage.transform.resize(m, shape, order=1, anti_aliasing=scale < 1)
        for m in maps
    ]
    return np.asarray(scaled, np.float32)


def distances(labels: Labels) -> Grey:
    """Return the distance to the outline as a share of the nucleus's greatest."""
    shares = np.zeros(labels.shape, np.float32)
    for label, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if box is not None:
            own = np.pad(labels[box] == label, 1)
            depth = scipy.ndimage.distance_transform_edt(own)[1:-1, 1:-1]
            shares[box][labels[box] == label] = (depth / depth.max())[
                labels[box] == label
            ]
    return shares


def _between(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return where two nuclei are near each other, (H, W) bool."""
    highest = scipy.ndimage.maximum_filter(labels, 2 * _BETWEEN + 1)
    far = np.where(labels > 0, labels, np.iinfo(np.int32).max)
    lowest = scipy.ndimage.minimum_filter(far, 2 * _BETWEEN + 1)
    return (highest > 0) & (lowest < highest)
