"""Folds as an array of Slurm jobs, through submitit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from submitit import AutoExecutor
from submitit.core.core import Job as SubmititJob
from submitit.core.utils import DelayedSubmission, UncompletedJobError

from training.errors import BadSettingError, EngineError
from training.runs.engines.base import FoldTask, Message
from training.runs.engines.remote import Job, RemoteRun
from training.runs.engines.spool import FoldJob, Spool
from training.storage.paths import own_path
from training.storage.writing import storage_error

VARIABLE = "HEP2_SLURM"
"""Environment variable with submitit's parameters, ``NAME=VALUE,NAME=VALUE``."""

FOLDER = "slurm"
"""In the run folder: what submitit writes, and what the jobs print."""

_DEFAULTS: dict[str, Any] = {
    "name": "hep2",
    "timeout_min": 240,
    "cpus_per_task": 1,
    "mem_gb": 4,
    "slurm_array_parallelism": 256,
}
_TIMEOUTS = 1000
"""Time limits that submitit forgives: a fold ends when attempts get nowhere."""


class ResumableFold(FoldJob):
    """A fold that submitit queues again when its time is up or its place is taken."""

    def checkpoint(self) -> DelayedSubmission:
        """Return what goes on in the next job, from the last epoch's checkpoint."""
        self.pause()
        again = ResumableFold(self.task, self.spool, self.attempts)
        return DelayedSubmission(again)


class SlurmEngine:
    """Slurm; see `training.runs.engines.base.Engine`.

    Parameters
    ----------
    device
        ``cuda`` asks for one GPU a fold.
    workers
        How many folds train at once; 0 leaves it to Slurm, up to 256.
    given
        Parameters of submitit's AutoExecutor as text, over our defaults; ``cluster``
        among them names another of its executors. None reads `VARIABLE`.

    Raises
    ------
    EngineError
        If this machine cannot submit to Slurm.
    BadSettingError
        If a parameter is none.
    """

    def __init__(
        self, device: str = "auto", workers: int = 0, given: str | None = None
    ) -> None:
        text = os.environ.get(VARIABLE, "") if given is None else given
        parameters = _DEFAULTS | parse_parameters(text)
        self._cluster = str(parameters.pop("cluster", "slurm"))
        if device == "cuda":
            parameters.setdefault("gpus_per_node", 1)
        if workers:
            parameters["slurm_array_parallelism"] = workers
        if self._cluster == "slurm" and shutil.which("sbatch") is None:
            raise EngineError(
                "--engine slurm",
                "sbatch is not found on this machine",
                "run this where jobs are submitted, or use another engine",
            )
        self._parameters = parameters
        self._executor: AutoExecutor | None = None
        self._spool: Spool | None = None
        self.workers = workers or int(parameters["slurm_array_parallelism"])

    def check(self, run: Path, cells: Path) -> None:  # noqa: ARG002 - jobs look at cells
        """Make submitit's folder in the run folder; each job looks for what it needs.

        It is new and this user's alone: results are pickles, and none may be there
        before the jobs are.

        Raises
        ------
        BadSettingError
            If submitit does not know a parameter.
        StorageError
            If the folder cannot be made.
        """
        self._spool = Spool(run)
        folder = own_path(run.absolute(), FOLDER) / self._spool.path.name
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as fault:
            raise storage_error(folder, fault) from fault
        self._executor = AutoExecutor(
            folder,
            cluster=self._cluster,
            slurm_max_num_timeout=_TIMEOUTS,
            local_max_num_timeout=_TIMEOUTS,
        )
        try:
            self._executor.update_parameters(**self._parameters)
        except (AssertionError, NameError, ValueError) as fault:
            first = str(fault).splitlines()[0]
            raise BadSettingError(
                VARIABLE, first, "see the parameters of submitit's AutoExecutor"
            ) from fault

    def run(self, tasks: Sequence[FoldTask]) -> Iterator[Message]:
        """Train folds and yield their events; `check` comes first."""
        assert self._spool is not None
        if tasks:
            yield from RemoteRun(self, self._spool, tasks).run()

    def close(self) -> None:
        """Remove the pickled jobs; their output stays."""
        if self._spool is not None:
            self._spool.remove()
        if self._executor is not None:
            for path in Path(self._executor.folder).glob("*.pkl"):
                path.unlink(missing_ok=True)

    # -- what a RemoteRun asks -------------------------------------------------

    def room(self) -> int:
        """Return how many folds may be queued: an array of Slurm's usual limit."""
        return 1000

    def submit(self, jobs: Sequence[FoldJob]) -> Sequence[Job]:
        """Queue folds as one array of jobs."""
        assert self._executor is not None
        folds = [ResumableFold(job.task, job.spool, job.attempts) for job in jobs]
        return [_SlurmJob(job) for job in self._executor.submit_array(folds)]

    def fault(self, message: str) -> EngineError:
        """Return the fault for a node that sees no folder."""
        return EngineError(
            "--engine slurm",
            f"a job: {message}",
            "put run and cache (HEP2_CACHE) on a file system that nodes share",
        )


class _SlurmJob:
    """A job of an array; see `training.runs.engines.remote.Job`."""

    def __init__(self, job: SubmititJob[Message]) -> None:
        self._job = job

    def done(self) -> bool:
        return bool(self._job.done())

    def outcome(self) -> Message:
        try:
            event: Message = self._job.result()
        except UncompletedJobError:
            how = f"{self._job.state}, see {self._job.paths.stderr}"
            return {"kind": "died", "message": how}
        return event

    def cancel(self) -> None:
        self._job.cancel(check=False)


def parse_parameters(text: str) -> dict[str, Any]:
    """Return ``NAME=VALUE,NAME=VALUE`` as a dictionary; digits become numbers.

    Raises
    ------
    BadSettingError
        If a part has no ``=``.
    """
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise BadSettingError(
                f"{VARIABLE}={text}", f"{part!r} has no '='", "write NAME=VALUE"
            )
        found[name] = _number(value)
    return found


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
