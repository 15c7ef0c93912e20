"""Decisions that no cell bears since the cells were cut again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.data.cells.extraction import cell_id
from training.data.cells.identity import candidates_of
from training.data.cells.known import bears_all_decisions, known_cells, number_of
from training.decisions.applied import standing_decisions
from training.decisions.store import Decision


@dataclass(frozen=True)
class PendingDecision:
    """The decisions on a cell whose nucleus is in no cell now.

    Attributes
    ----------
    cell
        The id that they stand on.
    decisions
        One a reviewer.
    candidates
        Undecided cells that may be its nucleus: a reviewer is asked to decide anew.
        Without any, the decisions are held back until the nucleus is cut again.
    """

    cell: str
    decisions: tuple[Decision, ...]
    candidates: tuple[str, ...] = ()

    @property
    def is_asked(self) -> bool:
        """Whether a reviewer is asked to decide anew."""
        return bool(self.candidates)


def pending_decisions(folder: Path) -> list[PendingDecision]:
    """Return the standing decisions that are not applied, in the order of their cells.

    What was asked is answered, and no longer listed, once each candidate has a
    decision of its own.

    Parameters
    ----------
    folder
        A cell folder, or a folder of decisions on frames.

    Raises
    ------
    BadCellsError
        If its store or its nuclei are damaged.
    """
    if bears_all_decisions(folder):
        return []
    decided = standing_decisions(folder)
    known = known_cells(folder).nuclei
    found: list[PendingDecision] = []
    for frame, nuclei in known.items():
        absent = {one.number for one in nuclei if not one.present}
        if not any(cell_id(frame, number) in decided for number in absent):
            continue
        for number, new in candidates_of(nuclei).items():
            cell = cell_id(frame, number)
            cells = [cell_id(frame, one) for one in new]
            open_now = tuple(one for one in cells if one not in decided)
            if cell in decided and (open_now or not cells):
                found.append(PendingDecision(cell, decided[cell], open_now))
    return sorted(found, key=lambda one: (one.cell.rpartition("_")[0], _place(one)))


def pending_text(pending: list[PendingDecision]) -> str:
    """Return how many cells wait, as a sentence, or nothing where none does."""
    asked = sum(one.is_asked for one in pending)
    held = len(pending) - asked
    parts = [
        f"the decisions on {n:,} {'cell' if n == 1 else 'cells'} {what}"
        for n, what in ((held, _HELD), (asked, _ASKED))
        if n
    ]
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}." if parts else ""


_HELD = "are held back, as no nucleus is theirs now"
_ASKED = "are not applied, as it is unclear which nucleus is theirs: decide anew"


def _place(one: PendingDecision) -> int:
    return number_of(one.cell) or 0
