"""Validation of a list of steps as a log of decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from training.decisions.log import Reader
from training.decisions.records import StepRecord, fault_of
from training.errors import BadLayoutError


def checked_steps(path: Path, steps: Iterable[StepRecord]) -> list[StepRecord]:
    """Return the steps if each can follow those before it.

    Parameters
    ----------
    path
        The file they were read from, for the message.

    Raises
    ------
    BadLayoutError
        If one cannot; the sentence names its line.
    """
    readers: dict[str, Reader] = defaultdict(Reader)
    known: list[StepRecord] = []
    for step in steps:
        number = known[-1].step + 1 if known else 1
        fault = _fault(step, number) or _turn_fault(step, readers[step.reviewer])
        if fault:
            raise BadLayoutError(
                path, f"line {step.line}: {fault}", "export the decisions again"
            )
        readers[step.reviewer].apply(step.step, step.kind, step.target)
        known.append(step)
    return known


def _fault(step: StepRecord, number: int) -> str | None:
    """Return what is wrong with a step for itself, or None."""
    if step.step != number:
        return f"step {step.step} is where step {number} should be"
    if not step.reviewer.strip():
        return "it names no reviewer"
    if not _is_time(step.time):
        return f"'{step.time}' is not a time with a zone"
    cells = [*(one.cell for one in step.decisions), *(one.cell for one in step.marks)]
    if len(set(cells)) < len(cells):
        return f"step {step.step} names a cell twice"
    for one in step.decisions:
        fault = fault_of(one)
        if fault:
            return fault
    return None


def _turn_fault(step: StepRecord, reader: Reader) -> str | None:
    if reader.allows(step.kind, step.target):
        return None
    if step.kind == "decide":
        return f"step {step.step} names a target, which only undo and redo have"
    return f"{step.reviewer} could not {step.kind} step {step.target} here"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
