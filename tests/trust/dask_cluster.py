"""A Dask scheduler and its workers as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


class DaskCluster:
    """A scheduler on this machine, and the workers that were started for it.

    Parameters
    ----------
    folder : of the scheduler's file and the workers' own
    environment : of all processes, over that of this one

    Attributes
    ----------
    workers : all that were started, dead ones too
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            **(environment or {}),
        }
        self.workers: list[psutil.Popen] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            *("dask_scheduler", "--host", "127.0.0.1", "--port", 0),
            *("--no-dashboard", "--no-jupyter", "--scheduler-file", file),
        )
        until = time.monotonic() + 60
        while not file.is_file() and time.monotonic() < until:
            time.sleep(0.05)
        self.address: str = json.loads(file.read_text())["address"]

    @property
    def word(self) -> str:
        """The engine, as a run is told."""
        return self.address.replace("tcp://", "dask://")

    def add_worker(self, *words: object) -> psutil.Popen:
        """Start a worker of one thread; it comes when it comes."""
        own = self._folder / f"worker-{len(self.workers)}"
        worker = self._start(
            *("dask_worker", self.address, "--nthreads", 1, "--no-nanny"),
            *("--no-dashboard", "--local-directory", own, *words),
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """Kill all that is left."""
        for process in (self.scheduler, *self.workers):
            with suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()

    def _start(self, module: str, *words: object) -> psutil.Popen:
        return psutil.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def dask_cluster(
    folder: Path, workers: int, *words: object, **environment: str
) -> Iterator[DaskCluster]:
    """Start a scheduler and workers; nothing of them is left afterwards."""
    cluster = DaskCluster(folder, environment)
    try:
        for _ in range(workers):
            cluster.add_worker(*words)
        yield cluster
    finally:
        cluster.close()
