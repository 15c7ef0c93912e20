"""Verbs between review and experiment: runs whose labels changed, what they teach.

Each is a command as well, which the window shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.label_errors import SUSPICION, LabelQueue
from napari_hep2.review.controllers.run_words import (
    accepted_text,
    rescored_text,
    stale_text,
)
from napari_hep2.state import SessionState
from training.config.commands import command_line
from training.curation.ordering import Sort
from training.data.cells.folder import read_cell_folder
from training.decisions.applied import ReviewManifest, review_cells

if TYPE_CHECKING:
    from training.runs.staleness import Staleness


@dataclass
class RunDesk:
    """The runs at hand and what was last found out about them.

    Attributes
    ----------
    folder
        Where runs were looked for last, or None.
    runs
        What later decisions did to each run found there.
    chosen
        Rows of `runs` that verbs act on.
    answer
        What the last verb found out, in sentences.
    command
        The command that finds out the same, or an empty string.
    """

    folder: Path | None = None
    runs: tuple[Staleness, ...] = ()
    chosen: tuple[int, ...] = ()
    answer: str = ""
    command: str = ""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


class ExperimentsController:
    """Queries to finished runs while their cells are under review.

    Parameters
    ----------
    session
        Read and written, in the window's thread alone.
    review
        Sorts and selects.

    Attributes
    ----------
    desk
        The model that the panel shows.
    queue
        Brings scores of runs and models to the cells under review.
    """

    def __init__(self, session: SessionState, review: ReviewController) -> None:
        self._session, self._review = session, review
        self.desk = RunDesk()
        self.queue = LabelQueue(session, review.state, self.show_first)

    # -- scores

    def scores_job(self, run: Path) -> Job | None:
        """Sort the cells under review by how far a finished run doubts their label."""
        self._say("", command_line("label-errors", run))
        return self.queue.load_job(run) if self._has_cells() else None

    def views_job(self) -> Job | None:
        """Sort by how far the model of *Classify* differs over the eight views."""
        session, review = self._session, self._session.review
        self._say("", "")
        if not self._has_model() or review is None or session.model is None:
            return None
        if review.is_folder and review.store is not None:
            device = session.device if session.device != "auto" else None
            self.desk.command = command_line(
                "views", review.store, model=session.model, device=device
            )
        return self.queue.views_job(session.model, session.device)

    def score_all_job(self) -> Job | None:
        """Score all cells by the model of *Classify*, and sort by its doubt."""
        session = self._session
        self._say("", "")
        if not self._has_model() or session.model is None:
            return None
        return self.queue.scores_job(session.model, session.device)

    def _has_model(self) -> bool:
        if not self._has_cells():
            return False
        if self._session.model is None:
            self._session.complain("No model is chosen: choose one in Classify.")
        return self._session.model is not None

    def _has_cells(self) -> bool:
        if self._session.review is None:
            self._session.complain("Open cells to review first.")
        return self._session.review is not None

    def show_first(self, sort: Sort) -> Job | None:
        """Sort, with the cell to look at first as the current one."""
        review = self._review
        if review.state.descending:
            review.order.set_descending(False)
        following = review.order.set_sort(sort)
        shown = review.state.shown
        if len(shown):
            review.navigation.select(int(shown[0]))
        return following

    def show_doubt(self, doubt: npt.NDArray[np.float64]) -> Job | None:
        """Sort by how far each label is doubted, (N,) in 0..1; the most comes first."""
        state = self._review.state
        state.measures = {**state.measures, SUSPICION: doubt}
        return self.show_first("suspicion")

    # -- runs

    def stale_job(self, folder: Path) -> Job:
        """Find the runs in a folder, and which of them rest on labels of the past."""
        self._say("", command_line("stale", folder))

        def work() -> Work[tuple[Staleness, ...]]:
            from training.runs.search import find_runs, find_stale_runs

            yield Progress(f"looking into {folder.name}")
            found = []
            for share, one in find_stale_runs(find_runs(folder)):
                found.append(one)
                yield Progress(f"read {Path(one.run).name}", share)
            return tuple(found)

        def done(found: tuple[Staleness, ...]) -> None:
            desk = self.desk
            desk.chosen = ()
            desk.folder, desk.runs = folder, found
            stale = sum(one.state in ("stale", "recut") for one in found)
            unknown = sum(one.state == "unknown" for one in found)
            text = f"{stale} of {len(found)} runs in {folder.name} are stale"
            text += f", {unknown} could not be checked." if unknown else "."
            self._session.tell(text)
            if len(found) == 1:
                self.choose([0])

        return Job("Looking for stale runs", work, done)

    def choose(self, rows: Sequence[int]) -> None:
        """Select rows of the found runs for the following actions."""
        self.desk.chosen = tuple(sorted(rows))
        self.desk.answer = ""

    def chosen_runs(self) -> list[Path]:
        """Return the folders of the runs that are chosen, in order."""
        return [Path(self.desk.runs[k].run) for k in self.desk.chosen]

    def details(self) -> str:
        """Return what changed in the selected run, fold by fold."""
        if len(self.desk.chosen) != 1:
            return ""
        return stale_text(self.desk.runs[self.desk.chosen[0]], self._session.blind)

    def rescore_job(self, run: Path) -> Job:
        """Measure a run's held-out cells by the decisions of today."""
        self._say("", command_line("rescore", run))

        def work() -> Work[str]:
            from training.runs import staleness
            from training.runs.folder import RunFolder

            yield Progress(f"reading {run.name}")
            _, content = staleness.rescore(RunFolder.open(run))
            return rescored_text(run.name, content)

        return Job("Rescoring", work, self._answered)

    def curve_job(
        self, runs: Sequence[Path], out: Path, show: Callable[[Path], None]
    ) -> Job:
        """Compare the gain from more specimens with that from more cells.

        Parameters
        ----------
        runs
            Runs, or folders of runs.
        out
            Folder of the page.
        show
            Called with the page.
        """
        self._say("", command_line("learning-curve", *runs, out=out))

        def work() -> Work[tuple[Path, str]]:
            from training.runs.search import find_runs
            from training.studies.curve_page import write_curves
            from training.studies.learning_curves import study_measured
            from training.studies.measured_runs import measured_run

            yield Progress("looking for the runs")
            opened = [run for path in runs for run in find_runs(path)]
            measured = []
            for number, run in enumerate(opened):
                yield Progress(f"reading {run.path.name}", number / len(opened))
                measured.append(measured_run(run))
            yield Progress("fitting both curves")
            study = study_measured(measured)
            page = write_curves(out, study)
            return page, f"{study.sentence()} {study.comparison()}".strip()

        def done(found: tuple[Path, str]) -> None:
            page, sentence = found
            self._answered(sentence)
            self._session.tell(f"{page} written.")
            show(page)

        return Job("Drawing learning curves", work, done)

    # -- the accepted cells

    def accepted_job(self, hand_over: Callable[[Path], None]) -> Job | None:
        """Give the folder under review to the trainer, for its accepted cells only.

        Parameters
        ----------
        hand_over
            Called with the folder.
        """
        session, folder = self._session, self.folder()
        self._say("", "")
        if folder is None:
            session.complain(
                "A run reads decisions from a cell folder: open one with Cell folder…."
            )
            return None
        if session.store is not None and session.store.resolve() != folder.resolve():
            session.complain(
                f"The decisions lie in {session.store.name}, where a run on "
                f"{folder.name} does not look: store them in the cell folder itself."
            )
            return None
        self.desk.command = command_line(
            "run",
            "set-1",
            data=folder,
            out="RUN",
            changed={"reviewed": "accepted"},
        )

        def work() -> Work[ReviewManifest]:
            yield Progress(f"counting the decisions in {folder.name}")
            return review_cells(
                folder, read_cell_folder(folder).table, "accepted"
            ).manifest

        def done(manifest: ReviewManifest) -> None:
            if not manifest.used:
                session.complain(f"Nobody has accepted a cell of {folder.name} yet.")
                return
            hand_over(folder)
            self._answered(accepted_text(folder.name, manifest))

        return Job("Counting the accepted cells", work, done)

    def folder(self) -> Path | None:
        """Return the cell folder under review, or None: it is a frame or nothing."""
        review = self._session.review
        return review.store if review is not None and review.is_folder else None

    # -- the desk

    def _answered(self, text: str) -> None:
        self.desk.answer = text
        self._session.tell("")

    def _say(self, answer: str, words: str) -> None:
        self.desk.answer, self.desk.command = answer, words
