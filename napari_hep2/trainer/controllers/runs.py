"""Verbs on the runs of a folder: list, choose, compare, report.

Each is a command as well, which `RunsController.command` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.trainer.state import RunPair, RunsState
from training.config.commands import command_line
from training.errors import BadRunError
from training.runs.folder import EVENTS, RunFolder

if TYPE_CHECKING:
    from training.runs.summary import RunSummary


class RunsController:
    """Lists the runs of a folder, compares two, writes reports.

    Parameters
    ----------
    state
        Read and written, in the window's thread alone.
    """

    def __init__(self, state: RunsState) -> None:
        self.state = state
        self._following: Path | None = None
        self._finished: dict[Path, tuple[int, RunSummary]] = {}

    def list_job(self, folder: Path) -> Job:
        """List the runs in a folder, the newest first; the choice stays.

        Of a run folder, the runs beside it are listed.
        """
        folder = folder.parent if RunFolder.is_at(folder) else folder

        def work() -> Work[tuple[RunSummary, ...]]:
            from training.runs.search import find_runs
            from training.runs.summary import newest_first

            yield Progress(f"looking into {folder.name}")
            try:
                runs = find_runs(folder)
            except BadRunError:  # none yet: the list is empty
                runs = []
            found = []
            for number, run in enumerate(runs, 1):
                found.append(self._summary(run))
                yield Progress(f"read {run.path.name}", number / len(runs))
            return tuple(newest_first(found))

        def done(runs: tuple[RunSummary, ...]) -> Job | None:
            chosen = [run.path for run in self.state.chosen]
            self.state.folder, self.state.runs = folder, runs
            if not chosen and self._following is not None:
                chosen = [self._following]
            return self.choose(chosen)

        return Job("Reading the runs", work, done)

    def _summary(self, run: RunFolder) -> RunSummary:
        """Return a run in one line; a finished one is read once, until it goes on."""
        from training.runs.summary import summarise_run

        events = run.path / EVENTS
        size = events.stat().st_size if events.is_file() else 0
        known_size, known = self._finished.get(run.path, (-1, None))
        if known is not None and known_size == size:
            return known
        found = summarise_run(run)
        if found.is_finished:
            self._finished[run.path] = size, found
        return found

    def follow(self, run: Path) -> Job | None:
        """Choose the run that is shown, as soon as it is in the list."""
        self._following = run
        return self.choose([run])

    def choose(self, paths: Sequence[Path]) -> Job | None:
        """Choose runs of the list; two finished ones are compared."""
        chosen = tuple(run for run in self.state.runs if run.path in set(paths))
        if chosen == self.state.chosen:
            return None
        self.state.pair, self.state.chosen = None, chosen
        return self._compare_job() if len(self.state.finished) == 2 else None

    def _compare_job(self) -> Job:
        first, second = map(RunFolder, self.state.finished)

        def work() -> Work[RunPair]:
            from training.runs.figures import compare_runs, load_metrics

            yield Progress(f"{first.path.name} and {second.path.name}")
            difference = compare_runs(first, second)
            one, patterns = load_metrics(first)
            other, _ = load_metrics(second)
            names = first.path.name, second.path.name
            return RunPair(*names, difference, (one, other), tuple(patterns))

        def done(pair: RunPair) -> None:
            if self.state.finished == [first.path, second.path]:
                self.state.pair = pair

        return Job("Comparing runs", work, done)

    def report_job(self, show: Callable[[Path], None]) -> Job | None:
        """Write the report of each chosen run; None where one is not finished.

        Parameters
        ----------
        show
            Called with each page.
        """
        runs = self.state.finished

        def work() -> Work[list[Path]]:
            from training.reports.run_report import write_report

            pages = []
            for number, run in enumerate(runs):
                yield Progress(f"report of {run.name}", number / len(runs))
                pages.append(write_report(RunFolder(run)))
            return pages

        def done(pages: list[Path]) -> None:
            for page in pages:
                show(page)

        return Job("Writing reports", work, done) if runs else None

    def command(self) -> str:
        """Return the command that shows the same as the list and its choice."""
        if self.state.finished:
            return command_line("report", *self.state.finished)
        return command_line("runs", self.state.folder) if self.state.folder else ""
