"""Long work in steps: a generator that a thread, a loop or a test drains."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

Steps = Generator[S, None, T]


def drain(steps: Steps[S, T]) -> T:
    """Exhaust a generator and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
