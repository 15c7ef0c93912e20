"""Classifies frames one after the other: the next is cut while one is scored.

At most two frames are in memory, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.config import ExtractionSettings, SegmentationSettings, VerdictSettings
from training.data.cells.extraction import FrameCells, extract_frame
from training.data.layouts import Frame, read_collection
from training.data.layouts.files import labels_in
from training.data.masks.history import STEPS
from training.errors import (
    BadImageError,
    BadLayoutError,
    BadMaskError,
    BadSettingError,
)
from training.inference.frames import classify_frame, export_prediction, verdict_content
from training.inference.scorers import Scorer
from training.storage.shown_paths import shown_fault
from training.storage.zarr_metadata import is_image_folder

Cut = Callable[[Frame, ExtractionSettings, SegmentationSettings], FrameCells]


@dataclass(frozen=True)
class FrameStep:
    """Result for one frame; it holds no pixels.

    Attributes
    ----------
    frame
        Its name.
    verdict
        As `training.inference.frames.verdict_content` gives it, or None.
    fault
        Why there is no verdict, as a sentence, or None.
    """

    frame: str
    verdict: dict[str, object] | None
    fault: str | None

    @property
    def content(self) -> dict[str, object]:
        """The verdict, or the frame and its fault, as JSON content."""
        if self.verdict is not None:
            return self.verdict
        return {"frame": self.frame, "fault": self.fault}


def find_frames(
    paths: Sequence[Path],
    masks: Sequence[Path] = (),
    layout: str = "auto",
    say: Callable[[str], None] | None = None,
) -> list[Frame]:
    """Return the frames of images and of folders, in the order given.

    Parameters
    ----------
    paths
        Images, and folders in a layout that has whole frames.
    masks
        One for each of `paths`, which are then images; or none.
    layout
        Of the folders, as `training.data.layouts.read_collection` takes it.
    say
        Called with each note on a folder, such as what was left over in it.

    Raises
    ------
    BadSettingError
        If masks do not fit the images, or two frames have one name.
    BadLayoutError
        If a folder holds no whole frames.
    """
    folders = [path for path in paths if _is_folder(path)]
    if masks and folders:
        raise BadSettingError(
            "--mask", f"{folders[0]} is a folder", "its masks lie beside its frames"
        )
    if masks and len(masks) != len(paths):
        raise BadSettingError(
            "--mask",
            f"{len(masks)} masks were given for {len(paths)} images",
            "give one for each image, in the same order",
        )
    frames: list[Frame] = []
    for number, path in enumerate(paths):
        if _is_folder(path):
            frames += _frames_of(path, layout, say)
        else:
            frames.append(_frame_of(path, masks[number] if masks else None))
    (name, count), *_ = Counter(frame.name for frame in frames).most_common(1)
    if count > 1:
        raise BadSettingError(
            name,
            f"{count} frames have this name, and results are named after it",
            "predict them into folders of their own",
        )
    return frames


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder of frames, and not one that is an image."""
    return path.is_dir() and not is_image_folder(path)


def _frame_of(image: Path, mask: Path | None) -> Frame:
    """Return the frame of an image; a mended mask keeps its labels."""
    if mask is not None and mask.with_name(STEPS).is_file():
        return Frame(image.stem, image, None, mended=mask)
    if mask is None and is_image_folder(image):
        masks = labels_in(image.parent, image)
        first = masks[0] if masks else None
        return Frame(image.stem, image, first, other_masks=tuple(masks[1:]))
    return Frame(image.stem, image, mask)


def _frames_of(
    folder: Path, layout: str, say: Callable[[str], None] | None
) -> list[Frame]:
    collection = read_collection(folder, layout)
    if say is not None:
        for note in collection.notes:
            say(note)
    frames = [frame for one in collection.specimens for frame in one.frames]
    if not frames:
        raise BadLayoutError(
            folder, "it holds no whole frames", "give a folder of frames, or images"
        )
    return frames


def predict_frames(
    frames: Sequence[Frame],
    model: Scorer,
    out: Path,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    verdict: VerdictSettings | None = None,
) -> Iterator[FrameStep]:
    """Read, cut, score and export frames; a bad one is reported and left out.

    Parameters
    ----------
    frames
        As `find_frames` returns them.
    model
        As `training.inference.scorers.load_scorer` returns it.
    out
        Folder for what `training.inference.frames.export_prediction` writes.
    extraction, segmentation, verdict
        Settings of each.

    Yields
    ------
    step
        One a frame, in their order.

    Raises
    ------
    StorageError
        If what was found cannot be written.
    """
    with closing(cut_frames(frames, extraction, segmentation)) as cut:
        for frame, cells in cut:
            step = _finish(frame, cells, model, out, verdict)
            # Nothing but the frame ahead is kept while whoever asked looks at this one.
            del cells
            yield step


def cut_frames(
    frames: Iterable[Frame],
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    cut: Cut | None = None,
) -> Generator[tuple[Frame, FrameCells | str], None, None]:
    """Read frames and cut their cells, each while the one before is worked on.

    Parameters
    ----------
    frames
        Asked for one by one, one ahead.
    extraction, segmentation
        Settings of each.
    cut
        Cuts one frame, where that is not `extract_frame`.

    Yields
    ------
    frame, cells
        In their order; a sentence takes the place of cells that cannot be had. At most
        two frames are in memory if the one yielded is let go before the next.
    """
    reader = ThreadPoolExecutor(1, thread_name_prefix="frame-reader")
    try:
        waiting = iter(frames)
        frame = next(waiting, None)
        work = partial(_cut, cut or extract_frame, extraction, segmentation)
        ahead = reader.submit(work, frame) if frame else None
        while frame is not None and ahead is not None:
            cells, following = ahead.result(), next(waiting, None)
            ahead = None
            if following is not None:
                ahead = reader.submit(work, following)
            yielded = [cells]
            del cells
            yield frame, yielded.pop()
            frame = following
    finally:
        reader.shutdown(cancel_futures=True)


def _cut(
    cut: Cut,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    frame: Frame,
) -> FrameCells | str:
    """Return the cells of a frame, or why there are none."""
    try:
        return cut(frame, extraction, segmentation)
    except (BadImageError, BadMaskError) as fault:
        return shown_fault(fault)


def _finish(
    frame: Frame,
    cells: FrameCells | str,
    model: Scorer,
    out: Path,
    settings: VerdictSettings | None,
) -> FrameStep:
    if isinstance(cells, str):
        return FrameStep(frame.name, None, cells)
    prediction = classify_frame(cells, model, settings)
    export_prediction(prediction, out)
    return FrameStep(frame.name, verdict_content(prediction), None)
