"""Reviewers' decisions and marks on cells, and the lines of a cell's history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Verdict = Literal["accepted", "rejected", "relabelled", "cleared"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Result = Literal["negative", "borderline", "positive"]
RESULTS: tuple[Result, ...] = get_args(Result)
"""Of a specimen as a whole, where a cell has one of `VERDICTS`."""

GRADES = ("+", "++", "+++", "++++")
"""Of a positive specimen, from the weakest."""

REASONS = {
    "focus": "out of focus",
    "merged": "several nuclei",
    "cut": "nucleus cut off",
    "mitotic": "mitotic cell",
    "debris": "debris or artefact",
    "dim": "too dim",
    "other": "other reason",
}
"""Why a reviewer rejects a cell: code in the store, words on the screen."""

EventKind = Literal["decide", "flag", "note", "undo", "redo"]


@dataclass(frozen=True)
class Decision:
    """Decision of a reviewer on a cell, or on a specimen.

    Attributes
    ----------
    pattern
        The new pattern's name, where the verdict is ``relabelled``; where it is one of
        `RESULTS`, the codes of the specimen's patterns, joined by ``+``.
    reason
        In the reviewer's words, or None.
    time
        When it was made, by the clock of the machine; the order never rests on it.
    grade, titre
        Of a specimen; None where they were not given.
    """

    cell: str
    reviewer: str
    verdict: Verdict | Result
    pattern: str | None
    reason: str | None
    time: datetime
    grade: str | None = None
    titre: str | None = None


@dataclass(frozen=True)
class Mark:
    """Flag or note of a reviewer on a cell: it changes nothing in training.

    Attributes
    ----------
    flagged
        Whether to come back to it.
    note
        In the reviewer's words, or an empty string.
    """

    flagged: bool = False
    note: str = ""


@dataclass(frozen=True)
class Event:
    """One line of a cell's history: said, undone or redone.

    Attributes
    ----------
    target
        The step that was undone or redone, else None.
    decision, flagged, note
        What was said in this step, or in its target; one of them is not None.
    """

    step: int
    kind: EventKind
    reviewer: str
    time: datetime
    target: int | None = None
    decision: Decision | None = None
    flagged: bool | None = None
    note: str | None = None


def decision_text(decision: Decision) -> str:
    """Return a decision in words, as ``rejected: out of focus``."""
    text = " ".join(filter(None, (decision.verdict, decision.grade, decision.titre)))
    if decision.pattern is not None:
        text += f" as {decision.pattern}"
    if decision.reason:
        text += f": {REASONS.get(decision.reason, decision.reason)}"
    return text


def event_text(event: Event) -> str:
    """Return an event as a line: step, time, reviewer, and what was said."""
    said = _said(event)
    if event.kind == "undo":
        said = f"undid step {event.target} ({said})"
    elif event.kind == "redo":
        said = f"redid step {event.target} ({said})"
    return f"{event.step}  {event.time:%Y-%m-%d %H:%M} {event.reviewer}: {said}"


def _said(event: Event) -> str:
    if event.decision is not None:
        return decision_text(event.decision)
    if event.note is not None:
        return f"note '{event.note}'" if event.note else "note removed"
    return "flagged" if event.flagged else "flag removed"
