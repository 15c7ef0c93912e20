"""Verbs on reports: of the open specimen, and of a folder as a worklist."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from psygnal import Signal

from napari_hep2.classify.state import WorklistState
from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.state import SessionState
from training.config.commands import shown_line
from training.decisions.specimens import has_decisions
from training.inference.kept import KeptFrames, model_key

if TYPE_CHECKING:
    from training.decisions.model import Decision
    from training.reports.specimens.plans import ReportRequest

PAGE = "worklist.html"
_REPORT = "report.html"


class Opener(Protocol):
    """Opens what a row of the worklist names."""

    def open_frame(self, specimen: int, frame: int = 0) -> Job:
        """Return the job that opens a frame of the open folder, by number."""

    def open_folder(self, folder: Path, frame: str | None = None) -> Job:
        """Return the job that opens a folder at one of its frames."""


class WorklistController:
    """Writes reports in a worker and shows the specimens by doubt as they are done.

    Parameters
    ----------
    state
        Read; sentences are written.
    specimen
        Opens a specimen of the worklist.
    found
        Written.
    kept
        Frames that were cut and scored before.

    Attributes
    ----------
    written
        Gives the page of a report that was asked for alone.
    """

    written: ClassVar[Signal] = Signal(Path)

    def __init__(
        self,
        state: SessionState,
        specimen: Opener,
        found: WorklistState,
        kept: KeptFrames | None = None,
    ) -> None:
        self._kept, self._asked = kept or KeptFrames(), ""
        self._state, self._specimen, self.found = state, specimen, found
        self._arrived: deque[dict[str, Any]] = deque()
        state.events.busy.connect(self._take_arrived)

    # -- what is chosen

    def choose_folder(self, folder: Path) -> None:
        """Select the specimens of another folder."""
        if folder != self.found.folder:
            self._forget()
            self.found.folder = folder

    def choose_out(self, out: Path) -> None:
        """Write reports into another folder."""
        if out != self.found.out:
            self._forget()
            self.found.out = out

    def _forget(self) -> None:
        # What a cancelled worker still finishes goes to a queue that nobody reads.
        self._arrived = deque()
        self.found.rows, self.found.total, self.found.is_whole = (), 0, False

    def take_open_folder(self) -> None:
        """Select the open folder if none is selected yet."""
        if self.found.folder is None and self._state.collection is not None:
            self.choose_folder(self._state.collection.root)

    def command(self) -> str:
        """Return the command that writes the same worklist, or '' without a folder."""
        if self.found.folder is None or self._state.model is None:
            return ""
        return shown_line(self._request(self.found.folder).words)

    def _request(self, folder: Path, only: tuple[str, ...] = ()) -> ReportRequest:
        from training.reports.specimens.plans import ReportRequest

        state, model = self._state, self._state.model
        assert model is not None
        return ReportRequest(
            folder,
            model,
            self.found.out or Path("OUT"),
            only,
            self._decisions(folder),
            device=state.device,
            extraction=state.extraction,
            segmentation=state.segmentation,
        )

    def _decisions(self, folder: Path) -> Path | None:
        """Return where the decisions on the open folder are kept if not inside it."""
        state = self._state
        root = state.collection.root if state.collection is not None else None
        store = state.store
        if folder != root or store is None or store == root:
            return None
        return store if has_decisions(store) else None

    # -- the worklist

    def run(self) -> Job | None:
        """Report every specimen of the folder; what is done already is not repeated."""
        found, state = self.found, self._state
        if found.folder is None or found.out is None:
            state.complain("Choose the folder of specimens and one for the reports.")
            return None
        if state.model is None:
            state.complain("Choose a model file first.")
            return None
        self._forget()
        request, arrived = self._request(found.folder), self._arrived

        def work() -> Work[dict[str, Any]]:
            content = yield from _reporting(request, arrived, self._kept)
            return content

        def done(content: dict[str, Any]) -> None:
            self._arrived.clear()
            found.rows = tuple(content["specimens"])
            found.is_whole = True
            faults = content["faults"]
            text = (
                f"{len(found.rows)} specimens reported, {content['with_verdict']} with "
                "a verdict."
            )
            if faults:
                state.complain(f"{text} {faults} frames could not be read.")
            else:
                state.tell(text)

        return Job("Worklist", work, done, protected=True, apart=True)

    def _take_arrived(self) -> None:
        """Show what the worker has done; in the window's thread, at its news."""
        new = []
        while self._arrived:
            new.append(self._arrived.popleft())
        if new:
            from training.reports.specimens.worklist import rank

            self.found.total = new[-1]["of"]
            self.found.rows = tuple(rank([*self.found.rows, *new]))

    def open_row(self) -> str:
        """Return the specimen of the worklist that is open, or ''."""
        state, folder = self._state, self.found.folder
        is_here = state.collection is not None and state.collection.root == folder
        return state.specimen if is_here and state.cells is not None else ""

    def take_decisions(self, decisions: Sequence[Decision]) -> None:
        """Bring the row of the open specimen up to what reviewers say of it now."""
        from training.reports.specimens.reviews import told_sayings

        name, told = self.open_row(), told_sayings(list(decisions))
        rows = self.found.rows
        if any(one["specimen"] == name != "" for one in rows):
            self.found.rows = tuple(
                {**one, "specimen_decisions": told} if one["specimen"] == name else one
                for one in rows
            )

    def wants_scores(self) -> bool:
        """Return, once, whether the open specimen was opened by its row."""
        asked, self._asked = self._asked, ""
        return bool(asked) and asked == self.open_row()

    def open_specimen(self, name: str) -> Job | None:
        """Show a specimen of the worklist in the viewer."""
        collection, folder = self._state.collection, self.found.folder
        self._asked = name
        if collection is not None and collection.root == folder:
            for place, one in enumerate(collection.specimens):
                if one.id == name:
                    return self._specimen.open_frame(place)
        return None if folder is None else self._opening(folder, name)

    def _opening(self, folder: Path, name: str) -> Job:
        from training.data.layouts import Collection, read_collection

        def work() -> Work[Collection]:
            yield Progress(f"reading {folder.name}")
            return read_collection(folder)

        def done(collection: Collection) -> Job | None:
            for one in collection.specimens:
                if one.id == name and one.frames:
                    return self._specimen.open_folder(folder, one.frames[0].name)
            self._state.complain(f"{folder.name} no longer has the specimen {name}.")
            return None

        return Job("Opening the folder", work, done, opens=f"specimen {name}")

    def page(self, name: str = "") -> Path | None:
        """Return the page of a specimen, or of the worklist; None where there is none.

        Parameters
        ----------
        name
            Id of the specimen; the worklist itself if not given.
        """
        out = self.found.out
        if out is None:
            return None
        path = out / PAGE
        if name:
            rows = [row for row in self.found.rows if row["specimen"] == name]
            path = out / rows[0]["folder"] / _REPORT if rows else out / _REPORT
        return path if path.is_file() else None

    # -- the open specimen

    def report(self) -> Job | None:
        """Write the report of the open specimen; `written` then gives its page."""
        state, out = self._state, self.found.out
        collection, specimen = state.collection, state.open_specimen
        if collection is None or specimen is None:
            state.complain(
                "Open a folder of specimens first: a report covers all frames of one."
            )
            return None
        if state.model is None or out is None:
            state.complain("Choose a model file, and a folder for the report, first.")
            return None
        request = self._request(collection.root, (specimen.id,))

        def work() -> Work[dict[str, Any]]:
            content = yield from _reporting(request, deque(), self._kept)
            return content

        def done(content: dict[str, Any]) -> None:
            rows = {row["specimen"]: row for row in content["specimens"]}
            page = out / rows[specimen.id]["folder"] / _REPORT
            state.tell(f"The report of specimen {specimen.id} is written: {page}")
            self.written.emit(page)

        return Job("Report", work, done, protected=True, apart=True)

    def report_command(self) -> str:
        """Return the command that writes the open specimen's report, or ''."""
        collection, specimen = self._state.collection, self._state.open_specimen
        if collection is None or specimen is None or self._state.model is None:
            return ""
        words = self._request(collection.root).words
        return shown_line([*words, "--only", specimen.id])


def _reporting(
    request: ReportRequest, arrived: deque[dict[str, Any]], kept: KeptFrames
) -> Work[dict[str, Any]]:
    """Write the reports of a request and the worklist; each row goes to `arrived`."""
    from training.reports.specimens.plans import plan_reports
    from training.reports.specimens.stream import finish_worklist, report_specimens

    yield Progress("loading the model")
    plan, _ = plan_reports(request)
    scorer = kept.scorer(plan.model, model_key(request.model, request.device))
    plan = replace(plan, cut=kept.cut, scorer=scorer)
    steps, total = [], len(plan.chosen)
    with plan.lock():
        for step in report_specimens(plan):
            steps.append(step)
            arrived.append({**step.row, "of": total})
            yield Progress(f"{len(steps)} of {total} specimens", len(steps) / total)
        yield Progress("writing the worklist", 1.0)
        return finish_worklist(plan, steps)
