"""Clicks on the picture that add, delete and merge nuclei, whatever tool is on; no Qt.

Written with the public interface of a viewer; napari itself is not imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_hep2.specimen.controllers.masks import MendingController
from napari_hep2.viewer.layers import Click, LayerLink

HINT = (
    "Click where a nucleus is missing to add it (Shift+click inside a box), Ctrl+click "
    "to delete one, Alt+click near a seam to merge both sides."
)


class MaskClicks:
    """Turns clicks into edits of the mask, while *Specimen* is on the screen.

    A click in a box chooses its cell, as ever; a drag moves the picture.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    link
        Gives the clicks; those that are taken choose no cell.

    Attributes
    ----------
    is_on
        Whether clicks edit.
    """

    def __init__(
        self, viewer: Any, link: LayerLink, mending: MendingController
    ) -> None:
        self._viewer, self._link, self._mending = viewer, link, mending
        self.is_on, self._added = False, False
        link.on_click = self.take
        viewer.mouse_double_click_callbacks.append(self._double_clicked)

    def close(self) -> None:
        """Disconnect."""
        if self._double_clicked in self._viewer.mouse_double_click_callbacks:
            self._viewer.mouse_double_click_callbacks.remove(self._double_clicked)

    def take(self, click: Click) -> bool:
        """Return whether a click edits the mask, and have it do so."""
        self._added = False
        edit = self._edit_of(click) if self._listens(click) else None
        if edit is None:
            return False
        self._link.mask.layer.visible = True
        if edit == "add":
            self._added = True
            self._mending.add(click.place)
        elif edit == "remove":
            self._mending.remove_at(click.place)
        else:
            self._mending.merge_at(click.place)
        return True

    def _listens(self, click: Click) -> bool:
        """Return whether a mask that can be edited was clicked, by no napari tool."""
        active = self._viewer.layers.selection.active
        is_free = getattr(active, "mode", "pan_zoom") == "pan_zoom"
        can_edit = self._mending.history is not None and self._link.mask.is_there
        painted = self._mending.painted
        if not (self.is_on and is_free and can_edit) or painted is None:
            return False
        return _inside(click.place, painted.shape)

    def _edit_of(self, click: Click) -> str | None:
        painted = self._mending.painted
        assert painted is not None
        keys = frozenset(click.modifiers)
        edits = {frozenset({"Control"}): "remove", frozenset({"Alt"}): "merge"}
        if keys in edits:
            return edits[keys]
        y, x = (round(float(part)) for part in click.place)
        is_free = not painted[y, x]
        wants_more = keys == {"Shift"} or (not keys and click.cell is None)
        return "add" if wants_more and is_free else None

    def _double_clicked(self, _viewer: Any, _event: Any) -> None:
        """Take back what the first click of two added: two zoom, as ever."""
        if self._added:
            self._added = False
            self._mending.take_back()


def _inside(place: Sequence[float], shape: tuple[int, ...]) -> bool:
    return all(0 <= round(float(at)) < n for at, n in zip(place, shape, strict=True))
