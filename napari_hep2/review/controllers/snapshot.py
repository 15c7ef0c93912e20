"""Snapshot of a decision store, read in one transaction; a worker may do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.curation.review_set import ReviewSet, verdict_codes, with_decisions
from training.decisions.applied import STORE
from training.decisions.current import Decisions, Opinions
from training.decisions.store import DecisionStore, Mark

_LARGE = 1_000_000

OpenStore = Callable[[Path, str], DecisionStore]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Decisions and marks in force after a step.

    Attributes
    ----------
    store
        Where they were read, open; None where there is none.
    reviewer
        Whose `decisions` and `marks` they are.
    opinions
        The decisions of the other reviewers on each cell.
    codes : (N,) int8
        As `verdict_codes` returns them; empty where no cells are under review.
    """

    store: DecisionStore | None
    reviewer: str
    step: int
    decisions: Decisions
    marks: Mapping[str, Mark]
    opinions: Opinions
    codes: npt.NDArray[np.int8]

    def close(self) -> None:
        """Close the store."""
        if self.store is not None:
            self.store.close()

    def of(self, review: ReviewSet) -> Snapshot:
        """Return the same decisions for other cells under review."""
        return replace(self, codes=verdict_codes(review, self.decisions))

    def renewed(self, review: ReviewSet | None) -> Snapshot:
        """Return this with the steps since; only cells they touched are read.

        Raises
        ------
        StorageError
            If the store cannot be read.
        """
        if self.store is None:
            return self
        # The step comes first: what is written in between is read again, not missed.
        step, cells = self.store.last_step, self.store.changed_since(self.step)
        found = self.store.current(cells=cells)
        decisions = self.decisions.renewed(cells, found)
        codes = self.codes
        if review is not None:
            codes = with_decisions(codes, review, decisions, cells)
        marks = _renewed_marks(self.marks, cells, self.store.marks(cells=cells))
        opinions = self.opinions.renewed(cells, _opinions(self.store, cells))
        return Snapshot(
            self.store, self.reviewer, step, decisions, marks, opinions, codes
        )


def read_snapshot(
    store: DecisionStore, review: ReviewSet | None, step: int | None = None
) -> Snapshot:
    """Read what is in force in a store, or was after a step.

    Raises
    ------
    BadCellsError, StorageError
        If it cannot be read.
    """
    at = store.last_step if step is None else step
    decisions = store.current() if step is None else store.at(step)
    return Snapshot(
        store,
        store.reviewer,
        at,
        decisions,
        store.marks(step=step),
        _opinions(store, step=step),
        np.zeros(0, np.int8) if review is None else verdict_codes(review, decisions),
    )


def open_snapshot(
    open_store: OpenStore, folder: Path, reviewer: str, review: ReviewSet | None
) -> Snapshot:
    """Open the store of a folder and read what is in force in it.

    Raises
    ------
    BadCellsError, StorageError
        If it cannot be opened or read.
    """
    store = open_store(folder / STORE, reviewer)
    try:
        return read_snapshot(store, review)
    except BaseException:
        store.close()
        raise


def empty_snapshot(review: ReviewSet | None, reviewer: str) -> Snapshot:
    """Return the snapshot where nothing was decided."""
    codes = np.zeros(0 if review is None else len(review), np.int8)
    return Snapshot(None, reviewer, 0, Decisions(reviewer, {}), {}, Opinions(), codes)


def is_large(folder: Path) -> bool:
    """Return whether a folder's store is so large that reading it takes a while."""
    path = folder / STORE
    return path.is_file() and path.stat().st_size > _LARGE


def _opinions(
    store: DecisionStore, cells: Sequence[str] | None = None, step: int | None = None
) -> Opinions:
    """Return the decisions of the other reviewers on each cell, or on some."""
    names = [name for name in store.reviewers() if name != store.reviewer]
    if step is None:
        return Opinions(store.current(name, cells) for name in names)
    return Opinions(store.at(step, name) for name in names)


def _renewed_marks(
    known: Mapping[str, Mark], cells: Sequence[str], found: Mapping[str, Mark]
) -> Mapping[str, Mark]:
    """Return the marks as `Decisions.renewed` does."""
    if all(known.get(cell) == found.get(cell) for cell in cells):
        return known
    asked = set(cells)
    return {cell: mark for cell, mark in known.items() if cell not in asked} | dict(
        found
    )
