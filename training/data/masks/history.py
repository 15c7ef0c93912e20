"""Mended masks: beside the data, never in place of the mask that came with them.

``mended/FRAME/`` holds each state of a frame's mask as a label image, and
``mends.json`` the list of steps that led there. The list only grows: a mend, an undo
and a redo are steps, and what stands follows from them, also after a restart. A step
counts once ``mends.json`` was renamed to its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from training.errors import BadMaskError
from training.storage.fingerprints import change_of
from training.storage.paths import is_inside
from training.storage.reading import read_json

MENDED = "mended"
"""The folder beside the data that holds mended masks; it is none of the data."""
MENDED_ABOUT = "mended.json"
"""The file in it by which it is told from a specimen of that name."""

STEPS = "mends.json"
FORMAT = 1
_PRINT = {"bytes", "modified", "sha256"}

Kind = Literal["mend", "undo", "redo"]


@dataclass(frozen=True)
class Mend:
    """One step in the history of a frame's mask.

    Attributes
    ----------
    step
        From 1.
    kind
        ``mend`` made a new state; ``undo`` and ``redo`` took one back or up again.
    what
        In words, e.g. ``1 nucleus added``.
    who, time
        The reviewer, and the time in UTC (ISO 8601).
    target
        The step that was undone or redone, or None.
    mask
        The file of the new state, or None where it is the mask that came with the data.
    sha256
        Of this file.
    sources
        Fingerprints of the image and the mask that the state was made from.
    new, gone
        Labels that came and that went with the step.
    """

    step: int
    kind: Kind
    what: str
    who: str
    time: str
    target: int | None = None
    mask: str | None = None
    sha256: str | None = None
    sources: tuple[dict[str, Any], ...] = ()
    new: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()


@dataclass(frozen=True)
class MendHistory:
    """All that was done to the mask of a frame.

    Attributes
    ----------
    folder
        Where it lies.
    steps
        Oldest first.
    """

    folder: Path
    steps: tuple[Mend, ...] = ()

    @cached_property
    def _stacks(self) -> tuple[list[Mend], list[Mend]]:
        done: list[Mend] = []
        undone: list[Mend] = []
        for step in self.steps:
            if step.kind == "mend":
                done.append(step)
                undone.clear()
            elif step.kind == "undo" and done:
                undone.append(done.pop())
            elif step.kind == "redo" and undone:
                done.append(undone.pop())
        return done, undone

    @property
    def standing(self) -> Mend | None:
        """The mend whose mask stands; None where the mask of the data does."""
        done = self._stacks[0]
        return done[-1] if done and done[-1].mask is not None else None

    @property
    def next_undo(self) -> Mend | None:
        """The mend that an undo takes back."""
        return self._stacks[0][-1] if self._stacks[0] else None

    @property
    def next_redo(self) -> Mend | None:
        """The mend that a redo takes up again."""
        return self._stacks[1][-1] if self._stacks[1] else None

    @property
    def highest(self) -> int:
        """The highest label that was ever given or taken away here, or 0."""
        return max(
            (v for step in self.steps for v in (*step.new, *step.gone)), default=0
        )

    def mask_of(self, step: Mend) -> Path:
        """Return the file of a step that has one."""
        return self.folder / str(step.mask)


def mends_folder(root: Path, frame: str) -> Path:
    """Return where the mended masks of a frame lie, for data in the folder `root`."""
    return root / MENDED / frame


def read_mends(root: Path, frame: str) -> MendHistory:
    """Read the history of a frame's mask; it is empty where nothing was mended.

    Parameters
    ----------
    root
        The folder of the data, as `Collection.root`.
    frame
        The frame's name.

    Raises
    ------
    BadMaskError
        If it is damaged or of another version.
    """
    folder = mends_folder(root, frame)
    path = folder / STEPS
    if not path.is_file():
        return MendHistory(folder)
    try:
        if not is_inside(root, path):
            raise ValueError("it is a link that leads out of the data")
        content = read_json(path)
        if content["format"] != FORMAT:
            raise BadMaskError(
                path, "it was written by another version", "use that one to edit it"
            )
        steps = tuple(_step(entry) for entry in content["steps"])
    except (OSError, ValueError, TypeError, LookupError) as fault:
        raise BadMaskError(
            path,
            "it is not a history of mask edits",
            "restore it, or move its folder away",
        ) from fault
    return MendHistory(folder, steps)


def _step(entry: dict[str, Any]) -> Mend:
    step = Mend(**entry)
    for source in step.sources:
        way = PurePosixPath(source["name"])
        if way.is_absolute() or ".." in way.parts or not set(source) >= _PRINT:
            raise ValueError(f"{way} is not a file of the data")
    mask = step.mask
    if mask is not None and (Path(mask).name != mask or not mask.endswith(".tif")):
        raise ValueError(f"{mask} is not the name of a mask")
    if not all(isinstance(label, int) for label in (*step.new, *step.gone)):
        raise TypeError("a label is a number")
    return replace(
        step,
        sources=tuple(step.sources),
        new=tuple(step.new),
        gone=tuple(step.gone),
    )


def unfit(history: MendHistory, standing: Mend, root: Path) -> str:
    """Say why a mended mask cannot be used, or nothing."""
    for entry in standing.sources:
        change = change_of(root, entry)
        if change:
            return f"{entry['name']} {change} since its mask was edited"
    path = history.mask_of(standing)
    if not path.is_file() or not is_inside(root, path):
        return f"the edited mask {path.name} was removed"
    if digest_of(path.read_bytes()) != standing.sha256:
        return f"the edited mask {path.name} is damaged"
    return ""


def mended_files(root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each history of mends below `root`, and whether a mended mask stands."""
    for path in sorted((root / MENDED).glob(f"*/{STEPS}")):
        try:
            standing = read_mends(root, path.parent.name).standing
        except BadMaskError:
            standing = None
        yield path, standing is not None


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()
