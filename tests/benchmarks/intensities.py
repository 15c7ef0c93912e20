"""Positive or negative, and the grade, on simulated series with known titres.

    OMP_NUM_THREADS=1 python tests/benchmarks/intensities.py

Every plate has its own light and gain and three controls; its negatives and its sera,
one of each pattern at each titre, are segmented and judged as `specimens` does, by all
three controls, without the cut-off control, and by the negative control alone. Prints a
table in Markdown for each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.config import (
    ExtractionSettings,
    IntensitySettings,
    SegmentationSettings,
)
from training.data.cells.extraction import FrameCells, extract_cells
from training.data.layouts import Frame
from training.data.masks.segmentation import segment_frame
from training.data.signal import Estimate, SpecimenSignal, frame_signal, pool_signals
from training.data.simulation.series import (
    CUT_OFF,
    OTHER_PATTERNS,
    TITRES,
    Camera,
    Serum,
    simulate_serum,
)
from training.data.simulation.series.plates import CONTROL_EFFECT
from training.data.simulation.styles import SIMULATED_PATTERNS
from training.errors import BadImageError, BadMaskError
from training.evaluation.intensity import (
    GRADES,
    Control,
    Intensity,
    grade_of,
    judge_intensity,
    scale_of,
)
from training.evaluation.intervals import rate_intervals

CONTROLS = {
    "negative": ("negative control", Serum()),
    "positive": ("positive control", Serum(("Homogeneous",), 1280)),
    "cut-off": ("cut-off control", Serum(("Homogeneous",), CUT_OFF)),
}
BY = (
    ("negative", "positive", "cut-off"),
    ("negative", "positive"),
    ("negative",),
)
SHAPE, CELLS = (560, 680), 40
STRONG = 320
SETTINGS = IntensitySettings()

Floats = npt.NDArray[np.float64]


Measured = tuple[Serum, SpecimenSignal]


@dataclass(frozen=True)
class Plate:
    """Signals of the controls of a plate, by their names, and of its specimens."""

    controls: dict[str, Control]
    specimens: list[Measured]


@dataclass(frozen=True)
class Judged:
    """One specimen: its serum and intensity."""

    serum: Serum
    intensity: Intensity


def signal_of(
    serum: Serum, camera: Camera, rng: np.random.Generator, effect: float = 1.0
) -> SpecimenSignal:
    """Simulate a field, find its nuclei and measure them."""
    image = simulate_serum(serum, camera, CELLS, SHAPE, rng, effect=effect).image
    try:
        labels = segment_frame(image, SegmentationSettings()).labels
        cells = extract_cells(image, labels, ExtractionSettings())
    except (BadImageError, BadMaskError) as fault:
        return SpecimenSignal(None, None, 0, fault.fault)
    frame = Frame("field", Path("field.tif"), None)
    one = FrameCells(frame, image, labels, cells, (), mask_made=True)
    return pool_signals([("field", frame_signal(one))])


def measure_plate(number: int, negatives: int, patterns: Sequence[str]) -> Plate:
    """Simulate a plate and measure its controls and specimens."""
    rng = np.random.default_rng(np.random.SeedSequence(22, spawn_key=(number,)))
    camera = Camera(rng.lognormal(0, 0.25), rng.lognormal(0, 0.15))
    controls = {
        name: Control(name, role, signal_of(serum, camera, rng, CONTROL_EFFECT))
        for name, (role, serum) in CONTROLS.items()
    }
    sera = [Serum()] * negatives
    sera += [Serum((name,), titre) for titre, name in product(TITRES, patterns)]
    return Plate(controls, [(one, signal_of(one, camera, rng)) for one in sera])


def judge(plate: Plate, by: Sequence[str]) -> Iterator[Judged]:
    """Yield the specimens of a plate, judged by some of its controls."""
    scale = scale_of("", [plate.controls[name] for name in by], SETTINGS)
    for serum, signal in plate.specimens:
        yield Judged(serum, judge_intensity(signal, scale, SETTINGS))


def true_grade(serum: Serum) -> str:
    """Return the grade by the titre: that of its index without noise or spread."""
    index = serum.brightness / Serum(("Homogeneous",), CUT_OFF).brightness
    return grade_of(Estimate(index, index, index), SETTINGS)


def area(positive: Floats, negative: Floats) -> tuple[float, float, float]:
    """Return the area under the ROC curve with its 95 % interval.

    The variance is that of DeLong et al. 1988 (doi:10.2307/2531595), on the scale of
    the logit. Where no pair is in the wrong order the lower end is that of a rate
    without a failure in as many specimens as the smaller group has.
    """
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    found = float(wins.mean())
    if found == 1:
        return found, float(0.025 ** (1 / min(wins.shape))), 1.0
    variance = wins.mean(1).var(ddof=1) / len(positive)
    variance += wins.mean(0).var(ddof=1) / len(negative)
    reach = 1.96 * np.sqrt(variance) / (found * (1 - found))
    logit = np.log(found / (1 - found))
    low, high = 1 / (1 + np.exp(-(logit + reach * np.array([-1, 1]))))
    return found, float(low), float(high)


def rates(groups: Sequence[npt.NDArray[np.bool_]]) -> list[str]:
    """Return the rate of each group with its interval over specimens, in words."""
    sizes = [len(one) for one in groups]
    right, total = np.zeros((2, sum(sizes), len(groups)))
    ends = np.cumsum(sizes)
    for k, (one, end) in enumerate(zip(groups, ends, strict=True)):
        right[end - len(one) : end, k], total[end - len(one) : end, k] = one, 1
    each = 100 * rate_intervals(right, total).each
    return [
        f"{100 * one.mean():.0f} ({low:.0f} to {high:.0f})"
        for one, (low, high) in zip(groups, each, strict=True)
    ]


def table(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield the rows of a table with a row a titre."""
    groups = {0.0: [one for one in judged if not one.serum.patterns]}
    for titre in TITRES:
        own = [o for o in judged if o.serum.patterns and o.serum.titre == titre]
        groups[float(titre)] = own
    known = {t: [o for o in own if o.intensity.index] for t, own in groups.items()}
    negative = _indices(known[0.0])
    called = [np.array([o.intensity.result for o in own]) for own in known.values()]
    positive = rates([one == "positive" for one in called])
    borderline = rates([one == "borderline" for one in called])
    near = rates([np.array([_near(o) for o in own]) for own in known.values()])
    yield (
        "| serum | specimens | not judged | AUC against negatives | index | positive % "
        "| borderline % | grade within one step % |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for k, (titre, own) in enumerate(known.items()):
        name = f"1:{titre:.0f} ({true_grade(own[0].serum)})" if titre else "negative"
        found = _area_words(area(_indices(own), negative)) if titre else ""
        lost = len(groups[titre]) - len(own)
        yield (
            f"| {name} | {len(groups[titre])} | {lost} | {found} | "
            f"{np.median(_indices(own)):.2f} | {positive[k]} | {borderline[k]} | "
            f"{near[k]} |"
        )


def _area_words(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"


def _indices(judged: Sequence[Judged]) -> Floats:
    return np.array([o.intensity.index.median for o in judged if o.intensity.index])


def _near(one: Judged) -> bool:
    wanted = true_grade(one.serum) if one.serum.patterns else "negative"
    return abs(GRADES.index(one.intensity.grade) - GRADES.index(wanted)) <= 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plates", type=int, default=4)
    parser.add_argument("--negatives", type=int, default=20)
    parser.add_argument("--other", action="store_true", help="Cytoplasmic and mitotic.")
    given = parser.parse_args()
    patterns = OTHER_PATTERNS if given.other else SIMULATED_PATTERNS
    plates = [
        measure_plate(number, given.negatives, patterns)
        for number in range(given.plates)
    ]
    for by in BY:
        judged = [one for plate in plates for one in judge(plate, by)]
        print(f"\nControls: {', '.join(by)}\n")
        print("\n".join(table(judged)))
        if given.other:
            print("\n".join(by_pattern(judged, patterns)))


def by_pattern(judged: Sequence[Judged], patterns: Sequence[str]) -> Iterator[str]:
    """Yield how strong sera of each pattern were judged."""
    for name in patterns:
        own = [
            one.intensity.result
            for one in judged
            if one.serum.patterns == (name,) and one.serum.titre >= STRONG
        ]
        found = {result: own.count(result) for result in sorted(set(own))}
        yield f"{name} from 1:{STRONG} on: {found}"


if __name__ == "__main__":
    main()
