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
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QThreadPool, Signal
from superqt.utils import GeneratorWorker

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.notices import LONG, notify
from napari_hep2.state import SessionState
from napari_hep2.warming import take_units, warm_up
from training.errors import Hep2Error

_log = logging.getLogger(__name__)

_POOL = "napari-hep2 workers"

_THREADS = 8
"""Most workers at once: two are shown, those that were cancelled end at their step."""

_LAST_WAIT = 10_000
"""Milliseconds that the application waits for workers when it quits."""


class Lane(QObject):
    """Runs one job at a time, and those that follow it; a new one takes its place.

    Parameters
    ----------
    holds
        Whether the lane says that a job is over only once its result was taken, so
        that nothing is seen between.

    Attributes
    ----------
    changed
        Says that a job began or went on, or is over.
    ended
        Says that the lane is empty, and the last result taken.
    failed
        Gives a job and its fault.
    job
        The one that runs, or None.
    progress
        What it said last, or None.
    """

    changed = Signal()
    ended = Signal()
    failed = Signal(object, object)

    def __init__(self, pool: WorkerPool, parent: QObject, holds: bool) -> None:
        super().__init__(parent)
        self._pool, self._holds = pool, holds
        self._worker: GeneratorWorker | None = None
        self.job: Job | None = None
        self.progress: Progress | None = None

    def begin(self, job: Job) -> None:
        """Run a job; the result of the one that runs is left aside."""
        self._let_go()
        worker = GeneratorWorker(_generator, job)
        for signal, slot in self._wires(worker):
            signal.connect(slot)
        self._worker, self.job, self.progress = worker, job, None
        self.changed.emit()
        self._pool.begin(worker)

    def cancel(self) -> None:
        """Stop the job that runs at its next step and leave its result aside."""
        if self.job is not None:
            self._let_go()
            self.changed.emit()

    def _let_go(self) -> None:
        if self._worker is not None:
            for signal, slot in self._wires(self._worker):
                signal.disconnect(slot)
            self._worker.quit()
        self._worker = self.job = self.progress = None

    def _wires(self, worker: GeneratorWorker) -> list[tuple[Any, Any]]:
        return [
            (worker.yielded, self._yielded),
            (worker.returned, self._returned),
            (worker.errored, self._errored),
        ]

    def _yielded(self, progress: Progress) -> None:
        self.progress = progress
        if self.job is not None:
            self.job.show(progress)
        self.changed.emit()

    def _returned(self, result: Any) -> None:
        job, self._worker, self.job = self.job, None, None
        if not self._holds:
            self.changed.emit()
        try:
            following = None if job is None else job.done(result)
        except Exception as fault:  # noqa: BLE001 - said in the window, and logged
            following = None
            self.failed.emit(job, fault)
        if self.job is None:
            if following is None:
                self._end()
            else:
                self.begin(following)

    def _errored(self, fault: Exception) -> None:
        job, self._worker, self.job = self.job, None, None
        self.failed.emit(job, fault)
        self._end()

    def _end(self) -> None:
        self.changed.emit()
        self.ended.emit()


class Queue(QObject):
    """Runs jobs one after the other, each to its end, and shows none of them.

    Parameters
    ----------
    state
        Its `fault` is written.

    Attributes
    ----------
    failed
        Says that a job failed.
    """

    failed = Signal()

    def __init__(self, state: SessionState, pool: WorkerPool | None = None) -> None:
        super().__init__()
        self._state, self._waiting = state, deque[Job]()
        pool = worker_pool() if pool is None else pool
        self._lane = Lane(pool, self, holds=False)
        self._lane.failed.connect(self._complain)
        self._lane.ended.connect(self._go_on)

    @property
    def is_running(self) -> bool:
        """Return whether a job runs."""
        return self._lane.job is not None

    def add(self, job: Job | None) -> None:
        """Run a job once those before it are over; None is ignored."""
        if job is not None:
            self._waiting.append(job)
            self._go_on()

    def cancel(self) -> None:
        """Leave aside what runs and what waits."""
        self._waiting.clear()
        self._lane.cancel()

    def _go_on(self) -> None:
        if self._waiting and not self.is_running:
            self._lane.begin(self._waiting.popleft())

    def _complain(self, job: Job | None, fault: Exception) -> None:
        self._state.complain(fault_words(job, fault))
        self.failed.emit()


class Runner(QObject):
    """Runs the jobs of a session and shows them in the state.

    There are two lanes: one for what is opened, one for the rest. A new job takes the
    place of the one that runs, whose result is then left aside; a protected job is
    finished, or cancelled, first. Something can be opened beside a job that is `apart`.

    Parameters
    ----------
    state
        Its `busy`, `opening`, `progress` and `fault` are written.
    pool
        Where jobs run; None takes the application's.
    clock
        Monotonic seconds, by which a job is long, and its end is notified.
    """

    def __init__(
        self,
        state: SessionState,
        parent: QObject | None = None,
        pool: WorkerPool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._state = state
        pool = worker_pool() if pool is None else pool
        self._work = Lane(pool, self, holds=False)
        self._opening = Lane(pool, self, holds=True)
        self._waiting: Job | None = None
        self._clock, self._since = clock, 0.0
        for lane in (self._work, self._opening):
            lane.changed.connect(self._show)
            lane.failed.connect(self._complain)
        self._work.ended.connect(self._go_on)

    def start(self, job: Job | None) -> bool:
        """Run a job; None, as verbs give where there is nothing to do, is ignored.

        Returns
        -------
        taken
            Whether it runs, or waits.
        """
        if job is None:
            return False
        running = self._work.job
        if running is not None and running.protected:
            if job.waits:
                self._waiting = job
                return True
            if not (job.opens and running.apart):
                self._state.complain(
                    f"{running.title} is not finished: wait for it, or cancel it."
                )
                return False
        if job.opens:
            if running is not None and not running.apart:
                self._work.cancel()
            self._opening.begin(job)
        else:
            if not job.apart:
                self._opening.cancel()
            self._since = self._clock()
            self._work.begin(job)
        return True

    def cancel(self) -> None:
        """Stop what runs at its next step and leave its result aside."""
        self._waiting = None
        for lane in (self._work, self._opening):
            job = lane.job
            lane.cancel()
            if job is not None and job.cancelled is not None:
                job.cancelled()

    @property
    def is_running(self) -> bool:
        """Return whether a job runs."""
        return self._work.job is not None or self._opening.job is not None

    def _show(self) -> None:
        state, job, progress = self._state, self._work.job, self._work.progress
        text = "" if job is None else job.title
        if job is not None and progress is not None:
            text = f"{text}: {progress.text}"
        opened = self._opening.job
        shown = self._opening.progress if job is None else progress
        state.busy, state.progress = text, None if shown is None else shown.share
        state.opening = "" if opened is None else opened.opens

    def _go_on(self) -> None:
        """Notify the end of a long job, and begin what waited for a protected one."""
        state = self._state
        said = state.fault or state.message
        if said and self._clock() - self._since >= LONG:
            notify(said, bool(state.fault))
        waiting, self._waiting = self._waiting, None
        self.start(waiting)

    def _complain(self, job: Job | None, fault: Exception) -> None:
        self._state.complain(fault_words(job, fault))


def fault_words(job: Job | None, fault: Exception) -> str:
    """Return what the user is told of a fault; one that was not foreseen is logged."""
    title = job.title if job else "The work"
    if isinstance(fault, Hep2Error):
        return str(fault)
    _log.error("%s failed", title, exc_info=fault)
    kind = type(fault).__name__
    return (
        f"{title} failed unexpectedly ({kind}: {fault}); see the log. Nothing that was "
        "saved is lost."
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
        self._is_warm = False
        application.aboutToQuit.connect(self.end)

    def begin(self, worker: GeneratorWorker) -> None:
        """Run a worker, and hold it until it has finished."""
        self._alive.add(worker)
        worker.finished.connect(partial(self._alive.discard, worker))
        self.start(worker)

    def warm(self) -> None:
        """Load what opening needs, once for the application."""
        if not self._is_warm:
            self._is_warm = True
            worker = GeneratorWorker(warm_up)
            worker.returned.connect(take_units)
            self.begin(worker)

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
