"""The layer of the open frame's mask, and what the user paints on it; no Qt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt
from psygnal import Signal

if TYPE_CHECKING:
    from training.data.masks.editing import Stroke


class MaskLayer:
    """Holds a labels layer and tells the user's changes of it from the plugin's own.

    Attributes
    ----------
    painted
        Gives the mask, (H, W) int, after the user changed it.
    layer
        The labels layer, or None.
    """

    painted: ClassVar[Signal] = Signal(object)

    def __init__(self) -> None:
        self.layer: Any = None
        self._followed: Any = None
        self._is_user = True
        self._was_visible = False

    def follow(self, layer: Any) -> None:
        """Listen to what is painted on this layer, and on no other."""
        self.layer = layer
        before, self._followed = self._followed, layer
        if before is layer:
            return
        # A stroke gives the first, napari's undo of it the second alone.
        for name in ("labels_update", "set_data", "data"):
            if before is not None:
                getattr(before.events, name).disconnect(self._changed)
            if layer is not None:
                getattr(layer.events, name).connect(self._changed)

    def _changed(self) -> None:
        if self._is_user and self.layer is not None and self.layer is self._followed:
            self.painted.emit(self.layer.data)

    @property
    def is_there(self) -> bool:
        """Return whether there is a layer, and it shows the mask of the open frame."""
        return self.layer is not None and self.layer is self._followed

    @property
    def labels(self) -> npt.NDArray[Any] | None:
        """The mask as it is shown, (H, W) int, or None."""
        return self.layer.data if self.is_there else None

    def hide(self) -> None:
        """Take a mask off that is not that of the picture, until another is there."""
        if self.layer is not None:
            self._was_visible |= self.layer.visible
            self.layer.visible = False

    def reveal(self, is_wanted: bool) -> None:
        """Show the mask where it is wanted, or was seen before it was hidden."""
        if self.layer is not None and (is_wanted or self._was_visible):
            self.layer.visible = True
        self._was_visible = False

    @contextmanager
    def changed_by_us(self) -> Iterator[None]:
        """Change the layer without taking it for the user's painting."""
        before, self._is_user = self._is_user, False
        try:
            yield
        finally:
            self._is_user = before

    def show(self, labels: npt.NDArray[Any]) -> None:
        """Show a mask as it is painted now; the layer then paints in this array."""
        if self.layer is not None and self.layer.data is not labels:
            with self.changed_by_us():
                set_labels(self.layer, labels)

    def paint(self, stroke: Stroke) -> None:
        """Set the pixels of a stroke, so that the layer's own undo takes them back."""
        if self.layer is not None:
            self.layer.data_setitem(stroke.where, stroke.values)

    def undo(self) -> None:
        """Take back the last stroke, a brush's or one of ours."""
        if self.layer is not None:
            self.layer.undo()

    def redo(self) -> None:
        """Do the last stroke again that was taken back."""
        if self.layer is not None:
            self.layer.redo()


def set_labels(layer: Any, labels: npt.NDArray[Any]) -> None:
    """Show other labels in a layer, whose strokes can then not be undone into them.

    Parameters
    ----------
    layer
        A labels layer; its mode stays.
    labels : (H, W) int
    """
    mode, pans = layer.mode, layer.mouse_pan
    # The public way to have napari forget strokes, which it replays on any labels.
    layer.editable = False
    layer.data = labels
    layer.editable = True
    layer.mode, layer.mouse_pan = mode, pans
