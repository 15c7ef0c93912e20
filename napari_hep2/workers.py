"""The only threads of the plugin: a job's generator is drained in one of them.

A worker never touches the state. What it yields and returns comes back through Qt's
signals, which the window's thread receives.

Workers have a pool of their own. Qt converts large images in its global pool and waits
for that with Python's lock held: where workers filled that pool and waited for the
lock, the window would stand still for ever.
"""

from __future__ import annotations

import atexit
import logging
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QThreadPool
from superqt.utils import GeneratorWorker

from napari_hep2.jobs import Job, Lane, Progress, Work
from training.errors import Hep2Error

_log = logging.getLogger(__name__)

_POOL = "napari-hep2 workers"

_THREADS = 8
"""Most workers at once: one is shown, those that were cancelled end at their step."""

_LAST_WAIT = 10_000
"""Milliseconds that the application waits for workers when it quits."""


class Runner(QObject):
    """Runs one job at a time and shows it.

    A new job takes the place of the one that runs, whose result is then left aside;
    a protected job is finished, or cancelled, first.

    Parameters
    ----------
    state
        Its `busy` and `progress` are written, and it is told of faults.
    pool
        Where jobs run; None takes the application's.
    """

    def __init__(
        self,
        state: Lane,
        parent: QObject | None = None,
        pool: WorkerPool | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._worker: GeneratorWorker | None = None
        self._job: Job | None = None
        self._pool = worker_pool() if pool is None else pool

    def start(self, job: Job | None) -> None:
        """Run a job; None, as verbs give where there is nothing to do, is ignored."""
        if job is None:
            return
        if self._job is not None and self._job.protected:
            self._state.complain(
                f"{self._job.title} is not finished: wait for it, or cancel it."
            )
            return
        self.cancel()
        self._begin(job)

    def cancel(self) -> None:
        """Stop the job that runs at its next step and leave its result aside."""
        if self._worker is not None:
            self._disconnect(self._worker)
            self._worker.quit()
        self._ended()

    @property
    def is_running(self) -> bool:
        """Return whether a job runs."""
        return self._worker is not None

    def _begin(self, job: Job) -> None:
        worker = GeneratorWorker(_generator, job)
        for signal, slot in self._wires(worker):
            signal.connect(slot)
        self._worker, self._job = worker, job
        self._state.progress = None
        self._state.busy = job.title
        self._pool.begin(worker)

    def _wires(self, worker: GeneratorWorker) -> list[tuple[Any, Any]]:
        return [
            (worker.yielded, self._yielded),
            (worker.returned, self._returned),
            (worker.errored, self._errored),
        ]

    def _disconnect(self, worker: GeneratorWorker) -> None:
        for signal, slot in self._wires(worker):
            signal.disconnect(slot)

    def _ended(self) -> None:
        self._worker, self._job = None, None
        self._state.busy = ""
        self._state.progress = None

    def _yielded(self, progress: Progress) -> None:
        if self._job is not None:
            self._state.busy = f"{self._job.title}: {progress.text}"
            self._state.progress = progress.share

    def _returned(self, result: Any) -> None:
        job = self._job
        self._ended()
        if job is None:
            return
        try:
            following = job.done(result)
        except Exception as fault:  # noqa: BLE001 - said in the window, and logged
            self._complain(job.title, fault)
            return
        if following is not None:
            self._begin(following)

    def _errored(self, fault: Exception) -> None:
        title = self._job.title if self._job else "The work"
        self._ended()
        self._complain(title, fault)

    def _complain(self, title: str, fault: Exception) -> None:
        if isinstance(fault, Hep2Error):
            self._state.complain(fault)
            return
        _log.error("%s failed", title, exc_info=fault)
        kind = type(fault).__name__
        self._state.complain(
            f"{title} failed unexpectedly ({kind}: {fault}); see the log. Nothing "
            "that was saved is lost."
        )


class WorkerPool(QThreadPool):
    """The workers of all sessions of an application.

    It is the application's: a window that ends must not wait for a worker. When the
    application quits, or Python ends without that, all that run are asked to stop at
    their next step and waited for.
    """

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self.setObjectName(_POOL)
        self.setMaxThreadCount(_THREADS)
        self._alive: set[GeneratorWorker] = set()
        application.aboutToQuit.connect(self.end)

    def begin(self, worker: GeneratorWorker) -> None:
        """Run a worker, and hold it until it has finished."""
        self._alive.add(worker)
        worker.finished.connect(partial(self._alive.discard, worker))
        self.start(worker)

    def end(self) -> None:
        """Ask all workers to stop and wait for them."""
        for worker in tuple(self._alive):
            worker.quit()
        self.waitForDone(_LAST_WAIT)


def worker_pool() -> WorkerPool:
    """Return the pool of the application, and make it the first time."""
    application = QCoreApplication.instance()
    found = application.findChild(QThreadPool, _POOL)
    return WorkerPool(application) if found is None else found


@atexit.register
def _end_with_python() -> None:
    """End the pool where Qt is torn down without its loop ever having been left."""
    application = QCoreApplication.instance()
    if application is not None:
        found = application.findChild(QThreadPool, _POOL)
        if found is not None:
            found.end()


def _generator(job: Job) -> Work[Any]:
    result = yield from job.work()
    return result
