"""Positive or negative, and how strongly, by the controls of a specimen's series.

Exposure, gain and conjugate differ between laboratories, so that no grey value and no
contrast decides by itself: the index of a specimen is 0 at the negative control of its
own series and 1 at its cut-off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from training.config import IntensitySettings
from training.data.layouts.series import SpecimenRole, series_words
from training.data.signal import Estimate, SpecimenSignal
from training.evaluation.verdict import NEGATIVE, SpecimenVerdict

Result = Literal["negative", "borderline", "positive", "not judged"]

NO_CONTROLS = "no controls: intensity not judged"
GRADES = ("negative", "borderline", "+", "++", "+++", "++++")
"""From the weakest to the strongest; a step is from one to the next."""

_COMPARTMENTS = ("nuclei", "cytoplasm")


@dataclass(frozen=True)
class Control:
    """A control with its signal."""

    specimen: str
    role: SpecimenRole
    signal: SpecimenSignal


@dataclass(frozen=True)
class SeriesScale:
    """Where index 0 and index 1 lie in a series.

    Attributes
    ----------
    zero : (nuclei, cytoplasm)
        Contrast of the negative control, in deviations of the noise.
    spread : (nuclei, cytoplasm)
        Half the width of its 95 % interval.
    unit
        Contrast from there to the cut-off, above 0; one for both compartments.
    rule
        What it rests on, in one sentence.
    """

    zero: tuple[float, float]
    spread: tuple[float, float]
    unit: float
    rule: str

    def index(
        self, signal: tuple[Estimate, Estimate], places: Sequence[int] = (0, 1)
    ) -> tuple[int, Estimate]:
        """Return which of some compartments has the higher index, and its index."""
        found = [
            _scaled(one, self.zero[k], self.spread[k], self.unit)
            for k, one in enumerate(signal)
        ]
        best = max(places, key=lambda k: found[k].median)
        return best, found[best]


@dataclass(frozen=True)
class Intensity:
    """Intensity of a specimen.

    Attributes
    ----------
    result
        ``not judged`` where the series or the signal allow no index.
    grade
        One of `GRADES`, or '' where it was not judged.
    index
        0 at the negative control and 1 at the cut-off, with its 95 % interval; None
        where it was not judged.
    compartment
        ``nuclei`` or ``cytoplasm``, whichever has the higher index; '' without one.
    reason
        One sentence.
    """

    result: Result
    grade: str
    index: Estimate | None
    compartment: str
    reason: str


def scale_of(
    series: str, controls: Sequence[Control], settings: IntensitySettings
) -> SeriesScale | str:
    """Return the scale of a series, or in one sentence why it has none.

    Parameters
    ----------
    series
        Its name.
    controls
        Of this series, in any order.
    settings
        Where the cut-off lies without a control of its own.

    Notes
    -----
    The cut-off is the cut-off control; without one, `cut_off_share` of the way from the
    negative to the positive control; with a negative control alone, `cut_off_contrast`
    above it. Several controls of one role count by their mean.
    """
    where = series_words(series)
    start = where[0].upper() + where[1:]
    if not controls:
        return f"{start} has {NO_CONTROLS}."
    for one in controls:
        if one.signal.both is None:
            return (
                f"{start} is not judged: its {one.role} {one.specimen} has no signal "
                f"({one.signal.fault})."
            )
    negative = [one for one in controls if one.role == "negative control"]
    if not negative:
        return f"{start} is not judged: it has no negative control."
    zero, spread = _centre(negative)
    levels = {
        role: max(_mean_above(zero, [one for one in controls if one.role == role]))
        for role in ("cut-off control", "positive control")
        if any(one.role == role for one in controls)
    }
    fault = _out_of_order(controls, levels)
    if fault:
        return f"{start} is not judged: {fault}."
    unit, rule = _unit(levels, settings)
    apart = _apart(negative)
    if apart > settings.controls_differ * unit:
        names = " and ".join(one.specimen for one in negative[:2])
        return (
            f"{start} is not judged: its negative controls {names} differ by "
            f"{apart / unit:.1f} times the way to the cut-off; name the right one."
        )
    return SeriesScale(zero, spread, unit, rule)


def judge_intensity(
    signal: SpecimenSignal, scale: SeriesScale | str, settings: IntensitySettings
) -> Intensity:
    """Return whether a specimen is positive, and its grade.

    Parameters
    ----------
    signal
        Of the specimen.
    scale
        Of its series, or why there is none.
    settings
        Width of the borderline, and of a grade; whether the cytoplasm counts.

    Notes
    -----
    An index within `borderline` of 1 is borderline, and so is one whose interval holds
    1; below it is negative. With b = 1 + `borderline` and s = `grade_step` the grade is
    + under b s, ++ under b s^2, +++ under b s^3, and ++++ from there on.
    """
    both = signal.both
    if both is None:
        reason = f"Intensity not judged: {signal.fault}."
        return Intensity("not judged", "", None, "", reason)
    contrast = f"contrast {both[0].median:.1f} in nuclei, {both[1].median:.1f} around"
    if isinstance(scale, str):
        return Intensity("not judged", "", None, "", f"{scale[:-1]}; {contrast}.")
    counted = (0, 1) if settings.outside_nucleus == "positive" else (0,)
    place, index = scale.index(both, counted)
    grade = grade_of(index, settings)
    result: Result = "positive"
    if grade == "negative" or grade == "borderline":
        result = "negative" if grade == "negative" else "borderline"
    words = result.capitalize() if result != "positive" else f"Positive {grade}"
    where = _COMPARTMENTS[place]
    reason = (
        f"{words}: index {index.median:.2f} ({index.low:.2f} to {index.high:.2f}) in "
        f"the {where}; {scale.rule}."
    )
    return Intensity(result, grade, index, where, reason)


def with_intensity(verdict: SpecimenVerdict, intensity: Intensity) -> SpecimenVerdict:
    """Return the verdict on a specimen of this intensity: a negative has no pattern."""
    if intensity.result != "negative":
        return verdict
    return replace(
        verdict,
        pattern=None,
        mixed=False,
        withheld=NEGATIVE,
        reason=intensity.reason,
    )


def grade_of(index: Estimate, settings: IntensitySettings) -> str:
    """Return the grade of an index, one of `GRADES`."""
    if abs(index.median - 1) <= settings.borderline or index.low <= 1 <= index.high:
        return "borderline"
    if index.median < 1:
        return "negative"
    steps = math.log(index.median / (1 + settings.borderline), settings.grade_step)
    return GRADES[2 + min(max(int(steps), 0), 3)]


def _unit(levels: dict[str, float], settings: IntensitySettings) -> tuple[float, str]:
    if "cut-off control" in levels:
        return levels["cut-off control"], "the cut-off is the cut-off control"
    if "positive control" in levels:
        share = settings.cut_off_share
        rule = f"the cut-off lies {share:.0%} of the way to the positive control"
        return share * levels["positive control"], rule
    above = settings.cut_off_contrast
    rule = f"with a negative control alone the cut-off is a contrast of {above:g} above"
    return above, rule


def _out_of_order(controls: Sequence[Control], levels: dict[str, float]) -> str:
    """Return which control is brighter than it may be, or ''."""
    named: dict[str, str] = {one.role: one.specimen for one in reversed(controls)}
    for role, level in levels.items():
        if level <= 0:
            return (
                f"its negative control {named['negative control']} is as bright as its "
                f"{role} {named[role]}"
            )
    if levels.get("cut-off control", 0) > levels.get("positive control", math.inf):
        return (
            f"its cut-off control {named['cut-off control']} is brighter than its "
            f"positive control {named['positive control']}"
        )
    return ""


def _centre(
    negative: Sequence[Control],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the mean contrasts of negative controls, and half their intervals."""
    pairs = [one.signal.both for one in negative if one.signal.both]
    count = len(pairs)
    zero = [sum(pair[k].median for pair in pairs) / count for k in (0, 1)]
    half = [
        math.hypot(*((pair[k].high - pair[k].low) / 2 for pair in pairs)) / count
        for k in (0, 1)
    ]
    return (zero[0], zero[1]), (half[0], half[1])


def _mean_above(
    zero: tuple[float, float], controls: Sequence[Control]
) -> tuple[float, float]:
    (nuclei, cytoplasm), _ = _centre(controls)
    return nuclei - zero[0], cytoplasm - zero[1]


def _apart(negative: Sequence[Control]) -> float:
    """Return how far apart negative controls are, in deviations of the noise."""
    pairs = [one.signal.both for one in negative if one.signal.both]
    sides = [[pair[k].median for pair in pairs] for k in (0, 1)]
    return max(max(side) - min(side) for side in sides)


def _scaled(one: Estimate, zero: float, spread: float, unit: float) -> Estimate:
    """Return a signal as an index; both intervals count, as independent ones."""
    middle = (one.median - zero) / unit
    low = math.hypot(one.median - one.low, spread) / unit
    high = math.hypot(one.high - one.median, spread) / unit
    return Estimate(middle, middle - low, middle + high)
