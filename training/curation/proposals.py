"""Rejections that the quality of cells proposes; a reviewer decides on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.config import QualitySettings
from training.curation.quality import Floats

RELATIVE = ("area", "detail", "signal")
"""Measures that are judged against the usual value of the cell's specimen."""

_COLUMNS = ("row", "reason", "why")


def propose_rejections(
    quality: pd.DataFrame,
    settings: QualitySettings | None = None,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Propose which cells to reject, with a reason and the figure behind it.

    Parameters
    ----------
    quality
        As `training.curation.quality.measure_quality` returns it, one row a cell.
    settings
        The limits; the defaults where None.
    table
        The table of a cell folder, in the same order: its ``specimen`` tells what is
        usual, and cells in its ``dropped`` neither count for that nor are proposed.
        All cells are one specimen, and none is dropped, where it is None.

    Returns
    -------
    proposals
        One row a proposed cell, in the order of the cells: ``row`` int, its place in
        `quality`; ``reason``, a code that a decision's reason may have: cut, merged,
        mitotic, debris, focus, dim or other; ``why``, a sentence for each limit that it
        is beyond. The reason is the first of them.

    Notes
    -----
    nan is beyond no limit.
    """
    limits = settings or QualitySettings()
    n = len(quality)
    kept = np.ones(n, np.bool_)
    specimens = np.full(n, "", object)
    if table is not None:
        kept = np.asarray(table["dropped"].to_numpy(object) == "", np.bool_)
        specimens = table["specimen"].to_numpy(object)
    cells = _Cells(quality, specimens, kept, limits.fewest_cells)
    faults = [rule(cells, limits) for rule in _RULES]
    beyond = np.stack([fault.beyond for fault in faults]) & kept
    found = []
    for row in np.flatnonzero(beyond.any(axis=0)).tolist():
        its = [
            fault for fault, is_so in zip(faults, beyond[:, row], strict=True) if is_so
        ]
        found.append((row, its[0].reason, " ".join(fault.why(row) for fault in its)))
    return pd.DataFrame(found, columns=list(_COLUMNS)).astype({"row": np.int64})


class _Cells:
    """The measures of the cells, as they are and as multiples of the usual."""

    def __init__(
        self,
        quality: pd.DataFrame,
        specimens: npt.NDArray[np.object_],
        kept: npt.NDArray[np.bool_],
        fewest: int,
    ) -> None:
        self.value: dict[str, Floats] = {
            str(name): quality[name].to_numpy(np.float64) for name in quality
        }
        self.times: dict[str, Floats] = {}
        codes = pd.factorize(specimens)[0]
        for name in RELATIVE:
            values = pd.Series(self.value[name])
            groups = values[kept].groupby(codes[kept])
            usual = groups.median().where(groups.count() >= fewest)
            level = pd.Series(codes).map(usual).to_numpy(np.float64)
            self.times[name] = values.to_numpy() / np.where(level > 0, level, np.nan)
        detail = pd.Series(self.value["detail"]).where(kept)
        self.as_blurred = detail.groupby(codes).rank(pct=True).to_numpy(np.float64)


@dataclass(frozen=True)
class _Fault:
    """Findings of a rule: the reason, the cells beyond its limit, and why, by row."""

    reason: str
    beyond: npt.NDArray[np.bool_]
    why: Callable[[int], str]


def _cut(cells: _Cells, limits: QualitySettings) -> _Fault:
    edge, most = cells.value["border"], limits.cut_share
    return _Fault(
        "cut",
        edge > most,
        lambda row: (
            f"Cut off: {edge[row]:.0%} of its diameter lies on the edge (at most "
            f"{most:.0%})."
        ),
    )


def _merged(cells: _Cells, limits: QualitySettings) -> _Fault:
    hollow, times = cells.value["doublet"], cells.times["area"]
    most, area = limits.doublet_share, limits.doublet_area
    return _Fault(
        "merged",
        (hollow > most) & (times > area),
        lambda row: (
            f"Two in one: {hollow[row]:.0%} of its hull is empty (at most {most:.0%}) "
            f"and its area is {times[row]:.2f} of the usual (at most {area:g})."
        ),
    )


def _mitotic(cells: _Cells, limits: QualitySettings) -> _Fault:
    round_, times = cells.value["roundness"], cells.times["area"]
    least, most = limits.least_roundness, limits.mitotic_area
    convex = cells.value["doublet"] <= limits.doublet_share
    return _Fault(
        "mitotic",
        (round_ < least) & (times < most) & convex,
        lambda row: (
            f"Like a plate: roundness {round_[row]:.2f} (at least {least:g}) and area "
            f"{times[row]:.2f} of the usual (at least {most:g})."
        ),
    )


def _small(cells: _Cells, limits: QualitySettings) -> _Fault:
    area, times, least = cells.value["area"], cells.times["area"], limits.debris_area
    return _Fault(
        "debris",
        times < least,
        lambda row: (
            f"Small: {area[row]:,.0f} pixels, {times[row]:.2f} of the usual of its "
            f"specimen (at least {least:g})."
        ),
    )


def _ragged(cells: _Cells, limits: QualitySettings) -> _Fault:
    round_, least = cells.value["roundness"], limits.least_roundness
    return _Fault(
        "debris",
        round_ < least,
        lambda row: f"Not round: roundness {round_[row]:.2f} (at least {least:g}).",
    )


def _blurred(cells: _Cells, limits: QualitySettings) -> _Fault:
    detail, times = cells.value["detail"], cells.times["detail"]
    least, rank = limits.least_detail, cells.as_blurred
    return _Fault(
        "focus",
        times < least,
        lambda row: (
            f"Blurred: detail {detail[row]:.3f}, {times[row]:.2f} of the usual of its "
            f"specimen (at least {least:g}), among its blurriest {rank[row]:.1%}."
        ),
    )


def _dim(cells: _Cells, limits: QualitySettings) -> _Fault:
    level, times = cells.value["signal"], cells.times["signal"]
    least = limits.least_signal
    return _Fault(
        "dim",
        times < least,
        lambda row: (
            f"Dim: signal {level[row]:.3f}, {times[row]:.2f} of the usual of its "
            f"specimen (at least {least:g})."
        ),
    )


def _saturated(cells: _Cells, limits: QualitySettings) -> _Fault:
    share, most = cells.value["saturation"], limits.most_saturated
    return _Fault(
        "other",
        share > most,
        lambda row: (
            f"Overexposed: {share[row]:.0%} of the nucleus is at full scale (at most "
            f"{most:.0%})."
        ),
    )


_RULES: tuple[Callable[[_Cells, QualitySettings], _Fault], ...] = (
    _cut,
    _merged,
    _mitotic,
    _small,
    _ragged,
    _blurred,
    _dim,
    _saturated,
)
"""In the order in which the first that holds gives the reason."""
