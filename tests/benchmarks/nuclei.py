"""How well nuclei are found, beside Otsu and watershed as a user would write them.

    OMP_NUM_THREADS=1 python tests/benchmarks/nuclei.py --fields DATA
    OMP_NUM_THREADS=1 python tests/benchmarks/nuclei.py --simulated 3
    OMP_NUM_THREADS=1 python tests/benchmarks/nuclei.py --marks 16

DATA holds NAME.png with NAME_labels.png; only what `fit-nuclei` never sees of it is
measured. Simulated fields are those of seeds kept for this. Objects are matched one to
one; of simulated fields debris, and slivers at the border, count neither way.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage import feature, filters, segmentation

from training.config import SegmentationSettings
from training.data.masks.matching import Matching, joined, match_nuclei
from training.data.masks.segmentation import segment_frame
from training.errors import BadImageError
from training.models.nuclei.fields import (
    Field,
    Part,
    read_fields,
    simulated_fields,
    without_debris,
)
from training.models.nuclei.hardships import bordered, hazy, uneven
from training.patterns import I3A

SIZES = ((12, 18), (18, 25), (25, 35), (35, 80))
"""Classes of the median diameter of a field, in pixels."""

_SHAPE = (520, 694)
_SLIVER = 0.15
Labels = npt.NDArray[Any]
Way = Callable[[npt.NDArray[Any]], Labels]


def otsu_and_watershed(image: npt.NDArray[Any]) -> Labels:
    """Return the nuclei as the ten lines of a tutorial find them."""
    smooth = filters.gaussian(image, 2, preserve_range=True)
    inside = smooth > filters.threshold_otsu(smooth)
    distance = filters.gaussian(ndimage.distance_transform_edt(inside), 2)
    pieces, _ = ndimage.label(inside)
    peaks = feature.peak_local_max(distance, min_distance=10, labels=pieces)
    seeds = np.zeros(image.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-distance, seeds, mask=inside)


def ours(image: npt.NDArray[Any], method: str) -> Labels:
    """Return the nuclei as the project finds them, none where it finds none."""
    try:
        return segment_frame(image, SegmentationSettings(method=method)).labels
    except BadImageError:
        return np.zeros(image.shape, np.int32)


WAYS: dict[str, Way] = {
    "network": partial(ours, method="network"),
    "classical": partial(ours, method="classical"),
    "Otsu": otsu_and_watershed,
}


@dataclass(frozen=True)
class Row:
    """What one way found in the fields of one group."""

    group: str
    way: str
    fields: int
    matching: Matching
    diameter_errors: tuple[float, ...]
    seconds: float

    def __str__(self) -> str:
        m = self.matching
        error = np.median(np.abs(self.diameter_errors))
        return (
            f"{self.group:28} {self.way:10} {self.fields:4} {m.true:6} "
            f"{m.f1(0.5):6.3f} {m.f1(0.7):6.3f} {error:7.1%} {self.seconds:7.2f}"
        )


HEADER = (
    f"{'group':28} {'way':10} {'n':>4} {'nuclei':>6} {'F1@.5':>6} {'F1@.7':>6} "
    f"{'diam.':>7} {'s/Mpx':>7}"
)


def measure(group: str, way: str, fields: list[Field]) -> Row:
    """Segment each field and compare it with the truth."""
    matchings, errors, seconds, pixels = [], [], 0.0, 0
    for field in fields:
        start = time.perf_counter()
        found = WAYS[way](field.image)
        seconds += time.perf_counter() - start
        pixels += field.image.size
        found = without_debris(found, field)
        matchings.append(match_nuclei(found, field.nuclei))
        if found.any():
            errors.append(replace(field, labels=found).diameter / field.diameter - 1)
    errors = errors or [1.0]
    return Row(
        group,
        way,
        len(fields),
        joined(matchings),
        tuple(errors),
        seconds / pixels * 1e6,
    )


def given_groups(folder: Path, part: Part) -> Iterator[tuple[str, list[Field]]]:
    """Yield the fields of a part by size, and those of laboratories never seen."""
    parts = read_fields(folder)
    for low, high in SIZES:
        of_size = [f for f in parts[part] if low <= f.diameter < high]
        yield f"given, {low} to {high} pixels", of_size
    known = {f.image.shape for f in parts["training"]}
    yield (
        "given, other laboratories",
        [f for f in parts[part] if f.image.shape not in known and f.diameter >= 12],
    )


def simulated_groups(part: Part, count: int) -> Iterator[tuple[str, list[Field]]]:
    """Yield simulated fields by pattern, each plain and with a hardship."""
    for pattern in I3A.names:
        fields = simulated_fields(part, count, 0, _SHAPE, pattern, usual=True)
        plain = [_without_slivers(field) for field in fields]
        yield pattern, plain
        for name, change in HARDSHIPS.items():
            yield f"{pattern}, {name}", [_changed(field, change) for field in plain]


HARDSHIPS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "black borders": lambda light: bordered(light, 0.2, 0.2),
    "gradient of 3": lambda light: uneven(light, 3.0, np.random.default_rng(0)),
    "haze": lambda light: hazy(light, 0.5, 20.0),
}


def _changed(
    field: Field, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Field:
    image = np.rint(change(field.image.astype(np.float32))).astype(np.uint8)
    seen = change(np.ones(field.image.shape, np.float32)) > 0
    return _without_slivers(
        replace(field, image=image, labels=np.where(seen, field.labels, 0))
    )


def _without_slivers(field: Field) -> Field:
    areas = np.bincount(field.labels.ravel())
    usual = np.median(areas[1:][areas[1:] > 0])
    slivers = np.flatnonzero((areas > 0) & (areas < _SLIVER * usual)).tolist()
    return replace(field, debris=field.debris | frozenset(slivers))


def print_marks(count: int) -> None:
    """Print how well mitoses are told, and what the confidence of a nucleus says."""
    told, mitotic, confidence, good = [], [], [], []
    for field in simulated_fields("held-out", count, 1):
        found = segment_frame(field.image, SegmentationSettings())
        matching = match_nuclei(found.labels, field.labels)
        overlaps = np.zeros(matching.found)
        overlaps[matching.pairs[:, 0] - 1] = matching.overlaps
        good += (overlaps >= 0.7).tolist()
        confidence += found.confidence.tolist()
        told += found.mitotic[matching.pairs[:, 0] - 1].tolist()
        mitotic += [int(label) in field.mitotic for label in matching.pairs[:, 1]]
    both = np.logical_and(told, mitotic).sum()
    print(
        f"of {sum(mitotic)} mitoses found {both} are flagged; "
        f"of {sum(told)} flagged {both} are mitoses"
    )
    limits = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
    for low, high in pairwise(limits):
        within = [g for g, c in zip(good, confidence, strict=True) if low <= c < high]
        share = f"{np.mean(within):.0%}" if within else "-"
        print(
            f"confidence from {low:.1f}: {len(within):4} nuclei, {share} overlap by 0.7"
        )


def draw_outlines(path: Path) -> None:
    """Write a picture of a simulated field of each pattern, with what was found."""
    tiles = []
    for pattern in I3A.names:
        (field,) = simulated_fields("held-out", 1, 0, _SHAPE, pattern, usual=True)
        image = np.rint(uneven(field.image, 3.0, np.random.default_rng(0)))
        found = segment_frame(image.astype(np.uint8), SegmentationSettings())
        shown = np.sqrt(image / np.percentile(image, 99.8)).clip(0, 1)
        colours = np.repeat(shown[..., None], 3, axis=2)
        mitotic = np.flatnonzero(found.mitotic) + 1
        outlines = segmentation.find_boundaries(found.labels, mode="inner")
        colours[outlines] = (0.2, 0.9, 0.3)
        colours[outlines & np.isin(found.labels, mitotic)] = (1.0, 0.3, 0.2)
        tiles.append((255 * colours).astype(np.uint8))
    rows = [np.hstack(tiles[k : k + 3]) for k in range(0, len(tiles), 3)]
    Image.fromarray(np.vstack(rows)).resize((1388, 693)).save(path, optimize=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=Path, metavar="DATA")
    parser.add_argument("--simulated", type=int, default=0, metavar="N")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    parser.add_argument("--marks", type=int, default=0, metavar="N")
    parser.add_argument(
        "--part", choices=("training", "validation", "held-out"), default="held-out"
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    if given.picture:
        draw_outlines(given.picture)
        return
    if given.marks:
        print_marks(given.marks)
        return
    print(HEADER)
    groups: list[tuple[str, list[Field]]] = []
    if given.fields:
        groups += given_groups(given.fields, given.part)
    if given.simulated:
        groups += simulated_groups(given.part, given.simulated)
    for group, fields in groups:
        for way in given.ways if fields else ():
            print(measure(group, way, fields), flush=True)


if __name__ == "__main__":
    main()
