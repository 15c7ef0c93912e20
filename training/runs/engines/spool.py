"""The spool of a run: how the events of folds that train elsewhere reach the run.

``spool/SESSION/`` in the run folder holds one file for each attempt at a fold,
``FOLD.NUMBER.jsonl``, with one writer: the worker that made it. The run's process reads
them and writes ``events.jsonl``; it needs no connection that could break, and what a
worker has told stays when it dies.

The files are fences too. An attempt whose file is gone, or that has a later one beside
it, is no longer wanted: a worker that was thought dead stops by itself, and so do all
workers of a run whose process has taken the spool away.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch

from training.errors import Hep2Error, InterruptedRunError
from training.models.networks.loop import interrupted
from training.runs.engines.base import FoldTask, Message, bind, fold_failed, train_folds
from training.runs.folder import RunFolder
from training.storage.paths import own_path
from training.storage.reading import parse_json
from training.storage.shown_paths import shown_fault
from training.storage.writing import storage_error

SPOOL = "spool"


def clear_spools(run: Path) -> None:
    """Remove what earlier sessions left: workers that still train for them stop."""
    shutil.rmtree(run / SPOOL, ignore_errors=True)


class Spool:
    """The spool as the run's process sees it.

    Parameters
    ----------
    run
        The run folder.

    Raises
    ------
    StorageError
        If it cannot be made.
    """

    def __init__(self, run: Path) -> None:
        self.path = own_path(run.absolute(), SPOOL) / secrets.token_hex(8)
        try:
            self.path.mkdir(parents=True)
        except OSError as fault:
            raise storage_error(self.path, fault) from fault
        self._read: dict[Path, int] = {}
        self._newest: dict[str, int] = {}

    def news(self) -> Iterator[Message]:
        """Yield what the newest attempts have told since this was asked last."""
        for path, name, number in _attempts(self.path):
            if number < self._newest.get(name, 0):
                continue
            self._newest[name] = number
            yield from self._unread(path)

    def started(self, name: str) -> bool:
        """Return whether a worker has begun with the fold in folder `name`."""
        return (self.path / f"{name}.1.jsonl").exists()

    def remove(self) -> None:
        """Remove the spool: workers that still train stop."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _unread(self, path: Path) -> Iterator[Message]:
        start = self._read.get(path, 0)
        try:
            with path.open("rb") as stream:
                stream.seek(start)
                whole, newline, _ = stream.read().rpartition(b"\n")
        except OSError:
            return
        self._read[path] = start + len(whole) + len(newline)
        yield from _parse(whole)


class Attempt:
    """One attempt at a fold, in the worker that makes it.

    Attributes
    ----------
    deaths
        How many earlier attempts of this session ended without a word.

    Parameters
    ----------
    spool
        Of the session.
    name
        Of the fold's folder.

    Raises
    ------
    InterruptedRunError
        If the spool is gone: nobody waits for this fold.
    StorageError
        If the worker cannot write there.
    """

    def __init__(self, spool: Path, name: str) -> None:
        for number in count(1):
            self._path = spool / f"{name}.{number}.jsonl"
            try:
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                continue
            except FileNotFoundError as gone:
                raise interrupted() from gone
            except OSError as fault:
                raise storage_error(self._path, fault) from fault
            break
        self._next = spool / f"{name}.{number + 1}.jsonl"
        self.deaths = count_deaths(spool, name, before=number)

    def wanted(self) -> bool:
        """Return whether the run still waits for this attempt."""
        return self._path.exists() and not self._next.exists()

    def tell(self, event: Message) -> None:
        """Write one event, whole, in one step.

        Raises
        ------
        InterruptedRunError
            If the file is gone: this attempt is no longer wanted.
        """
        line = json.dumps(event, ensure_ascii=False) + "\n"
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        except FileNotFoundError as gone:
            raise interrupted() from gone
        except OSError as fault:
            raise storage_error(self._path, fault) from fault

    def pause(self) -> None:
        """Record that this attempt ends here and another one will continue."""
        self.tell({"kind": "paused"})


def count_deaths(spool: Path, name: str, before: int | None = None) -> int:
    """Count the attempts at a fold that ended without a word.

    An attempt that was paused after an epoch is none; one that was paused before it
    got anywhere is, or a time limit shorter than an epoch would be met for ever.

    Parameters
    ----------
    spool
        Of the session.
    name
        Of the fold's folder.
    before
        Number of the first attempt that is not looked at; None looks at all.
    """
    deaths = 0
    for path, other, number in _attempts(spool):
        if other == name and (before is None or number < before):
            kinds = {event["kind"] for event in _parse(path.read_bytes())}
            deaths += not {"paused", "epoch"} <= kinds
    return deaths


class FoldJob:
    """Trains one fold wherever it is called; see `record_fold`.

    Parameters
    ----------
    task
        With absolute paths.
    spool
        Of the session.
    attempts
        After so many deaths the fold is given up.
    """

    def __init__(self, task: FoldTask, spool: Path, attempts: int) -> None:
        self.task = task
        self.spool = spool
        self.attempts = attempts
        self._attempt: Attempt | None = None

    def __call__(self) -> Message:
        """Train, write the events to the spool, return how it ended.

        Returns
        -------
        event
            ``fold-done`` or ``fold-failed``; ``interrupted`` where the fold was no
            longer wanted; ``unseen`` with a `message` where the machine does not see
            the folders.
        """
        torch.set_num_threads(1)
        if unseen := what_is_unseen(self.spool, self.task.cells):
            return {"kind": "unseen", "message": unseen}
        try:
            return self._train()
        except InterruptedRunError:
            return {"kind": "interrupted"}
        except Hep2Error as fault:
            return fold_failed(self.task.fold.name, shown_fault(fault))

    def pause(self) -> None:
        """Leave the fold to the next attempt; called where a time limit nears."""
        if self._attempt is not None:
            self._attempt.pause()

    def _train(self) -> Message:
        attempt = self._attempt = Attempt(self.spool, self.task.folder.name)
        if attempt.deaths >= self.attempts:
            return fold_failed(self.task.fold.name, died(attempt.deaths))
        last: Message = {"kind": "interrupted"}
        cells, classifier = bind(self.task)
        for last in train_folds([self.task], cells, classifier, attempt.wanted):
            attempt.tell(last)
        return last


def died(times: int, how: str = "") -> str:
    """Return the sentence for a fold that is given up."""
    return f"its worker died {times} times{f' ({how})' if how else ''}"


def what_is_unseen(spool: Path, cells: Path) -> str:
    """Return the sentence for what this machine does not see, or nothing.

    The spool has a name that no other machine's disk can hold. That of an earlier
    session is not missed: the run folder is seen, and the fold is no longer wanted.
    """
    run = spool.parent.parent
    if not RunFolder.is_at(run):
        return f"it does not see the run folder {run}"
    if not (cells / "cells.json").is_file():
        return f"it does not see the packed cells {cells}"
    return ""


def _attempts(spool: Path) -> list[tuple[Path, str, int]]:
    """Return file, fold and number of all attempts, earlier ones first."""
    found = []
    for path in spool.glob("*.jsonl"):
        name, _, number = path.stem.rpartition(".")
        if number.isdecimal():
            found.append((path, name, int(number)))
    return sorted(found, key=lambda one: (one[1], one[2]))


def _parse(lines: bytes) -> list[Message]:
    return [parse_json(line) for line in lines.split(b"\n") if line.endswith(b"}")]
