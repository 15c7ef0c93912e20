"""The events of a run, one typed union: what a trainer appends and others read.

An event is a dictionary that holds what its kind promises. A killed writer leaves half
a line, a bad disk or a hand any other: such a line is no event, and whoever reads the
events never meets it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from training.storage.reading import parse_json

_MORE = ConfigDict(extra="allow", strict=True)
"""A later version may say more of an event."""


def _moment(value: str) -> str:
    datetime.fromisoformat(value)
    return value


Time = Annotated[str, AfterValidator(_moment)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]


@with_config(_MORE)
class PlannedFold(TypedDict):
    """A fold as a run starts with it; `done` where an earlier session trained it."""

    name: str
    specimens: list[str]
    patterns: list[str]
    n_train: Count
    n_test: Count
    done: bool


@with_config(_MORE)
class RunStarted(TypedDict):
    """A session of a run begins; a resumed run has several."""

    time: Time
    kind: Literal["run-started"]
    experiment: str
    protocol: str
    leaky: bool
    epochs: Count
    patterns: list[str]
    device: str
    engine: NotRequired[str]
    workers: Count
    resumed: NotRequired[bool]
    cells: NotRequired[Count]
    source: NotRequired[str]
    notes: NotRequired[list[str]]
    folds: list[PlannedFold]


@with_config(_MORE)
class FoldStarted(TypedDict):
    """A worker takes a fold, after the epochs of its checkpoint."""

    time: Time
    kind: Literal["fold-started"]
    fold: str
    epoch: Count


@with_config(_MORE)
class EpochProgress(TypedDict):
    """The share of an epoch that is done, 0 to 1."""

    time: Time
    kind: Literal["progress"]
    fold: str
    epoch: Count
    share: Number


@with_config(_MORE)
class EpochDone(TypedDict):
    """An epoch of a fold is done; loss and accuracy are of its training cells."""

    time: Time
    kind: Literal["epoch"]
    fold: str
    epoch: Count
    loss: Number
    accuracy: Number
    seconds: NotRequired[Number]


@with_config(_MORE)
class FoldDone(TypedDict):
    """A fold is trained and its held-out cells are scored."""

    time: Time
    kind: Literal["fold-done"]
    fold: str
    n: Count
    correct: Count
    chosen: NotRequired[dict[str, Number]]


@with_config(_MORE)
class FoldFailed(TypedDict):
    """A fold cannot be trained; the others go on."""

    time: Time
    kind: Literal["fold-failed"]
    fold: str
    message: str


@with_config(_MORE)
class Measured(TypedDict):
    """The held-out cells of all finished folds, measured."""

    time: NotRequired[Time]
    kind: Literal["metrics"]
    folds_done: Count
    folds: Count
    n: Count
    mean_class_accuracy: Number | None
    interval: Annotated[list[Number], Field(min_length=2, max_length=2)] | None
    rates: dict[str, Number | None]
    specimens: dict[str, Count]
    confusion: list[list[Count]]


@with_config(_MORE)
class Stopped(TypedDict):
    """The run was asked to stop, and can be resumed."""

    time: NotRequired[Time]
    kind: Literal["stopped"]


@with_config(_MORE)
class RunDone(TypedDict):
    """All folds have ended and the results are written."""

    time: NotRequired[Time]
    kind: Literal["run-done"]
    seconds: Number
    folds_failed: NotRequired[Count]


@with_config(_MORE)
class RunFailed(TypedDict):
    """The run cannot go on; of a study also one that could not begin."""

    time: NotRequired[Time]
    kind: Literal["run-failed"]
    message: str


@with_config(_MORE)
class _UnknownEvent(TypedDict):
    """An event of a kind that this version does not know; replay passes over it."""

    kind: str


Event = (
    Annotated[RunStarted, Tag("run-started")]
    | Annotated[FoldStarted, Tag("fold-started")]
    | Annotated[EpochProgress, Tag("progress")]
    | Annotated[EpochDone, Tag("epoch")]
    | Annotated[FoldDone, Tag("fold-done")]
    | Annotated[FoldFailed, Tag("fold-failed")]
    | Annotated[Measured, Tag("metrics")]
    | Annotated[Stopped, Tag("stopped")]
    | Annotated[RunDone, Tag("run-done")]
    | Annotated[RunFailed, Tag("run-failed")]
)
"""What a run reports, told apart by its kind."""

Kind = Literal[
    "run-started",
    "fold-started",
    "progress",
    "epoch",
    "fold-done",
    "fold-failed",
    "metrics",
    "stopped",
    "run-done",
    "run-failed",
]


def _tag(event: Any) -> str:
    kind = str(event.get("kind")) if isinstance(event, dict) else ""
    return kind if kind in get_args(Kind) else "unknown"


_EVENT: TypeAdapter[Any] = TypeAdapter(
    Annotated[Event | Annotated[_UnknownEvent, Tag("unknown")], Discriminator(_tag)]
)


def parse_event(line: bytes) -> Event | None:
    """Return the event that a line holds, or None."""
    try:
        event: Event = _EVENT.validate_python(parse_json(line))
    except ValueError:
        return None
    return event
