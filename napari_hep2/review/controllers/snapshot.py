"""Snapshot of the decision store, read in one transaction; a worker may do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.curation.review_set import ReviewSet, verdict_codes
from training.decisions.applied import STORE
from training.decisions.current import Decisions, Opinions
from training.decisions.store import DecisionStore, Mark

MANY = 1000
"""So many cells of one step, or to be read, are a worker's: the window cannot wait."""

_LARGE = 1_000_000

OpenStore = Callable[[Path, str], DecisionStore]


@dataclass(frozen=True, eq=False)
class Standing:
    """Decisions and marks as they stand, or stood, after a step.

    Attributes
    ----------
    store
        Where they were read, open; None where there is none.
    reviewer
        Whose `decisions` and `marks` they are.
    opinions
        What the other reviewers say of each cell.
    codes : (N,) int8
        As `verdict_codes` returns them.
    """

    store: DecisionStore | None
    reviewer: str
    step: int
    decisions: Decisions
    marks: Mapping[str, Mark]
    opinions: Opinions
    codes: npt.NDArray[np.int8]

    def leave(self) -> None:
        """Close the store: nobody wants it."""
        if self.store is not None:
            self.store.close()


def read_standing(
    store: DecisionStore, review: ReviewSet, step: int | None = None
) -> Standing:
    """Read what stands in a store, or stood after a step.

    Raises
    ------
    BadCellsError, StorageError
        If it cannot be read.
    """
    at = store.last_step if step is None else step
    decisions = store.current() if step is None else store.at(step)
    return Standing(
        store,
        store.reviewer,
        at,
        decisions,
        store.marks(step=step),
        said_by_others(store, step=step),
        verdict_codes(review, decisions),
    )


def open_standing(
    open_store: OpenStore, folder: Path, reviewer: str, review: ReviewSet
) -> Standing:
    """Open the store of a folder and read what stands in it.

    Raises
    ------
    BadCellsError, StorageError
        If it cannot be opened or read.
    """
    store = open_store(folder / STORE, reviewer)
    try:
        return read_standing(store, review)
    except BaseException:
        store.close()
        raise


def nothing_standing(review: ReviewSet | None, reviewer: str) -> Standing:
    """Return what stands where nothing was decided."""
    n = 0 if review is None else len(review)
    codes = np.zeros(n, np.int8)
    return Standing(None, reviewer, 0, Decisions(reviewer, {}), {}, Opinions(), codes)


def said_by_others(
    store: DecisionStore,
    cells: Sequence[str] | None = None,
    step: int | None = None,
) -> Opinions:
    """Return what the other reviewers say of each cell, or of some."""
    names = [name for name in store.reviewers() if name != store.reviewer]
    if step is None:
        return Opinions(store.current(name, cells) for name in names)
    return Opinions(store.at(step, name) for name in names)


def is_large(folder: Path) -> bool:
    """Return whether a folder's store is so large that reading it takes a while."""
    path = folder / STORE
    return path.is_file() and path.stat().st_size > _LARGE


def renewed_marks(
    known: Mapping[str, Mark], cells: Sequence[str], found: Mapping[str, Mark]
) -> Mapping[str, Mark]:
    """Return the marks as `Decisions.renewed` does."""
    if all(known.get(cell) == found.get(cell) for cell in cells):
        return known
    out = dict(known)
    for cell in cells:
        out.pop(cell, None)
    return {**out, **found}
