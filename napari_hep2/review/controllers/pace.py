"""Pace of a reviewer, and the time left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=10)
"""How far back decisions count for the pace."""
_LEAST = timedelta(minutes=1)
_PAUSE = timedelta(minutes=2)


def per_minute(times: Iterable[datetime], now: datetime) -> float | None:
    """Return the decisions a minute over the last ten minutes, or None in a pause.

    A pause is two minutes without a decision: what is left then, as after an undo, is
    of an earlier pace.

    A reviewer who began less than ten minutes ago is measured from the first decision,
    over at least one minute.
    """
    recent = [time for time in times if now - WINDOW < time <= now]
    if not recent or now - max(recent) > _PAUSE:
        return None
    span = max(now - min(recent), _LEAST)
    return len(recent) / (span / timedelta(minutes=1))


def pace_text(pace: float | None, left: int) -> str:
    """Return the pace and the time that `left` cells take at it, in words."""
    if left == 0:
        return "all decided"
    if pace is None:
        return f"{left:,} left"
    minutes = left / pace
    if minutes < 1:
        time = "1 min"
    elif minutes < 90:
        time = f"{minutes:.0f} min"
    else:
        time = f"{minutes / 60:.1f} h" if minutes < 600 else f"{minutes / 60:.0f} h"
    return f"{pace:,.0f}/min, {time} left"
