"""A reviewer of specimens whose k-th word is known, as in `reviewer_actions`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from reviewer_actions import PATTERNS, steps_kept, time_of

from training.decisions.records import Said, StepRecord
from training.decisions.specimens import NONE_OF_THESE, say_pattern, take_back
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
            say_pattern(path.parent, said.cell, reviewer, said.pattern, clock)
        done += 1
        yield done


def expected_of_specimens(reviewer: str, k: int) -> StepRecord:
    """Return what the k-th word on a specimen leaves, as `expected` does."""
    said = (
        Said(f"specimen {k}", "relabelled", PATTERNS[k % 3], None),
        Said("shared", "rejected", None, NONE_OF_THESE),
        Said(f"specimen {k - 2}", "cleared", None, None),
    )
    time = time_of(k).isoformat()
    return StepRecord(k + 1, reviewer, "decide", None, time, (said[k % 3],))
