"""The verdict on a specimen once a reader has corrected some of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import VerdictSettings
from training.decisions.model import Decision
from training.evaluation.verdict import SpecimenVerdict, specimen_verdict
from training.evaluation.verdict_figures import VerdictCalibration
from training.patterns import Vocabulary

CERTAINTY = 0.99
"""Score of a relabelled cell for its pattern; the others share the rest.

Not 1: the verdict is a mean of log scores, in which a 0, floored at 1e-6, weighs as
much as three or four cells of the model, so that a reader who relabels a third of the
cells would have outvoted the rest. At 0.99 a cell weighs as one that the model is sure
of.
"""


@dataclass(frozen=True)
class DecidedVerdict:
    """A verdict that follows decisions.

    Attributes
    ----------
    verdict
        On the cells as decided. Where one was fitted, its constants were fitted on
        scores that nobody had corrected, so that its probability is not measured.
    accepted, relabelled, rejected
        Scored cells that were decided on, by what was said.
    unknown
        Of those relabelled: with a pattern that the model does not know, left out.
    """

    verdict: SpecimenVerdict
    accepted: int
    relabelled: int
    rejected: int
    unknown: int

    @property
    def decisions(self) -> int:
        """Scored cells that were decided on."""
        return self.accepted + self.relabelled + self.rejected


def scores_as_decided(
    scores: npt.NDArray[np.float32],
    cells: Sequence[str],
    decisions: Mapping[str, Decision],
    vocabulary: Vocabulary,
) -> npt.NDArray[np.float32]:
    """Return the scores of the cells that are left, as a reader corrected them.

    A rejected cell is left out. A relabelled one counts as its new pattern, see
    `CERTAINTY`, and is left out where the model does not know that pattern. An accepted
    one keeps the model's scores: that a cell is good says nothing of its pattern that
    the model did not.

    Parameters
    ----------
    scores : (N, K) float32
        In the order of `vocabulary`.
    cells
        Id of each row.
    decisions
        In force, by the id of the cell; others are ignored.
    vocabulary
        Of the model.

    Returns
    -------
    scores : (M, K) float32, M <= N
        A copy.
    """
    out = scores.copy()
    kept = np.ones(len(scores), np.bool_)
    for row, cell in enumerate(cells):
        decision = decisions.get(cell)
        if decision is None:
            continue
        if decision.verdict == "rejected":
            kept[row] = False
        elif decision.verdict == "relabelled":
            pattern = vocabulary.find(decision.pattern or "")
            kept[row] = pattern is not None
            out[row] = (1 - CERTAINTY) / (len(vocabulary) - 1)
            out[row, pattern or 0] = CERTAINTY
    return out[kept]


def verdict_as_decided(
    scores: npt.NDArray[np.float32],
    cells: Sequence[str],
    decisions: Mapping[str, Decision],
    vocabulary: Vocabulary,
    settings: VerdictSettings | None = None,
    fitted: VerdictCalibration | None = None,
) -> DecidedVerdict | None:
    """Return the verdict with a reader's decisions; None where none is on these cells.

    Parameters
    ----------
    scores, cells, decisions, vocabulary
        As `scores_as_decided` takes them.
    settings, fitted
        As `training.evaluation.verdict.specimen_verdict` takes them.
    """
    said = [decisions[cell] for cell in cells if cell in decisions]
    said = [one for one in said if one.verdict != "cleared"]
    if not said:
        return None
    left = scores_as_decided(scores, cells, decisions, vocabulary)
    counts = {
        verdict: sum(one.verdict == verdict for one in said)
        for verdict in ("accepted", "relabelled", "rejected")
    }
    return DecidedVerdict(
        specimen_verdict(left, vocabulary, settings, fitted),
        counts["accepted"],
        counts["relabelled"],
        counts["rejected"],
        sum(
            one.verdict == "relabelled" and vocabulary.find(one.pattern or "") is None
            for one in said
        ),
    )
