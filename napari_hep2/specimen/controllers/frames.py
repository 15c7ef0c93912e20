"""Verbs on the open specimen: open, go on, extract, set the pattern, write cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.state import FramePicture, SessionState
from training.config import ExtractionSettings, SegmentationSettings, Settings
from training.config.commands import command_line
from training.data.layouts import Frame, Specimen
from training.errors import BadLayoutError
from training.inference.kept import KeptFrames

if TYPE_CHECKING:
    from napari_hep2.viewer.layer_arrays import ImageLayer, LabelsLayer
    from training.data.cells.extraction import CutStep, FrameCells
    from training.data.layouts import Collection
    from training.steps import Steps

T = TypeVar("T")

_LARGE = 4_000_000
"""Pixels from which the picture is shown before the cells in any case."""


@dataclass(frozen=True)
class CellCount:
    """Counts of the cells extracted from a frame.

    Attributes
    ----------
    kept, total
        Number of cells kept and of nuclei found.
    dropped
        Number of cells dropped for each reason code, most frequent first.
    flagged
        Number of kept cells that carry each flag, most frequent first.
    area : (3,) float64 or None
        10th, 50th and 90th percentile of the kept nuclei's area in pixels.
    """

    kept: int
    total: int
    dropped: dict[str, int]
    flagged: dict[str, int]
    area: npt.NDArray[np.float64] | None


def count_cells(cells: FrameCells) -> CellCount:
    """Count kept and dropped cells, flags and sizes of a frame."""
    table = cells.cells.table
    kept = table[table["dropped"] == ""]
    flags = Counter(flag for text in kept["flags"] for flag in text.split(";") if flag)
    reasons = Counter(table.loc[table["dropped"] != "", "dropped"])
    area = np.percentile(kept["area"], (10, 50, 90)) if len(kept) else None
    return CellCount(
        len(kept),
        len(table),
        dict(reasons.most_common()),
        dict(flags.most_common()),
        area,
    )


class SpecimenController:
    """Actions on folders, specimens and frames.

    Parameters
    ----------
    state
        Read and written.
    kept
        Frames that were cut before.
    """

    def __init__(self, state: SessionState, kept: KeptFrames | None = None) -> None:
        self._state, self._kept = state, kept or KeptFrames()
        self._read: Callable[[], Arrays] | None = None

    def open_folder(self, folder: Path, frame: str | None = None) -> Job:
        """Open a folder of specimens and its first frame, or the one named."""

        def work() -> Work[Collection]:
            from training.data.layouts import read_collection

            yield Progress(f"reading {folder.name}")
            return read_collection(folder)

        def done(collection: Collection) -> Job | None:
            return self._opened(collection, frame)

        return Job("Opening the folder", work, done, opens=folder.name)

    def open_path(self, path: Path) -> Job:
        """Open a folder of specimens, or that of a frame at this frame."""

        def work() -> Work[tuple[Path, str | None]]:
            from napari_hep2.reader import frame_at

            yield Progress(f"looking for the specimens of {path.name}")
            return frame_at(path)

        def done(found: tuple[Path, str | None]) -> Job:
            return self.open_folder(*found)

        return Job("Opening the folder", work, done, opens=path.name)

    def _opened(self, collection: Collection, frame: str | None) -> Job | None:
        if not collection.specimens:
            raise BadLayoutError(
                collection.root,
                "it contains cells that are already cut, not specimen frames",
                "give it to the LOSO trainer, or open a folder of whole frames",
            )
        state = self._state
        state.cells = state.picture = self._read = None
        state.position = (0, 0)
        state.collection = collection
        found = " ".join((f"{collection.census}.", *collection.notes))
        state.tell(found)
        return self.open_frame(*self._position_of(frame), found=found)

    def _position_of(self, frame: str | None) -> tuple[int, int]:
        for position in self._positions():
            if self._frame_at(position).name == frame:
                return position
        return (0, 0)

    def _positions(self) -> list[tuple[int, int]]:
        collection = self._state.collection
        specimens = collection.specimens if collection else ()
        return [(i, k) for i, s in enumerate(specimens) for k in range(len(s.frames))]

    def _specimen_at(self, position: tuple[int, int]) -> Specimen:
        collection = self._state.collection
        if collection is None:
            raise LookupError("no folder is open")
        return collection.specimens[position[0]]

    def _frame_at(self, position: tuple[int, int]) -> Frame:
        return self._specimen_at(position).frames[position[1]]

    def open_frame(self, specimen: int, frame: int = 0, *, found: str = "") -> Job:
        """Read a frame of the open collection and extract its cells.

        The picture is shown as soon as it is read, where cutting it takes long. What
        was `found` in the folder stays on the screen with it.
        """
        position = (specimen, frame)
        wanted, root = self._frame_at(position), self._root()
        owner = self._specimen_at(position)

        def seen(picture: FramePicture) -> None:
            self._state.position = position
            self._read = None
            self._name(owner)
            self._state.cells = None
            self._state.picture = picture

        def done(cells: FrameCells) -> None:
            self._state.position = position
            self._read = None
            self._name(self._specimen_at(position))
            self._show(cells, found)

        return Job(
            "Extracting cells",
            lambda: self.cutting(wanted, root),
            done,
            opens=f"specimen {owner.id}",
            seen=seen,
            cancelled=self._cancelled,
        )

    def _cancelled(self) -> None:
        """Tell what is open after the user cancelled an opening."""
        state = self._state
        if state.picture is None:
            state.tell("Cancelled: what is open is as it was.")
        else:
            state.tell(
                "Cancelled: the picture is shown without its cells. Find nuclei, in "
                "Specimen, looks for them."
            )

    def _root(self) -> Path | None:
        collection = self._state.collection
        return None if collection is None else collection.root

    def cutting(self, frame: Frame, root: Path | None) -> Work[FrameCells]:
        """Cut the cells of a frame, with its mended mask where one stands in `root`."""
        from training.data.layouts.edited_masks import edited_frame

        yield Progress("reading the frame")
        found = frame if root is None else edited_frame(frame, root)
        settings = self._state.extraction, self._state.segmentation
        cells = yield from as_progress(self._kept.cutting(found, *settings), found)
        # The window's thread need not look through the pixels for it.
        _ = cells.limits
        return cells

    def show_again(self, cells: FrameCells) -> None:
        """Show the open frame with its cells cut anew."""
        self._state.prediction = None
        self._show(cells)

    def _name(self, owner: Specimen) -> None:
        """Take the names of a specimen that opens; nothing is predicted of it yet.

        Who listens to them must not take them for those of the frame before.
        """
        state = self._state
        state.prediction = None
        with state.events.specimen.blocked(), state.events.pattern.blocked():
            state.specimen, state.pattern = owner.id, owner.pattern

    def _show(self, cells: FrameCells, found: str = "") -> None:
        state = self._state
        state.picture = None
        state.cells = cells
        count = count_cells(cells)
        name = "The frame" if state.blind else cells.frame.name
        found = "" if state.blind else found
        text = f"{name}: {count.kept} of {count.total} cells kept"
        if cells.frame.note or cells.cells.none_kept:
            words = (text, cells.frame.note, cells.cells.none_kept)
            told = "; ".join(word for word in words if word)
            state.complain(f"{told}. {found}".rstrip())
        else:
            state.tell(f"{'; '.join((text, *cells.notes))}. {found}".rstrip())

    def use_arrays(
        self,
        name: str,
        image: npt.NDArray[Any],
        labels: npt.NDArray[Any] | None,
        source: Path | None = None,
    ) -> Job:
        """Extract the cells of an image that is already in memory.

        Parameters
        ----------
        name
            The frame's name; cell ids start with it.
        image : (H, W) uint8 or uint16
        labels : (H, W) integer or None
            0 is background; a mask is made from the image where it is None.
        source
            The image's file, where there is one.
        """
        frame = Frame(name, source or Path(name), None)
        return self._use(frame, lambda: Arrays(image, labels))

    def use_layers(
        self, image: ImageLayer, mask: LabelsLayer | None, source: Path | None = None
    ) -> Job:
        """Extract the cells of an image layer, with the mask of a labels layer.

        Parameters
        ----------
        source
            The image's file, where there is one.
        """
        name = image.plane.name
        frame = Frame(name, source or Path(name), None)
        return self._use(frame, lambda: arrays_of(image, mask))

    def _use(self, frame: Frame, read: Callable[[], Arrays]) -> Job:
        def done(cells: FrameCells) -> None:
            self._state.collection = None
            self._read = read
            self._name(Specimen(frame.name, (frame,)))
            self._show(cells)

        return Job(
            "Extracting cells",
            lambda: self._cutting(frame, read),
            done,
            opens=frame.name,
            cancelled=self._cancelled,
        )

    def _cutting(self, frame: Frame, read: Callable[[], Arrays]) -> Work[FrameCells]:
        state = self._state
        yield Progress(f"reading {frame.name}")
        return (
            yield from extraction_of_arrays(
                frame, read(), state.extraction, state.segmentation
            )
        )

    def extract_again(self) -> Job | None:
        """Extract the open frame once more, with the settings as they are now."""
        state = self._state
        if self._read is None and state.collection is not None:
            job = self.open_frame(*state.position)
            # The cells are there until others are.
            return job if state.cells is None else replace(job, seen=None)
        if state.cells is None or self._read is None:
            state.complain("Nothing is open: open a folder or pick an image first.")
            return None
        frame, read = state.cells.frame, self._read
        return Job(
            "Extracting cells",
            lambda: self._cutting(frame, read),
            self.show_again,
            opens=frame.name,
            cancelled=self._cancelled,
        )

    def fit_crops(self) -> Job | None:
        """Extract again with crops that the nuclei of the open frame fit."""
        state = self._state
        fit = state.cells.cells.fit if state.cells is not None else None
        if fit is None or fit.better_size is None:
            return None
        state.extraction = state.extraction.model_copy(update={"size": fit.better_size})
        return self.extract_again()

    def go_to_frame(self, frame: str, root: Path | None) -> Job | None:
        """Open a frame by its name: of the open folder, else of the folder `root`."""
        for position in self._positions():
            if self._frame_at(position).name == frame:
                return self.open_frame(*position)
        if root is None:
            return None
        return self.open_folder(root, frame)

    def step_frame(self, step: int) -> Job | None:
        """Open the frame `step` further on; stay where there is none."""
        positions = self._positions()
        if self._state.position not in positions:
            return None
        target = positions.index(self._state.position) + step
        if not 0 <= target < len(positions):
            return None
        return self.open_frame(*positions[target])

    def set_specimen(self, specimen: str) -> None:
        """Name the specimen of an image that came from no folder."""
        if self._state.collection is None and specimen.strip():
            self._state.specimen = specimen.strip()

    def set_pattern(self, name: str | None) -> None:
        """Set the pattern of the open specimen; None where it is not known.

        The ground truth of the folder is left as it is: cells that are reviewed or
        written from this window carry the pattern said here.
        """
        state = self._state
        if name is not None:
            name = state.vocabulary[state.vocabulary.index(name)].name
        state.pattern = name
        collection, specimen = state.collection, state.open_specimen
        if collection is None or specimen is None or specimen.pattern == name:
            return
        changed = list(collection.specimens)
        changed[state.position[0]] = replace(specimen, pattern=name)
        state.collection = replace(collection, specimens=tuple(changed))

    def set_settings(self, name: str, settings: Settings) -> None:
        """Set the settings of the next extraction: extraction or segmentation."""
        if isinstance(settings, ExtractionSettings) and name == "extraction":
            self._state.extraction = settings
        elif isinstance(settings, SegmentationSettings) and name == "segmentation":
            self._state.segmentation = settings
        else:
            raise TypeError(f"no settings {name!r} of {type(settings).__name__}")

    def write_cells(self, out: Path) -> Job | None:
        """Write the cells of the whole open collection as a cell folder."""
        state, collection = self._state, self._state.collection
        if collection is None:
            state.complain(
                "Open a folder of specimens first: the cells are cut from it."
            )
            return None

        def done(counts: tuple[int, int, list[str], list[str]]) -> None:
            kept, dropped, faults, told = counts
            text = f"{kept} cells written to {out.name}, {dropped} marked as dropped."
            text = " ".join((text, *told))
            if faults:
                state.complain(f"{text} {len(faults)} frames failed: {faults[0]}")
            else:
                state.tell(text)

        return Job(
            "Writing the cell folder",
            lambda: self._writing(collection, out),
            done,
            protected=True,
            apart=True,
        )

    def _writing(
        self, collection: Collection, out: Path
    ) -> Work[tuple[int, int, list[str], list[str]]]:
        from training.data.cells.folder import write_cell_folder
        from training.data.cells.pending import pending_decisions, pending_text

        kept = dropped = 0
        faults: list[str] = []
        told: list[str] = []
        for step in write_cell_folder(
            collection, out, self._state.extraction, self._state.segmentation
        ):
            kept, dropped = kept + step.kept, dropped + step.dropped
            faults += [str(step.fault)] if step.fault else []
            told += [f"{step.frame}: {step.note}."] if step.note else []
            yield Progress(f"{step.frame}: {kept} cells", step.done / step.total)
        waiting = pending_text(pending_decisions(out))
        return kept, dropped, faults, [*told, waiting] if waiting else told

    def command(self, out: str = "CELLS") -> str:
        """Return the command that writes the same cells, or '' without a folder."""
        collection = self._state.collection
        if collection is None:
            return ""
        changed = (self._state.extraction, self._state.segmentation)
        return command_line("extract", collection.root, out=out, changed=changed)


@dataclass(frozen=True)
class Arrays:
    """An image in memory and the mask of its nuclei.

    Attributes
    ----------
    image : (H, W) uint8 or uint16
    labels : (H, W) integer or None
        0 is background; a mask is made from the image where it is None.
    notes
        What was done to get them.
    pixel_size
        Side of a pixel in micrometres, or None where it is not known.
    """

    image: npt.NDArray[Any]
    labels: npt.NDArray[Any] | None
    notes: tuple[str, ...] = ()
    pixel_size: float | None = None


def arrays_of(image: ImageLayer, mask: LabelsLayer | None) -> Arrays:
    """Read layers; this may take long.

    Raises
    ------
    BadImageError, BadMaskError
        If one cannot be read.
    """
    grey = image.read()
    labels, note = (None, "") if mask is None else mask.read()
    notes = dict.fromkeys(said for said in (grey.note, note) if said)
    return Arrays(grey.pixels, labels, tuple(notes), grey.pixel_size)


def as_progress(steps: Steps[CutStep, T], frame: Frame | None = None) -> Work[T]:
    """Report steps of a cut; of a frame that takes long, have the picture shown."""
    from training.data.masks.scale_bars import display_limits

    picture = None
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        takes_long = step.share is not None or step.image.size > _LARGE
        if frame is not None and picture is None and takes_long:
            picture = FramePicture(frame, step.image, display_limits(step.image))
            yield Progress(step.text, step.share, picture)
        else:
            yield Progress(step.text, step.share)


def extraction_of_arrays(
    frame: Frame,
    arrays: Arrays,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
) -> Work[FrameCells]:
    """Cut the cells of an image in memory; a mask is made where there is none."""
    from training.data.cells.crop_size import odd_size_note
    from training.data.cells.extraction import (
        FrameCells,
        extract_cells,
        finding,
        label_nuclei,
        made_note,
    )

    image, labels, notes = arrays.image, arrays.labels, list(arrays.notes)
    made, meaning, found = labels is None, "labels layer", None
    if labels is None:
        found = yield from as_progress(finding(image, segmentation))
        labels, meaning = found.labels, ""
        notes[:0] = [made_note(segmentation), *found.notes]
    yield Progress("cutting cells")
    labels = label_nuclei(labels if found else as_labels(labels))
    cells = extract_cells(image, labels, extraction, found)
    odd = odd_size_note(cells.fit, arrays.pixel_size)
    notes += [*cells.notes, odd] if odd else cells.notes
    return FrameCells(
        frame, image, labels, cells, tuple(notes), made, meaning, arrays.pixel_size
    )


def as_labels(labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return labels as `label_nuclei` takes them: a mask of one value becomes 0 and 1.

    Parameters
    ----------
    labels : (H, W) integer or bool
        Those that go beyond 31 bits are numbered anew, in their order.
    """
    found = np.asarray(labels)
    is_mask = found.size > 0 and bool(np.isin(found, (0, found.max())).all())
    if not is_mask and found.max(initial=0) > np.iinfo(np.int32).max:
        values = np.unique(found[found > 0])
        found = np.where(found > 0, np.searchsorted(values, found) + 1, found)
    return (found > 0).astype(np.int32) if is_mask else found.astype(np.int32)
