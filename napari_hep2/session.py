"""The one session of a viewer, which all its widgets share."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.classify.controllers.specimen_answer import SayingController
from napari_hep2.classify.controllers.verdict import VerdictController
from napari_hep2.classify.controllers.why import WhyController
from napari_hep2.classify.controllers.worklist import WorklistController
from napari_hep2.classify.state import SayingState, WhyState, WorklistState
from napari_hep2.closing import ClosedWindow, main_window_of
from napari_hep2.common.reviewer_field import ask_reviewer
from napari_hep2.jobs import Job
from napari_hep2.live.controller import LiveController
from napari_hep2.live.lane import LiveLane
from napari_hep2.remembered import (
    remember,
    remember_folder,
    remembered,
    remembered_crops,
    remembered_model,
)
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.near_copies import CopiesController
from napari_hep2.review.controllers.quality import QualityController
from napari_hep2.review.controllers.runs import ExperimentsController
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.specimen.controllers.mask_clicks import MaskClicks
from napari_hep2.specimen.controllers.mask_tool import (
    KEYS,
    MendingDesk,
    MendingTool,
    napari_key,
)
from napari_hep2.specimen.controllers.masks import MendingController
from napari_hep2.specimen.controllers.nuclei import PreviewController
from napari_hep2.state import UNNAMED, SessionState
from napari_hep2.viewer.layers import LayerLink
from napari_hep2.viewer.lines import LinesLayer
from napari_hep2.workers import Queue, Runner
from training.data.cells.folder import is_cell_folder
from training.inference.kept import KeptFrames

if TYPE_CHECKING:
    from training.data.layouts import Collection

_PATTERN_KEYS = 6
_PREVIEW, _PREVIEW_COLOUR = "preview of nuclei", "#56b4e9"


class ViewerSession:
    """State, verbs, worker and layers of one viewer.

    Parameters
    ----------
    viewer
        A real napari viewer, not a proxy; only a weak reference is kept.

    Attributes
    ----------
    cell_clicked
        Gives the id of a cell whose box was clicked in the viewer.
    """

    cell_clicked: ClassVar[Signal] = Signal(str)

    def __init__(self, viewer: Any) -> None:
        self._window: ClosedWindow | None = None
        self._asked = False
        self.state = SessionState(
            reviewer=remembered("reviewer", UNNAMED),
            model=remembered_model(),
            extraction=remembered_crops(),
        )
        kept = KeptFrames()
        self.specimen = SpecimenController(self.state, kept)
        self.review = ReviewController(
            self.state, start=self.start, is_signed=self.is_signed
        )
        self.quality = QualityController(self.state, self.review)
        self.copies = CopiesController(self.state, self.review)
        self.experiments = ExperimentsController(self.state, self.review)
        self.live = LiveController(self.state, self.experiments.show_doubt)
        self.live_lane = LiveLane(self.live)
        self.classify = ClassifyController(self.state, kept)
        self.verdict = VerdictController(self.state)
        self.why = WhyController(self.state, self.classify, self.verdict, WhyState())
        self.worklist = WorklistController(
            self.state, self.specimen, WorklistState(), kept
        )
        self.saying = SayingController(self.state, SayingState(), self.is_signed)
        self.worklist.found.events.rows.connect(self.classify.show_kept)
        self.saying.found.events.sayings.connect(self.worklist.take_decisions)
        self.runner = Runner(self.state)
        self.strokes = Queue(self.state)
        self.link = LayerLink(
            weakref.proxy(viewer), self.state, self._clicked, self._canvas_keys()
        )
        self.mending = MendingController(
            self.state,
            self.specimen,
            self.link.mask,
            self.review.select_cell,
            self.review.retake,
            self.is_signed,
            self.strokes.add,
        )
        self.clicks = MaskClicks(weakref.proxy(viewer), self.link, self.mending)
        self.previews = Queue(self.state)
        self.preview = PreviewController(
            self.state, self.link.part_in_view, self.previews.add
        )
        self.previews.failed.connect(self.preview.failed)
        self._outlines = LinesLayer(weakref.proxy(viewer), _PREVIEW, _PREVIEW_COLOUR)
        self.preview.changed.connect(self._preview_changed)
        self.tool = MendingTool(
            weakref.proxy(viewer), self.link, self.mending.follow, self.state.tell
        )
        self.desk = MendingDesk(self.link, self.mending, self.tool, self.start)
        self.link.mask.painted.connect(self.mending.edited)
        self.mending.changed.connect(self._mask_changed)
        self.state.events.cells.connect(self._frame_opened)
        self.state.events.model.connect(self._keep_model)
        self.state.events.collection.connect(self._keep_folder)
        for names in (self.state.events.specimen, self.state.events.pattern):
            names.connect(self._names_changed)

    def start(self, job: Job | None) -> bool:
        """Give a job to the worker; return whether it was taken."""
        return self.runner.start(job)

    def open_path(self, path: Path) -> None:
        """Open what was dropped: a cell folder, a folder of specimens, or a frame."""
        if is_cell_folder(path):
            self.start(self.review.open_cell_folder(path))
        else:
            self.start(self.specimen.open_path(path))

    def is_signed(self) -> bool:
        """Return whether a reviewer signs; at the first decision in a window, ask."""
        if self.state.reviewer != UNNAMED or self._asked or self._window is None:
            return True
        name = ask_reviewer(self._window.parent())
        self._asked = bool(name)
        self.name_reviewer(name)
        return self._asked

    def name_reviewer(self, name: str) -> None:
        """Go on under a name that the user gave, and remember it."""
        self.review.decision_session.set_reviewer(name)
        if name.strip():
            remember("reviewer", name.strip())

    def _keep_model(self, model: Path | None) -> None:
        remember("model", str(model or ""))

    def _keep_folder(self, collection: Collection | None) -> None:
        if collection is not None:
            remember_folder(collection.root)

    def live_beside(self, widget: QWidget) -> None:
        """End with the main window of a widget, once one stands in one."""
        window = main_window_of(widget)
        if self._window is None and window is not None:
            self._window = ClosedWindow(window, self._end)

    def _end(self) -> None:
        """Leave the result of what runs aside: nothing is there to draw it in."""
        self.runner.cancel()
        self.live_lane.cancel()
        self.strokes.cancel()
        self.previews.cancel()
        self.clicks.close()
        self.link.close()

    def _frame_opened(self) -> None:
        """Review the open frame's cells, unless a cell folder is under review."""
        self.mending.frame_opened()
        if self.state.cells is None:
            return
        review = self.state.review
        if review is None or not review.is_folder:
            self.review.review_frame()
        self.classify.show_kept()
        if self.worklist.wants_scores() and self.state.prediction is None:
            self.start(self.classify.classify())

    def _mask_changed(self) -> None:
        if self.mending.painted is not None:
            self.link.mask.show(self.mending.painted)
            self.desk.bind_keys()

    def _preview_changed(self) -> None:
        if len(self.preview.lines):
            width = 2 * self.link.line_width()
            self._outlines.show(self.preview.lines, self.link.base, width)
        else:
            self._outlines.hide()

    def _names_changed(self) -> None:
        cells, review = self.state.cells, self.state.review
        if cells is not None and review is not None and not review.is_folder:
            self.review.review_frame()

    def _canvas_keys(self) -> dict[str, Callable[[], None]]:
        """Return the keys that act from the canvas: decisions, and mask edits."""
        verbs = self.review.decisions
        relabel = {str(k + 1): partial(verbs.relabel, k) for k in range(_PATTERN_KEYS)}
        reject = dict.fromkeys(("Delete", "Backspace", "R"), verbs.reject)
        keys: dict[str, Callable[[], None]] = {
            "A": verbs.accept,
            **reject,
            **relabel,
        }
        found: dict[str, Callable[[], None]] = {
            key: partial(self._decide, verb) for key, verb in keys.items()
        }
        edits = {napari_key(KEYS[verb]): verb for verb in ("apply", "undo", "redo")}
        edits |= {"Control-Z": "undo", "Control-Shift-Z": "redo"}
        found |= {key: partial(self._edit, verb) for key, verb in edits.items()}
        return found

    def _edit(self, verb: str) -> None:
        self.desk.do(verb)

    def _decide(self, verb: Callable[[], None]) -> None:
        """Decide on the current cell if its box is in the viewer."""
        if self.link.current_row() is None:
            self.state.complain("Click the box of a cell that is under review first.")
            return
        verb()
        if not self.state.fault:
            self.state.tell(f"{self.review.state.saved.capitalize()}.")

    def _clicked(self, cell: str) -> None:
        self.review.select_cell(cell)
        self.cell_clicked.emit(cell)


_sessions: weakref.WeakKeyDictionary[Any, ViewerSession] = weakref.WeakKeyDictionary()


def session_of(viewer: Any) -> ViewerSession:
    """Return the session of a viewer or of napari's proxy of it; made on first use."""
    real = getattr(viewer, "__wrapped__", viewer)
    session = _sessions.get(real)
    if session is None:
        session = _sessions[real] = ViewerSession(real)
    return session
