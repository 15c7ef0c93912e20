"""Reviewers' decisions on a specimen and its cells."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.data.cells.known import KnownCells, known_cells
from training.decisions.applied import STORE
from training.decisions.model import Decision, decision_text
from training.decisions.specimens import (
    answer_of,
    has_decisions,
    read_sayings,
    reported_result,
)
from training.decisions.store import DecisionStore
from training.errors import BadCellsError

_READER = "report"


class ReviewBook:
    """The standing decisions of all reviewers, by frame.

    Parameters
    ----------
    decisions
        In any order.
    sayings
        What stands of each specimen, by its id.
    known
        The nuclei that the decisions are on.
    """

    def __init__(
        self,
        decisions: Iterable[Decision] = (),
        sayings: Mapping[str, tuple[Decision, ...]] | None = None,
        known: KnownCells | None = None,
    ) -> None:
        self.known = known or KnownCells()
        self._sayings = sayings or {}
        self._by_frame: dict[str, list[Decision]] = defaultdict(list)
        for decision in decisions:
            frame, _, _ = decision.cell.rpartition("_")
            self._by_frame[frame].append(decision)

    def of_frames(self, frames: Iterable[str]) -> list[Decision]:
        """Return the decisions on the cells of some frames."""
        found = [one for name in frames for one in self._by_frame.get(name, ())]
        return sorted(found, key=lambda one: (one.reviewer, one.cell))

    def of_specimen(self, specimen: str) -> list[Decision]:
        """Return what stands of a specimen as a whole."""
        return sorted(self._sayings.get(specimen, ()), key=lambda one: one.reviewer)


def find_store(given: Path | None, root: Path) -> Path | None:
    """Return the store of decisions to read, or None where there is none.

    Where only specimens were decided on, it is the file that does not exist yet.

    Parameters
    ----------
    given
        A cell folder, or the file itself; None looks in the folder of the specimens.
    root
        The folder of the specimens.

    Raises
    ------
    BadCellsError
        If one was given and is not there.
    """
    if given is None:
        return root / STORE if has_decisions(root) else None
    path = given / STORE if given.is_dir() else given
    if not has_decisions(given):
        raise BadCellsError(
            path, "there are no decisions", "give the folder in which they were made"
        )
    return path


def read_reviews(store: Path | None) -> ReviewBook:
    """Read all standing decisions of a store, of all who made one.

    Raises
    ------
    BadCellsError, StorageError
        If it is damaged or cannot be opened.
    """
    if store is None:
        return ReviewBook()
    sayings = read_sayings(store)
    if not store.is_file():
        return ReviewBook(sayings=sayings)
    with DecisionStore(store, _READER) as opened:
        decisions = [
            decision
            for reviewer in opened.reviewers()
            for decision in opened.current(reviewer).values()
        ]
    return ReviewBook(decisions, sayings, known_cells(store.parent))


def count_reviews(decisions: list[Decision]) -> list[dict[str, Any]]:
    """Return what each reviewer decided, as JSON content: counts, and the last time."""
    found = []
    for reviewer in sorted({one.reviewer for one in decisions}):
        own = [one for one in decisions if one.reviewer == reviewer]
        count = Counter(one.verdict for one in own)
        found.append(
            {
                "reviewer": reviewer,
                "accepted": count["accepted"],
                "rejected": count["rejected"],
                "relabelled": count["relabelled"],
                "last": max(one.time for one in own).isoformat(timespec="seconds"),
            }
        )
    return found


def told_sayings(
    sayings: Iterable[Decision], outside_nucleus: str = "positive"
) -> list[dict[str, Any]]:
    """Return what reviewers say of a specimen, as JSON content.

    Parameters
    ----------
    outside_nucleus
        As `training.decisions.specimens.reported_result` takes it.
    """
    told = []
    for one in sayings:
        answer = answer_of(one)
        told.append(
            {
                "reviewer": one.reviewer,
                **asdict(answer),
                "patterns": list(answer.patterns),
                "reported": reported_result(answer, outside_nucleus),
                "text": answer.text,
                "time": one.time.isoformat(timespec="seconds"),
            }
        )
    return told


def decided_words(decisions: list[Decision]) -> dict[str, str]:
    """Return what was decided on each cell, by its id, in words with the reviewers."""
    words: dict[str, list[str]] = defaultdict(list)
    for one in decisions:
        words[one.cell].append(f"{one.reviewer}: {decision_text(one)}")
    return {cell: "; ".join(said) for cell, said in words.items()}


def hash_decisions(decisions: list[Decision]) -> str:
    """Return a hash of who said what of which cell."""
    digest = hashlib.blake2b(digest_size=16)
    for one in decisions:
        words = one.verdict, one.pattern, one.reason, one.grade, one.titre
        digest.update(repr((one.reviewer, one.cell, *words)).encode())
    return digest.hexdigest()
