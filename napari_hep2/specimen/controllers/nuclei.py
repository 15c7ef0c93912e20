"""Tries how nuclei are found on the part in view, before the frame is cut so; no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt
from psygnal import Signal

from napari_hep2.jobs import Job, Progress, Work, run_here
from napari_hep2.state import SessionState
from napari_hep2.viewer.lines import NO_LINES, Lines, outlines_of
from training.config import SegmentationSettings

if TYPE_CHECKING:
    from training.data.masks.segmentation import NucleusFinder, PartNuclei
    from training.data.masks.tiles import Box

Image = npt.NDArray[Any]

_KEPT_MAPS = 8
"""Of the part in view, and of the scales that are tried to measure the diameter."""


@dataclass(frozen=True, eq=False)
class _Request:
    image: Image
    part: Box
    settings: SegmentationSettings


class PreviewController:
    """Nuclei that settings find in the part in view.

    One preview is made at a time; of those asked for meanwhile only the last is made.

    Parameters
    ----------
    state
        Its open image is looked at.
    part_in_view
        Returns rows and columns of the open frame that are seen.
    run
        Takes the jobs.

    Attributes
    ----------
    lines
        Outlines of the nuclei.
    text
        What is seen, in a sentence; '' without a preview.
    diameter
        That the nuclei were looked for with, in pixels; 0 without a preview.
    changed
        Emitted when another preview, or none, is there.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        state: SessionState,
        part_in_view: Callable[[], Box | None],
        run: Callable[[Job], object] = run_here,
    ) -> None:
        self._state, self._part_in_view, self._run = state, part_in_view, run
        self._wanted: _Request | None = None
        self._made: _Request | None = None
        self._finder: tuple[Image, NucleusFinder] | None = None
        self.lines: Lines = NO_LINES
        self.text, self.diameter = "", 0.0

    @property
    def can_find(self) -> bool:
        """Return whether the nuclei of the open frame are those found in its image."""
        state = self._state
        return state.picture is not None or (
            state.cells is not None and state.cells.mask_made
        )

    def ask(self, settings: SegmentationSettings) -> None:
        """Make a preview of the part in view; the one that is made now goes first."""
        image, part = self._state.open_image, self._part_in_view()
        if image is None or part is None or not self.can_find:
            self.stop()
            return
        is_busy = self._made is not None
        self._wanted = _Request(image, part, settings)
        if not is_busy:
            self._run(self._job(self._wanted))

    def stop(self) -> None:
        """Show no preview, and make none."""
        self._wanted, self._finder = None, None
        self._take(NO_LINES, "", 0.0)

    def failed(self) -> None:
        """Go on after a preview that could not be made."""
        self._made = None
        self.stop()

    def _job(self, request: _Request) -> Job:
        self._made = request

        def work() -> Work[tuple[PartNuclei, Lines]]:
            steps = self._finder_of(request.image).find_in(
                request.part, request.settings
            )
            while True:
                yield Progress("looking at the part in view")
                try:
                    next(steps)
                except StopIteration as end:
                    found: PartNuclei = end.value
                    return found, outlines_of(found.pieces)

        def done(made: tuple[PartNuclei, Lines]) -> Job | None:
            wanted, self._made = self._wanted, None
            if wanted is None:
                return None
            # An older one of the same frame is better than none.
            if wanted.image is request.image:
                self._show(request, *made)
            return None if wanted is request else self._job(wanted)

        return Job("Previewing nuclei", work, done)

    def _finder_of(self, image: Image) -> NucleusFinder:
        from training.data.masks.segmentation import NucleusFinder

        known = self._finder
        if known is None or known[0] is not image:
            known = self._finder = image, NucleusFinder(image, _KEPT_MAPS)
        return known[1]

    def _show(self, request: _Request, found: PartNuclei, lines: Lines) -> None:
        count, width = len(found.pieces), found.diameter
        measured = "" if request.settings.diameter else ", measured"
        where = "in view" if found.part == request.part else "in the middle of the view"
        noun = "nucleus" if count == 1 else "nuclei"
        text = f"{count} {noun} {where}, at a diameter of {width:.0f} pixels{measured}."
        self._take(lines, text, width)

    def _take(self, lines: Lines, text: str, diameter: float) -> None:
        self.lines, self.text, self.diameter = lines, text, diameter
        self.changed.emit()
