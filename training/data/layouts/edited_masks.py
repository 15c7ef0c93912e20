"""Frames of a collection with their masks as they are edited now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from training.data.layouts.collection import Collection, Frame
from training.data.masks.history import MENDED, MENDED_ABOUT, read_mends, unfit
from training.errors import BadMaskError
from training.storage.shown_paths import shown_fault


def edited_frame(frame: Frame, root: Path) -> Frame:
    """Return a frame with its edited mask, where one stands and fits its sources.

    Where one stands and cannot be used, the frame's note says why.
    """
    try:
        history = read_mends(root, frame.name)
    except BadMaskError as met:
        return _left_aside(frame, shown_fault(met).rstrip("."))
    standing = history.standing
    if standing is None:
        return without_edits(frame)
    fault = unfit(history, standing, root)
    if fault:
        return _left_aside(frame, fault)
    return replace(frame, mended=history.mask_of(standing))


def _left_aside(frame: Frame, fault: str) -> Frame:
    mask = "a mask made from the image" if frame.mask is None else "the original mask"
    return replace(frame, note=f"{fault}; {mask} was used")


def without_edits(frame: Frame) -> Frame:
    """Return a frame with the mask that came with it."""
    return frame if frame.mended is None else replace(frame, mended=None)


def with_edits(collection: Collection) -> Collection:
    """Return a collection whose frames have their masks as they are edited now."""
    if not (collection.root / MENDED / MENDED_ABOUT).is_file():
        return collection
    return collection.with_frames(lambda frame: edited_frame(frame, collection.root))


def edit_notes(collection: Collection) -> tuple[str, ...]:
    """Return how many frames have an edited mask, and which were ignored and why.

    Parameters
    ----------
    collection
        As `with_edits` returns it.
    """
    frames = [frame for one in collection.specimens for frame in one.frames]
    n = sum(frame.mended is not None for frame in frames)
    noun = "1 edited mask was" if n == 1 else f"{n} edited masks were"
    counted = (f"{noun} used",) if n else ()
    return (*counted, *(f"{one.name}: {one.note}" for one in frames if one.note))
