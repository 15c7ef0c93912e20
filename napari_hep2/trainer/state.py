"""State of the list of runs in *LOSO trainer*: evented, without Qt or napari.

As `napari_hep2.state`: a controller writes it, a view redraws on its events.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from psygnal import SignalGroupDescriptor

if TYPE_CHECKING:
    from training.evaluation.comparison import Comparison
    from training.evaluation.metrics import Metrics
    from training.runs.summary import RunSummary


@dataclass(frozen=True)
class RunPair:
    """Two finished runs on the same held-out cells.

    Attributes
    ----------
    first, second
        Names of the older and of the newer one.
    difference
        The newer less the older, paired over specimens.
    metrics
        Of each, in that order.
    patterns
        K names, in the order of the metrics' rates.
    """

    first: str
    second: str
    difference: Comparison
    metrics: tuple[Metrics, Metrics]
    patterns: tuple[str, ...]


@dataclass
class RunsState:
    """The runs of a folder, and those that verbs act on.

    Attributes
    ----------
    folder
        Where the runs are, or None.
    runs
        The newest first.
    chosen
        Of these, in the same order.
    pair
        The two that are chosen, where both are finished and were compared.
    """

    folder: Path | None = None
    runs: tuple[RunSummary, ...] = ()
    chosen: tuple[RunSummary, ...] = ()
    pair: RunPair | None = None

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(
        equality_operators={"pair": operator.is_}
    )

    @property
    def finished(self) -> list[Path]:
        """The chosen runs, the older first, where all of them are finished."""
        paths = [run.path for run in self.chosen[::-1]]
        return paths if all(run.is_finished for run in self.chosen) else []
