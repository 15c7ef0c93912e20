"""Adds steps to the history of a frame's mask; nothing in it is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from training.data.layouts.collection import Frame
from training.data.masks.changes import LabelChange
from training.data.masks.history import (
    FORMAT,
    MENDED,
    MENDED_ABOUT,
    STEPS,
    Kind,
    Mend,
    MendHistory,
    digest_of,
    read_mends,
)
from training.decisions.store import now
from training.errors import BadMaskError, StorageError
from training.storage.fingerprints import fingerprint
from training.storage.images import label_bytes
from training.storage.locks import locked
from training.storage.paths import own_path
from training.storage.writing import storage_error, write_bytes, write_json

_ABOUT = {
    "format": FORMAT,
    "what": "masks mended in napari-hep2; the masks of the data are as they were",
}


class MendWriter:
    """Adds steps to the history of one frame's mask.

    Parameters
    ----------
    root
        The folder of the data.
    frame
        Its image and mask are never changed.
    who
        The reviewer.
    clock
        Gives the time that is written beside a step.
    """

    def __init__(
        self, root: Path, frame: Frame, who: str, clock: Callable[[], datetime] = now
    ) -> None:
        self._root, self._frame = root, frame
        self._who, self._clock = who, clock

    def save(self, before: MendHistory, change: LabelChange, what: str) -> MendHistory:
        """Save an edited mask as the current one.

        Parameters
        ----------
        before
            The history that the edit was made on.
        change
            As `training.data.masks.changes.settle_labels` returns it.
        what
            What was done, in words.

        Raises
        ------
        BadMaskError
            If no nucleus is left in it.
        StorageError
            If it cannot be written, or another window has mended the frame since.
        """
        if not change.labels.any():
            raise BadMaskError(
                self._frame.name, "no nucleus would be left", "leave one in the mask"
            )
        content = label_bytes(change.labels)
        digest = digest_of(content)
        # The digest in the name keeps two windows from writing to one file.
        name = f"{len(before.steps) + 1:04d}-{digest[:8]}.tif"
        step = replace(
            self._next(before, "mend", what),
            mask=name,
            sha256=digest,
            sources=self._sources(),
            new=change.new,
            gone=change.gone,
        )
        with self._held(before):
            write_bytes(before.folder / name, content)
            return self._add(before, step)

    def original(self, before: MendHistory) -> MendHistory:
        """Go back to the mask that came with the data; an undo takes this back.

        Raises
        ------
        StorageError
            As `save` does.
        """
        with self._held(before):
            step = self._next(before, "mend", "back to the original")
            return self._add(before, step)

    def undo(self, before: MendHistory) -> MendHistory:
        """Undo the last mask edit, whoever made it; nothing where there is none.

        Raises
        ------
        StorageError
            As `save` does.
        """
        return self._turn(before, "undo", before.next_undo)

    def redo(self, before: MendHistory) -> MendHistory:
        """Redo the last undone mask edit; nothing where there is none.

        Raises
        ------
        StorageError
            As `save` does.
        """
        return self._turn(before, "redo", before.next_redo)

    def _turn(
        self, before: MendHistory, kind: Kind, target: Mend | None
    ) -> MendHistory:
        if target is None:
            return before
        step = replace(self._next(before, kind, target.what), target=target.step)
        with self._held(before):
            return self._add(before, step)

    def _next(self, before: MendHistory, kind: Kind, what: str) -> Mend:
        time = self._clock().isoformat()
        return Mend(len(before.steps) + 1, kind, what, self._who, time)

    def _sources(self) -> tuple[dict[str, Any], ...]:
        files = (self._frame.image, self._frame.mask)
        return tuple(fingerprint(self._root, path) for path in files if path)

    @contextmanager
    def _held(self, before: MendHistory) -> Iterator[None]:
        """Keep other windows from the frame's history; clear what a kill left half."""
        folder = own_path(self._root, MENDED, before.folder.name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise storage_error(folder, fault) from fault
        with locked(folder):
            if read_mends(self._root, self._frame.name).steps != before.steps:
                raise StorageError(
                    self._frame.name,
                    "its mask was edited elsewhere in the meantime",
                    "open the frame again, then edit it",
                )
            # Before any mask: without it the folder is told as one that is not read.
            about = self._root / MENDED / MENDED_ABOUT
            if not about.is_file():
                write_json(about, _ABOUT)
            yield

    def _add(self, before: MendHistory, step: Mend) -> MendHistory:
        after = MendHistory(before.folder, (*before.steps, step))
        write_json(after.folder / STEPS, _content(self._frame.name, after))
        return after


def _content(frame: str, history: MendHistory) -> dict[str, Any]:
    standing = history.standing
    return {
        "format": FORMAT,
        "frame": frame,
        "standing": None if standing is None else standing.mask,
        "steps": [asdict(step) for step in history.steps],
    }
