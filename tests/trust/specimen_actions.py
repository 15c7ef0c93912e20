"""A reviewer of specimens whose k-th word is known, as in `reviewer_actions`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from reviewer_actions import steps_kept, time_of

from training.decisions.model import Decision
from training.decisions.records import Said, StepRecord
from training.decisions.specimens import Answer, answer_of, give_answer, take_back
from training.decisions.store import DecisionStore


def judge_specimens(path: Path, reviewer: str) -> Iterator[int]:
    """Say patterns of specimens where the reviewer left off; as `decide_cells`."""
    done = 0
    if path.is_file():
        with DecisionStore(path, reviewer) as store:
            done = steps_kept(store.records(), reviewer, expected_of_specimens)
    while True:
        (said,) = expected_of_specimens(reviewer, done).decisions
        clock = partial(time_of, done)
        if said.verdict == "cleared":
            take_back(path.parent, said.cell, reviewer, clock)
        else:
            give_answer(path.parent, said.cell, reviewer, _answer(said), clock)
        done += 1
        yield done


def _answer(said: Said) -> Answer:
    cell, verdict, pattern, reason, *answer = said
    made = verdict, pattern, reason, time_of(0), *answer
    return answer_of(Decision(cell, "", *made))  # type: ignore[arg-type]


def expected_of_specimens(reviewer: str, k: int) -> StepRecord:
    """Return what the k-th word on a specimen leaves, as `expected` does."""
    said = (
        Said(f"specimen {k}", "positive", "AC-3+AC-22", f"the {k}th", "++", "1:160"),
        Said("shared", "negative", None, None),
        Said(f"specimen {k - 2}", "cleared", None, None),
    )
    time = time_of(k).isoformat()
    return StepRecord(k + 1, reviewer, "decide", None, time, (said[k % 3],))
