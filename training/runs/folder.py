"""The run folder: configuration, events, lock, stop file and results.

One process writes it, any number read it. `events.jsonl` is append-only, one JSON
object a line: what a terminal, a dock or a person tails.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, Field, field_validator

from training.config import (
    LOCAL,
    ClassifierSettings,
    ProtocolSettings,
    Settings,
    TrainingSetSettings,
    known_engine,
)
from training.errors import BadRunError
from training.runs.events import Event
from training.runs.replay import RunState, observe, replay
from training.runs.tail import EventTail
from training.storage.locks import Held, lock_holder, locked
from training.storage.paths import can_be, own_path
from training.storage.reading import check_words
from training.storage.seals import is_sealed, seal_of
from training.storage.shown_paths import end_of_way, way_from
from training.storage.writing import storage_error, write_text

CONFIG, EVENTS, STOP, LOG = "config.yaml", "events.jsonl", "stop", "trainer.log"
DATA = "data.json"
"""What the run trains on, with the state of the decisions on its cells."""

METRICS, CALIBRATION, CONFUSION = "metrics.json", "calibration.json", "confusion.csv"
PREDICTIONS, VERDICT, SPECIMENS = "predictions.csv", "verdict.json", "specimens.csv"
REPORT = "report.html"
"""Results of a finished run."""

_PASSING = {"epoch", "progress"}
"""Events that a power cut may take; on a GPU there are hundreds a second."""

_LONGEST_NAME = 100

_MAX_CONFIG, _MAX_BRACKETS = 100_000, 300

_PACKAGES = ("numpy", "torch", "scikit-learn", "napari-hep2")


class RunConfig(Settings):
    """All that decides the result of a run, as `config.yaml` keeps it."""

    experiment: str = Field(description="Name of the experiment.")
    data: str = Field(description="Folder of the cells, as it was given.")
    layout: str = Field("auto", description="Layout of that folder.")
    extra: str = Field(
        "", description="Folder of cells that are trained on and never tested."
    )
    classifier: ClassifierSettings = Field(description="Its settings.")
    training_set: TrainingSetSettings = Field(
        TrainingSetSettings(), description="What a fold trains on."
    )
    protocol: ProtocolSettings = Field(description="How folds are made.")
    device: str = Field("auto", description="auto, cpu or cuda.")
    workers: int = Field(
        0,
        ge=0,
        le=512,
        description="Folds that train at once; 0 takes one a core, or 4 on a GPU.",
    )
    engine: str = Field(
        LOCAL, description="Where folds run: local, dask://HOST:PORT or slurm."
    )

    _known_engine = field_validator("engine")(known_engine)


class _Description(BaseModel):
    """Contents of `config.yaml`."""

    config: dict[str, Any]
    data_fingerprint: str
    versions: dict[str, str]
    python: str
    machine: str


_CONFIG_FAULTS = (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError)


@dataclass(frozen=True)
class RunStatus:
    """Progress of a run, from its events alone.

    Attributes
    ----------
    state
        ``running``, ``stopped``, ``done``, ``failed`` or ``vanished``, where the
        trainer was killed and the run can be resumed.
    folds_done, folds, epochs_done, epochs
        Counts; epochs are those of all folds.
    metrics
        The last event of kind ``metrics``, or None.
    seconds_left
        How long the folds of a running run still take; None before any pace is known.
    """

    state: str
    folds_done: int
    folds: int
    epochs_done: int
    epochs: int
    metrics: dict[str, Any] | None
    seconds_left: float | None


class RunFolder:
    """One execution of an experiment, in its own folder, resumable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: Held | None = None

    @classmethod
    def create(cls, path: Path, config: RunConfig, fingerprint: str) -> RunFolder:
        """Make a new run folder.

        Raises
        ------
        BadRunError
            If the folder holds a run, or anything else, already.
        """
        if cls.is_at(path):
            raise BadRunError(
                path, "it holds a run already", "resume it, or choose another folder"
            )
        if path.is_dir() and any(
            entry.name != LOG and entry.suffix != ".part" for entry in path.iterdir()
        ):
            raise BadRunError(path, "the folder is not empty", "choose a new folder")
        kept = config.model_dump(mode="json")
        ways = {name: way_from(path, kept[name]) for name in ("data", "extra")}
        ways = {name: way for name, way in ways.items() if way is not None}
        content = {
            "config": {**kept, **ways},
            "from_run_folder": list(ways),
            "engine_seal": seal_of(_engine_words(config.engine)),
            "data_fingerprint": fingerprint,
            "versions": {name: version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }
        write_text(path / CONFIG, yaml.safe_dump(content, sort_keys=False))
        return cls(path)

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a folder holds a run."""
        return (path / CONFIG).is_file()

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run folder that exists.

        Raises
        ------
        BadRunError
            If it is none.
        """
        if not cls.is_at(path):
            raise BadRunError(
                path, "this is not a run folder", "give the --out folder of a run"
            )
        return cls(path)

    def description(self) -> dict[str, Any]:
        """Return `config.yaml` whole: configuration, fingerprint, versions, machine.

        Raises
        ------
        BadRunError
            If the file is damaged.
        """
        path = self.path / CONFIG
        try:
            content = yaml.safe_load(_short_text(path))
            check_words(content)
            _Description.model_validate(content)
        except _CONFIG_FAULTS as fault:
            raise _damaged(path) from fault
        return content

    def config(self) -> RunConfig:
        """Return the configuration, with its folders where they are now.

        Raises
        ------
        BadRunError
            If the file is damaged or holds settings that we do not know.
        """
        try:
            content = self.description()
            config = RunConfig.model_validate(content["config"])
            if not (can_be(config.data) and can_be(config.extra)):
                raise ValueError("no folder can have this name")
            names = set(content.get("from_run_folder", ())) & {"data", "extra"}
            found = {n: end_of_way(self.path, getattr(config, n)) for n in names}
            return config.model_copy(update=found)
        except _CONFIG_FAULTS as fault:
            raise _damaged(self.path / CONFIG) from fault

    def engine(self, typed: str | None = None) -> str:
        """Return the engine that folds of this run may train on.

        A run folder may come from anybody, and an engine runs the code of whoever owns
        it: other than `LOCAL` it is typed, or named by a run that this user started.

        Parameters
        ----------
        typed
            What the person at the command line named, if anything.

        Raises
        ------
        BadSettingError
            If there is no such engine.
        BadRunError
            If only the folder names it.
        """
        if typed is not None:
            return known_engine(typed)
        named, seal = self.config().engine, self.description().get("engine_seal")
        if named == LOCAL or is_sealed(_engine_words(named), seal):
            return named
        raise BadRunError(
            self.path,
            f"it names the engine {named}, on which you started no run yet",
            f"give --engine {LOCAL}, or --engine {named} if you trust whoever owns it",
        )

    def fold_folder(self, name: str) -> Path:
        """Return the folder of a fold; its name is safe on every file system."""
        return own_path(self.path, "folds", _safe(name))

    def left_out_folder(self, name: str) -> Path:
        """Return the folder of a fold that is trained once more without a pattern."""
        return own_path(self.path, "left-out", _safe(name))

    # -- events ---------------------------------------------------------------

    def append(self, kind: str, **content: Any) -> Event:
        """Append one event and return it.

        Raises
        ------
        RunLockedError
            If the folder was held and is not any more: it was renamed or taken over.
        StorageError
            If the disk is full or the folder read-only.
        """
        if self._held is not None:
            self._held.check()
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {"time": now, "kind": kind, **content}
        line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
        path = own_path(self.path, EVENTS)
        try:
            with path.open("ab") as stream:
                stream.truncate(self._whole(path))
                stream.write(line.encode())
                stream.flush()
                if kind not in _PASSING:
                    os.fsync(stream.fileno())
        except OSError as fault:
            raise storage_error(path, fault) from fault
        return cast(Event, event)

    def events(self) -> list[Event]:
        """Return every whole event; a torn or damaged line is left out."""
        return EventTail(self.path / EVENTS).read_all()

    @staticmethod
    def _whole(path: Path) -> int:
        """Return where the last whole line ends: a killed writer may have left half."""
        size = path.stat().st_size
        if size == 0:
            return 0
        with path.open("rb") as stream:
            stream.seek(size - 1)
            if stream.read(1) == b"\n":
                return size
        return path.read_bytes().rfind(b"\n") + 1

    # -- who works here -------------------------------------------------------

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder while training; see `training.storage.locks.locked`."""
        with locked(self.path, stale=(STOP,)) as self._held:
            try:
                yield
            finally:
                self._held = None

    def is_running(self) -> bool:
        """Return whether a trainer that is alive works in this folder."""
        return lock_holder(self.path) is not None

    def request_stop(self) -> None:
        """Ask the trainer to stop within one step; it can be resumed.

        Raises
        ------
        StorageError
            If the run folder cannot be written.
        """
        try:
            own_path(self.path, STOP).touch()
        except OSError as fault:
            raise storage_error(self.stop_file, fault) from fault

    @property
    def stop_file(self) -> Path:
        """The file that asks the trainer to stop where it exists."""
        return self.path.absolute() / STOP

    @property
    def is_finished(self) -> bool:
        """Whether the run has its results, all of them: it may be killed among them."""
        return (self.path / METRICS).is_file() and self.state().status == "done"

    def state(self) -> RunState:
        """Return the state of the run as its events leave it."""
        return replay(self.events())

    def status(self) -> RunStatus:
        """Return where the run stands, its trainer's process considered."""
        events = self.events()
        state, running = replay(events), self.is_running()
        seen = observe(state, alive=running, stop_asked=False)
        metrics = [event for event in events if event["kind"] == "metrics"]
        left = state.left.seconds_left(datetime.now(UTC).timestamp())
        return RunStatus(
            "running" if running else seen.status if events else "vanished",
            state.count("done"),
            len(state.folds),
            state.epochs_done,
            len(state.folds) * state.epochs,
            dict(metrics[-1]) if metrics else None,
            round(left, 1) if running and left is not None else None,
        )


def _engine_words(engine: str) -> str:
    return f"engine {engine}"


def _safe(name: str) -> str:
    """Return a name for a folder that is safe on every file system.

    A name that is not, or is dots alone, gets a hash behind what is left of it.
    """
    safe = re.sub(r"[^A-Za-z0-9+_.-]", "_", name)
    if safe != name or not name.strip(".") or len(name) > _LONGEST_NAME:
        mark = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
        safe = f"{safe[:40].strip('.')}-{mark}"
    return safe


def _short_text(path: Path) -> str:
    """Return the text of a configuration of a size and depth that is soon parsed.

    Ours have a few thousand characters, and brackets only where a list is empty.
    """
    with path.open(encoding="utf-8") as stream:
        text = stream.read(_MAX_CONFIG + 1)
    if len(text) > _MAX_CONFIG or text.count("[") + text.count("{") > _MAX_BRACKETS:
        raise ValueError("it is not a configuration of a run")
    return text


def _damaged(path: Path) -> BadRunError:
    return BadRunError(path, "the configuration is damaged", "start a new run")
