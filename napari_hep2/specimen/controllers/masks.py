"""Verbs on the mask of the open frame: split, add, remove, merge, apply, undo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_hep2.jobs import Job, Progress, Work, run_here
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.specimen.controllers.recut import recutting
from napari_hep2.state import UNSIGNED, SessionState
from training.curation.review_set import frame_ids
from training.errors import BadMaskError, Hep2Error

if TYPE_CHECKING:
    from training.curation.review_set import ReviewSet
    from training.data.cells.extraction import FrameCells
    from training.data.layouts import Frame
    from training.data.masks.changes import LabelChange
    from training.data.masks.editing import Points, Stroke
    from training.data.masks.history import MendHistory
    from training.data.masks.history_writer import MendWriter
    from training.data.masks.segmentation import NucleusFinder

Painted = npt.NDArray[Any]


class Canvas(Protocol):
    """Where the user sees the mask as it is painted."""

    @property
    def labels(self) -> Painted | None:
        """The mask of the open frame as it is shown, (H, W) int, or None."""

    def paint(self, stroke: Stroke) -> None:
        """Set the pixels of a stroke."""

    def undo(self) -> None:
        """Take back the last stroke."""

    def redo(self) -> None:
        """Do the last stroke again that was taken back."""


_NO_FOLDER = "Open a folder of specimens first: edited masks are stored beside it."
_OTHER_SINCE = (
    "Strokes from before another frame was open cannot be taken back one by one: "
    "Discard takes back all of them."
)
_UNAPPLIED = "Apply or discard the painted changes first."


@dataclass(frozen=True)
class _Mended:
    """Result of a mask-edit job."""

    history: MendHistory
    cells: FrameCells
    text: str
    new: tuple[int, ...] = ()
    review: ReviewSet | None = None


class MendingController:
    """Edits of the mask of the open frame.

    What is painted is a draft until it is applied. A draft is kept while other frames
    are open, not over a restart; what was applied is on the disk.

    Parameters
    ----------
    state
        Read, and written through `specimen`.
    specimen
        Cuts and shows the cells anew.
    canvas
        Sets the pixels of a stroke where the user sees them, and takes strokes back.
        Without it they are set in `painted`.
    on_cell
        Takes the id of the first new cell.
    on_recut
        Takes the cell folder under review after its cells of the frame were cut anew;
        without it the folder is left as it is.
    is_signed
        Returns whether an edit has a name to stand under; it may ask for one.
    run
        Takes the jobs that find the pixels of strokes, one after the other.

    Attributes
    ----------
    painted : (H, W) int or None
        The mask as it is painted now.
    history
        Of the open frame, or None where it cannot be mended.
    changed
        Emitted when any of this has changed.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        state: SessionState,
        specimen: SpecimenController,
        canvas: Canvas | None = None,
        on_cell: Callable[[str], None] | None = None,
        on_recut: Callable[[ReviewSet], None] | None = None,
        is_signed: Callable[[], bool] = lambda: True,
        run: Callable[[Job], object] = run_here,
    ) -> None:
        self._state, self._specimen = state, specimen
        self._canvas, self._on_cell, self._run = canvas, on_cell, run
        self._on_recut, self._is_signed = on_recut, is_signed
        self._drafts: dict[Path, tuple[Painted, list[str]]] = {}
        self._said: list[str] = []
        self._undone: list[str] = []
        self._finder: NucleusFinder | None = None
        self._pending = self._is_heard = False
        self._fault = _NO_FOLDER
        self.painted: Painted | None = None
        self.history: MendHistory | None = None

    # -- what is open

    def frame_opened(self) -> None:
        """Load the mask of the frame that was opened, or its draft."""
        self._load(None if self._canvas is None else self._canvas.labels)

    def _load(self, shown: Painted | None) -> None:
        """Begin with the mask that is shown already, or with a copy of the frame's."""
        cells, frame = self._state.cells, self._frame()
        self.painted, self.history, self._said = None, None, []
        self._undone, self._finder, self._fault = [], None, _NO_FOLDER
        if cells is not None and frame is not None:
            self._open(cells, frame, shown)
        self._pending = self._is_painted()
        self.changed.emit()

    def _open(self, cells: FrameCells, frame: Frame, shown: Painted | None) -> None:
        from training.data.masks.history import read_mends

        draft, said = self._drafts.get(frame.image, (None, []))
        fits = draft is not None and draft.shape == cells.labels.shape
        self.painted = draft if fits else shown
        if self.painted is None:
            self.painted = cells.labels.copy()
        self._said = said if fits else []
        try:
            self.history = read_mends(self._root(), frame.name)
        except BadMaskError as fault:
            self._fault = str(fault)

    def _frame(self) -> Frame | None:
        """Return the open frame as the folder holds it, or None."""
        cells, frame = self._state.cells, self._state.open_frame
        if cells is None or frame is None or cells.frame.name != frame.name:
            return None
        return frame

    def _root(self) -> Path:
        collection = self._state.collection
        if collection is None:
            raise LookupError("no folder is open")
        return collection.root

    @property
    def pending(self) -> bool:
        """Return whether there are painted changes that are not applied yet."""
        return self._pending

    def _is_painted(self) -> bool:
        cells = self._state.cells
        if cells is None or self.painted is None:
            return False
        return not np.array_equal(cells.labels, self.painted)

    def status(self) -> str:
        """Return a sentence on which mask is shown and what was painted."""
        cells, history = self._state.cells, self.history
        if cells is None or history is None:
            return self._fault
        if self._pending:
            return "Painted, not applied yet."
        standing = history.standing
        if standing is None or cells.frame.mended is None:
            made = (
                "was made from the image" if cells.mask_made else "came with the data"
            )
            return f"The mask {made}."
        return f"Edited by {standing.who}: {standing.what}."

    # -- strokes

    def begin(self) -> bool:
        """Return whether the open frame's mask can be edited; complain if not."""
        if self.history is None or self.painted is None:
            self._state.complain(self._fault)
            return False
        return True

    def edited(self, painted: Painted) -> None:
        """Note that the user painted on the mask."""
        frame = self._frame()
        if self.painted is None or frame is None:
            return
        if painted.shape == self.painted.shape:
            self.painted = painted
        self._pending = self._is_painted()
        self._is_heard = True
        if self._pending:
            self._drafts[frame.image] = (self.painted, self._said)
        else:
            self._drafts.pop(frame.image, None)
            self._said = []
        self.changed.emit()

    def _forget(self, frame: Frame) -> None:
        self._drafts.pop(frame.image, None)
        self._said, self._undone = [], []

    def split(self, path: Points) -> None:
        """Split a nucleus by a line: the current one, or the one it meets most."""
        from training.data.masks.editing import split_nucleus

        chosen = self.chosen()
        preferred = chosen[0] if len(chosen) == 1 else None
        self._stroke(lambda painted: split_nucleus(painted, path, preferred))

    def add(self, place: Sequence[float]) -> None:
        """Add the nucleus at a place (y, x) in pixels."""
        from training.data.masks.editing import add_nucleus

        cells = self._state.cells
        if cells is not None:
            finder, area = self._finder_of(cells), self._usual_area()
            settings = self._state.segmentation
            self._stroke(
                lambda painted: add_nucleus(finder, painted, place, area, settings)
            )

    def _finder_of(self, cells: FrameCells) -> NucleusFinder:
        from training.data.masks.segmentation import NucleusFinder

        if self._finder is None:
            self._finder = NucleusFinder(cells.image)
        return self._finder

    def remove(self, labels: Collection[int] | None = None) -> None:
        """Remove nuclei: these, or the selected cells."""
        from training.data.masks.editing import remove_nuclei

        chosen = self.chosen() if labels is None else labels
        self._stroke(lambda painted: remove_nuclei(painted, chosen))

    def remove_at(self, place: Sequence[float]) -> None:
        """Remove the nucleus at a place (y, x) in pixels."""
        from training.data.masks.editing import nucleus_at, remove_nuclei

        self._stroke(
            lambda painted: remove_nuclei(painted, [nucleus_at(painted, place)])
        )

    def merge(self, labels: Collection[int] | None = None) -> None:
        """Make one nucleus of several: of these, or of the selected cells."""
        from training.data.masks.editing import merge_nuclei

        chosen, area = self.chosen() if labels is None else labels, self._usual_area()
        self._stroke(lambda painted: merge_nuclei(painted, chosen, area))

    def merge_at(self, place: Sequence[float]) -> None:
        """Merge the nucleus at a place (y, x) with the other one nearest to it."""
        from training.data.masks.editing import merge_nuclei, nearest_pair

        area = self._usual_area()
        self._stroke(
            lambda painted: merge_nuclei(
                painted, nearest_pair(painted, place, area), area
            )
        )

    def follow(self, tool: str, path: Points) -> None:
        """Do what a tool does to the nuclei under a path, or under a click."""
        from training.data.masks.editing import nuclei_along

        if tool == "split":
            self.split(path)
        elif tool == "add":
            self.add(path[-1])
        elif self.painted is not None and tool in ("remove", "merge"):
            labels = nuclei_along(self.painted, path)
            (self.remove if tool == "remove" else self.merge)(labels)

    def chosen(self) -> list[int]:
        """Return the labels of the selected cells that lie in the open frame."""
        state, cells = self._state, self._state.cells
        if cells is None or state.review is None:
            return []
        labels = cells.cells.table["label"].tolist()
        own = frame_ids(state.review, cells.frame.name, labels)
        known = dict(zip(own, labels, strict=True))
        ids = [str(state.review.ids[row]) for row in state.selected]
        return [known[one] for one in ids if one in known]

    def _usual_area(self) -> float:
        cells = self._state.cells
        return 0.0 if cells is None else float(cells.cells.table["area"].median())

    def _stroke(self, make: Callable[[Painted], Stroke]) -> None:
        """Find the pixels of a stroke in a worker, and paint them."""
        painted = self.painted
        if not self.begin() or painted is None:
            return

        def work() -> Work[Stroke | Hep2Error]:
            yield Progress("editing the mask")
            try:
                return make(painted)
            except Hep2Error as fault:
                return fault

        def done(made: Stroke | Hep2Error) -> None:
            # Another frame may have been opened since.
            if self.painted is painted:
                self._take(made)

        self._run(Job("Editing the mask", work, done))

    def _take(self, made: Stroke | Hep2Error) -> None:
        if isinstance(made, Hep2Error):
            self._state.complain(f"{made.fault}; {made.remedy}.".capitalize())
            return
        self._said.append(made.text)
        self._undone = []
        if self._canvas is not None:
            self._canvas.paint(made)
        elif self.painted is not None:
            self.painted[made.where] = made.values
            self.edited(self.painted)
        self._state.tell(f"{made.text}: not applied yet.".capitalize())

    def take_back(self) -> None:
        """Take back the last stroke, once those that are asked for are painted."""

        def work() -> Work[None]:
            yield Progress("editing the mask")

        self._run(Job("Editing the mask", work, lambda _: self.undo()))

    # -- states of the mask

    def discard(self) -> None:
        """Discard the painted changes."""
        cells, frame = self._state.cells, self._frame()
        if cells is None or frame is None or not self._pending:
            return
        self._forget(frame)
        self._load(None)
        self._state.tell("The painted changes were discarded.")

    def apply(self) -> Job | None:
        """Save what was painted and cut the cells anew; only those touched change."""
        cells, frame, painted = self._state.cells, self._frame(), self.painted
        if not self.begin() or cells is None or frame is None or painted is None:
            return None
        if not self._pending:
            self._state.complain("Nothing was painted: paint, split or add first.")
            return None
        before, drawn = cells.labels, painted.copy()
        what = "; ".join(dict.fromkeys(self._said)) or "painted"

        def work(writer: MendWriter, history: MendHistory) -> _Saved:
            from training.data.masks.changes import settle_labels

            change = settle_labels(before, drawn, history.highest)
            if not change:
                return history, None
            return writer.save(history, change, what), change

        return self._job("Editing the mask", work)

    @property
    def can_redo(self) -> bool:
        """Return whether a stroke or an applied edit can be done again."""
        history = None if self._pending else self.history
        return bool(self._undone) or (
            history is not None and history.next_redo is not None
        )

    def undo(self) -> Job | None:
        """Take back the last stroke; without one, the last mask edit of this frame.

        That may be one from before a restart.
        """
        if not self._pending or self._canvas is None:
            return self._travel(lambda writer, history: writer.undo(history))
        said, self._is_heard = self._said, False
        self._canvas.undo()
        if not self._is_heard:
            self._state.complain(_OTHER_SINCE)
            return None
        self._undone.append(said.pop() if said else "painted")
        self._state.tell("The last stroke was taken back.")
        self.changed.emit()
        return None

    def redo(self) -> Job | None:
        """Do again what `undo` took back last."""
        if not self._undone or self._canvas is None:
            return self._travel(lambda writer, history: writer.redo(history))
        text = self._undone.pop()
        self._canvas.redo()
        self._said.append(text)
        self._state.tell(f"{text}: not applied yet.".capitalize())
        self.changed.emit()
        return None

    def original(self) -> Job | None:
        """Go back to the mask that came with the data; an undo takes this back."""
        history = self.history
        if history is not None and history.standing is None:
            self._state.tell("The mask is the original one.")
            return None
        return self._travel(lambda writer, history: writer.original(history))

    def _travel(
        self, turn: Callable[[MendWriter, MendHistory], MendHistory]
    ) -> Job | None:
        if not self.begin():
            return None
        if self._pending:
            self._state.complain(_UNAPPLIED)
            return None

        return self._job(
            "Changing the mask", lambda writer, history: (turn(writer, history), None)
        )

    def _job(
        self, title: str, change: Callable[[MendWriter, MendHistory], _Saved]
    ) -> Job | None:
        if not self._is_signed():
            self._state.complain(UNSIGNED)
            return None
        frame, history, root = self._frame(), self.history, self._root()
        who, state = self._state.reviewer, self._state
        review = state.review if self._on_recut is not None else None
        recut = recutting(review, state.collection)
        assert frame is not None
        assert history is not None

        def work() -> Work[_Mended | None]:
            from training.data.masks.history_writer import MendWriter

            yield Progress("saving")
            after, made = change(MendWriter(root, frame, who), history)
            if after is history:
                return None
            cells = yield from self._specimen.cutting(frame, root)
            found, told = yield from recut(frame.name)
            text, new = _sentence(after, made), () if made is None else made.new
            return _Mended(after, cells, f"{text}{told}", new, found)

        def done(mended: _Mended | None) -> None:
            if mended is None:
                state.tell("Nothing has changed.")
                return
            self._forget(frame)
            self._specimen.show_again(mended.cells)
            self.history = mended.history
            if mended.review is not None and self._on_recut is not None:
                self._on_recut(mended.review)
            self._choose(frame.name, mended.new)
            if not state.fault:
                state.tell(mended.text)
            self.changed.emit()

        return Job(title, work, done, protected=True)

    def _choose(self, frame: str, new: tuple[int, ...]) -> None:
        if new and self._on_cell is not None:
            self._on_cell(frame_ids(self._state.review, frame, new[:1])[0])


_Saved = tuple["MendHistory", "LabelChange | None"]


def _sentence(history: MendHistory, change: LabelChange | None) -> str:
    last = history.steps[-1]
    if change is not None:
        new, gone = len(change.new), len(change.gone)
        counts = [(new, "new"), (gone, "gone")]
        told = " and ".join(f"{n} {word}" for n, word in counts if n)
        return f"Saved: {last.what}. Of its cells {told}, the others unchanged."
    if last.kind == "mend":
        return "Saved: the original mask is back; Undo restores the edited one."
    verb = "Undone" if last.kind == "undo" else "Done again"
    return f"{verb} and saved: {last.what}."
