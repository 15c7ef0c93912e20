"""The worker of *Live LOSO*, which all panels of a window share."""

from __future__ import annotations

from qtpy.QtCore import QObject

from napari_hep2.jobs import Job
from napari_hep2.live.controller import LiveController
from napari_hep2.workers import Lane, fault_words, worker_pool


class LiveLane(QObject):
    """Does what the figures need, beside all other work, and says so on the desk.

    Parameters
    ----------
    live
        Says what comes next; its desk is written.
    """

    def __init__(self, live: LiveController) -> None:
        super().__init__()
        self._live = live
        self._lane = Lane(worker_pool(), self, holds=False)
        self._lane.changed.connect(self._show)
        self._lane.failed.connect(self._failed)

    def follow(self) -> None:
        """Begin what has to be done now, if anything."""
        job = self._live.next_job()
        if job is not None:
            self._lane.begin(job)

    def cancel(self) -> None:
        """Leave the result of what is done aside."""
        self._lane.cancel()

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is done."""
        return self._lane.job is None

    def _show(self) -> None:
        job, progress, desk = self._lane.job, self._lane.progress, self._live.desk
        desk.busy = "" if job is None else job.title
        if job is not None and progress is not None:
            desk.busy = f"{job.title}: {progress.text}"
        desk.progress = None if progress is None else progress.share

    def _failed(self, job: Job | None, fault: Exception) -> None:
        self._live.desk.fault = fault_words(job, fault)
