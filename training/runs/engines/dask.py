"""Folds on a Dask cluster that anyone has started.

Workers get a fold's row numbers and settings over the network, nothing else: they map
the packed cells from the shared file system and write the fold's folder there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, Worker
from distributed.security import Security

from training.errors import EngineError
from training.runs.engines.base import FoldTask, Message, own_versions
from training.runs.engines.remote import Job, RemoteRun
from training.runs.engines.spool import FoldJob, Spool, what_is_unseen

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer, and the first worker to be there."""

GPU = "GPU"
"""The resource that a worker with a GPU offers, one for each."""

_SPARE = 2
"""Folds given to the cluster for each that it can train: none waits for the next."""


@dataclass(frozen=True)
class View:
    """Report of a worker on itself.

    Attributes
    ----------
    threads
        How many folds it would train at once on its CPU.
    gpus
        How many of the resource `GPU` it offers.
    versions
        Of the packages that decide numbers, as text.
    unseen
        The sentence for a folder that it does not see, or nothing.
    """

    threads: int
    gpus: int
    versions: str
    unseen: str


class DaskEngine:
    """A Dask cluster; see `training.runs.engines.base.Engine`.

    Parameters
    ----------
    word
        ``dask://HOST:PORT`` of its scheduler.
    device
        ``cuda`` takes the workers that offer the resource `GPU`, ``cpu`` any, ``auto``
        the first where there are some: folds of one run never mix devices.
    workers
        How many folds train at once; 0 takes all that the cluster can.
    seconds
        How long to wait for scheduler and worker.

    Raises
    ------
    EngineError
        If nobody answers, or the workers have other versions or no GPU.
    """

    def __init__(
        self,
        word: str,
        device: str = "auto",
        workers: int = 0,
        seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._word = word
        self._limit = workers
        self._spool: Spool | None = None
        self._client = self._connect(seconds)
        try:
            views = self._ask()
            self._check_versions(views)
            gpus = sum(view.gpus for view in views.values())
            if device == "cuda" and not gpus:
                raise self._fault(
                    "no worker offers a GPU",
                    'start them with --nthreads 1 --resources "GPU=1"',
                )
            self._device = "cuda" if gpus and device != "cpu" else "cpu"
            threads = sum(view.threads for view in views.values())
        except EngineError:
            self.close()
            raise
        slots = gpus if self._device == "cuda" else threads
        self.workers = min(workers or slots, slots)

    def check(self, run: Path, cells: Path) -> None:
        """Ask every worker whether it sees the run folder and the packed cells.

        Raises
        ------
        EngineError
            If one does not.
        """
        self._spool = Spool(run)
        for address, view in self._ask(self._spool.path, cells.absolute()).items():
            if view.unseen:
                raise self._unseen(f"worker {address}: {view.unseen}")

    def run(self, tasks: Sequence[FoldTask]) -> Iterator[Message]:
        """Train folds and yield their events; `check` comes first."""
        assert self._spool is not None
        if tasks:
            own = [replace(task, device=self._device) for task in tasks]
            yield from RemoteRun(self, self._spool, own).run()

    def close(self) -> None:
        """Leave the cluster as it was found."""
        if self._spool is not None:
            self._spool.remove()
        self._client.close(timeout=2)

    # -- what a RemoteRun asks -------------------------------------------------

    def room(self) -> int:
        """Return how many folds the cluster may hold, those that wait included."""
        if self._limit:
            return self._limit
        if not self.alive():
            raise self.lost()
        return max(1, _SPARE * sum(self._client.nthreads().values()))

    def submit(self, jobs: Sequence[FoldJob]) -> Sequence[Job]:
        """Give folds to the scheduler, one future each."""
        if not self.alive():
            raise self.lost()
        resources = {GPU: 1} if self._device == "cuda" else None
        return [
            _DaskJob(
                self._client.submit(
                    job,
                    key=f"hep2-fold-{job.task.folder.name}-{job.spool.name}-{id(job)}",
                    resources=resources,
                    pure=False,
                ),
                self,
            )
            for job in jobs
        ]

    def fault(self, message: str) -> EngineError:
        """Return the fault for a worker that came later and sees no folder."""
        return self._unseen(f"a worker: {message}")

    def alive(self) -> bool:
        """Return whether the scheduler is there."""
        return bool(self._client.status == "running")

    def lost(self) -> EngineError:
        """Return the fault for a scheduler that went away."""
        return self._fault("the scheduler has gone", "start it, then: hep2 resume RUN")

    # -- the cluster -----------------------------------------------------------

    def _connect(self, seconds: float) -> Client:
        place = self._word.removeprefix("dask://").rstrip("/")
        address = ("tcp://" if _is_loopback(place) else "tls://") + place
        try:
            client = Client(
                address,
                timeout=seconds,
                set_as_default=False,
                name="napari-hep2",
                security=self._security(address),
            )
        except (OSError, TimeoutError) as fault:
            raise self._fault(
                "no scheduler answers there", "start one with: dask scheduler"
            ) from fault
        try:
            client.wait_for_workers(1, timeout=seconds)
        except TimeoutError as fault:
            client.close(timeout=2)
            raise self._fault(
                "the scheduler has no worker",
                f"start one with: dask worker {address} --nthreads 1",
            ) from fault
        return client

    def _security(self, address: str) -> Security | None:
        """Return the certificates of Dask's own settings; the loopback needs none.

        Client and scheduler exchange pickles, which are code: who is at the other end
        must be proved.
        """
        if address.startswith("tcp://"):
            return None
        found = Security(require_encryption=True)
        needed = (found.tls_ca_file, found.tls_client_cert, found.tls_client_key)
        if not all(needed):
            raise self._fault(
                "it is another machine, and Dask is given no certificates",
                "set them as docs/deploy.md shows, or use a scheduler on 127.0.0.1",
            )
        return found

    def _ask(
        self, spool: Path | None = None, cells: Path | None = None
    ) -> dict[str, View]:
        """Return what every worker says of itself, by its address."""
        found = self._client.run(look, spool, cells, on_error="return")
        for address, view in found.items():
            if not isinstance(view, View):
                raise self._fault(
                    f"worker {address} cannot train ({view})",
                    f"install napari-hep2 {version('napari-hep2')} there",
                )
        return found

    def _check_versions(self, views: dict[str, View]) -> None:
        own = own_versions()
        for address, view in views.items():
            if view.versions != own:
                raise self._fault(
                    f"worker {address} has {view.versions}, this process {own}",
                    "install the same versions",
                )

    def _unseen(self, message: str) -> EngineError:
        return self._fault(
            message,
            "put run and cache (HEP2_CACHE) on a file system that workers share",
        )

    def _fault(self, fault: str, remedy: str) -> EngineError:
        return EngineError(f"--engine {self._word}", fault, remedy)


class _DaskJob:
    """A future; see `training.runs.engines.remote.Job`."""

    def __init__(self, future: Future, engine: DaskEngine) -> None:
        self._future = future
        self._engine = engine

    def done(self) -> bool:
        return self._future.status != "pending" or not self._engine.alive()

    def outcome(self) -> Message:
        status = self._future.status
        if status in ("lost", "pending") and self._engine.alive():
            # Its worker died when it had trained the fold, and not told so yet.
            return {"kind": "died", "message": "killed"}
        if status in ("cancelled", "lost", "pending"):
            raise self._engine.lost()
        if status == "finished":
            event: Message = self._future.result()
            return event
        fault = self._future.exception()
        if isinstance(fault, KilledWorker):
            return {"kind": "died", "message": "killed"}
        return {"kind": "died", "message": f"{type(fault).__name__}: {fault}"}

    def cancel(self) -> None:
        if self._engine.alive():
            self._future.cancel()


def _is_loopback(place: str) -> bool:
    """Return whether HOST:PORT is an address of this machine alone."""
    host = place.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def look(spool: Path | None, cells: Path | None, dask_worker: Worker) -> View:
    """Return what this worker is, and what it does not see."""
    offered: dict[str, Any] = dask_worker.state.total_resources
    unseen = ""
    if spool is not None and cells is not None:
        unseen = what_is_unseen(spool, cells)
        if not unseen and not spool.is_dir():
            unseen = f"it does not see the run folder {spool.parent.parent}"
    return View(
        dask_worker.state.nthreads, int(offered.get(GPU, 0)), own_versions(), unseen
    )
