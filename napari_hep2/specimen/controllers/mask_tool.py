"""Clicks and lines on the picture, for the verbs of mending; no Qt.

Written with the public interface of a viewer; napari itself is not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from psygnal import Signal

from napari_hep2.jobs import Job
from napari_hep2.specimen.controllers.masks import MendingController
from napari_hep2.viewer.layers import LayerLink
from napari_hep2.viewer.lines import LinesLayer, lines_along
from napari_hep2.viewer.placement import from_viewer

Tool = Literal["", "split", "add", "remove", "merge"]
Path = list[list[float]]

HINTS: dict[Tool, str] = {
    "split": "Draw a line across a nucleus, or click on both sides of it.",
    "add": "Click a nucleus that was missed.",
    "remove": "Click a nucleus, or draw a line over several.",
    "merge": "Draw a line over the pieces of one nucleus.",
}
KEYS = {
    "paint": "P",
    "erase": "E",
    "split": "S",
    "add": "A",
    "remove": "K",
    "merge": "J",
    "apply": "Ctrl+Return",
    "undo": "U",
    "redo": "Shift+U",
}
"""Keys of the verbs."""

NAPARIS = ("paint", "erase")
"""Verbs whose keys napari binds to a labels layer by itself."""

_LINE_COLOUR, _LINE_WIDTH = "#f0e442", 2
_LEAST_DRAG = 3.0


class MendingTool:
    """Turns presses and drags in a viewer into points on the mask.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    link
        Holds the mask's layer; it picks no cells while a tool is on.
    on_path
        Takes the tool and the points (y, x) in pixels of the mask.
    tell
        Takes a sentence for the user.

    Attributes
    ----------
    changed
        Emitted when another tool, or none, is on.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        viewer: Any,
        link: LayerLink,
        on_path: Callable[[str, Path], None],
        tell: Callable[[str], None],
    ) -> None:
        self._viewer, self._link = viewer, link
        self._on_path, self._tell = on_path, tell
        self._first: list[float] | None = None
        self._line = LinesLayer(viewer, "mask edit line", _LINE_COLOUR)
        self.current: Tool = ""

    def take(self, tool: Tool) -> None:
        """Turn a tool on, or off where it was on; '' turns any off."""
        tool = "" if tool == self.current else tool
        if tool and self._link.mask.layer is None:
            return
        was_on, self.current = bool(self.current), tool
        self._first = None
        self._draw([])
        if tool:
            self.bring_forward("pan_zoom")
            self._tell(HINTS[tool])
        if bool(tool) != was_on:
            self._listen(bool(tool))
        self.changed.emit()

    def _listen(self, is_on: bool) -> None:
        callbacks = self._viewer.mouse_drag_callbacks
        self._link.picking = not is_on
        if is_on:
            callbacks.append(self._pressed)
        elif self._pressed in callbacks:
            callbacks.remove(self._pressed)
        if self._link.mask.layer is not None:
            self._link.mask.layer.mouse_pan = not is_on

    def bring_forward(self, mode: str) -> None:
        """Make the mask the active layer, so that it is seen and painted on."""
        mask = self._link.mask.layer
        mask.visible = True
        self._viewer.layers.selection.active = mask
        mask.mode = mode

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        """Follow a press to its release."""
        del viewer
        if self._link.mask.layer is None:
            return
        path = [self._place(event)]
        yield
        while event.type == "mouse_move":
            path.append(self._place(event))
            self._draw(path)
            yield
        path.append(self._place(event))
        self._released(path)

    def _released(self, path: Path) -> None:
        is_click = _length(path) < _LEAST_DRAG
        if is_click and self.current in ("split", "merge"):
            if self._first is None:
                self._first = path[0]
                self._draw([path[0], path[0]])
                self._tell("Now click on its other side.")
                return
            path = [self._first, path[0]]
        self._first = None
        self._draw([])
        if self.current:
            self._on_path(self.current, path[:1] if self.current == "add" else path)

    def _place(self, event: Any) -> list[float]:
        mask = self._link.mask.layer
        place = from_viewer(mask, event.position[-2:], self._viewer.layers.units)
        return [float(part) for part in place]

    def _draw(self, path: Path) -> None:
        points = np.asarray(path, float).reshape(-1, 2)
        self._line.show(lines_along(points), self._link.mask.layer, _LINE_WIDTH)


class MendingDesk:
    """All verbs of mending by name, for buttons and for keys.

    The keys act while the mask's layer is the active one in the viewer.

    Parameters
    ----------
    link, mending, tool
        What the verbs work on.
    start
        Takes the jobs.
    """

    def __init__(
        self,
        link: LayerLink,
        mending: MendingController,
        tool: MendingTool,
        start: Callable[[Job | None], object],
    ) -> None:
        self._link, self._mending, self._tool = link, mending, tool
        self._start = start
        self._bound: Any = None
        self._jobs: dict[str, Callable[[], Job | None]] = {
            "apply": mending.apply,
            "undo": mending.undo,
            "redo": mending.redo,
            "original": mending.original,
        }

    def do(self, verb: str) -> None:
        """Do what a button or a key of this name does."""
        if verb in self._jobs:
            self._tool.take("")
            self._start(self._jobs[verb]())
        elif verb == "discard":
            self._mending.discard()
        elif not self._mending.begin() or self._link.mask.layer is None:
            return
        elif verb in ("paint", "erase"):
            self._brush(verb)
        else:
            self._use(verb)

    def _brush(self, mode: str) -> None:
        self._tool.take("")
        mask = self._link.mask.layer
        if mode == "paint":
            mask.selected_label = int(mask.data.max()) + 1
        self._tool.bring_forward(mode)

    def _use(self, verb: str) -> None:
        several = len(self._mending.chosen()) > 1
        if verb == "remove" and several:
            self._mending.remove()
        elif verb == "merge" and several:
            self._mending.merge()
        for tool in HINTS:
            if tool == verb and not (several and verb in ("remove", "merge")):
                self._tool.take(tool)

    def bind_keys(self) -> None:
        """Bind the keys to the mask's layer, where that is not done yet."""
        mask = self._link.mask.layer
        if mask is None or mask is self._bound:
            return
        self._bound = mask
        for verb, key in KEYS.items():
            if verb not in NAPARIS:
                mask.bind_key(napari_key(key), self._presser(verb))

    def _presser(self, verb: str) -> Callable[[Any], None]:
        """Return what napari calls for a key; it asks for a function with a name."""

        def press(_layer: Any) -> None:
            self.do(verb)

        return press


def napari_key(key: str) -> str:
    """Return a key, written as Qt writes it, as napari writes it."""
    return key.replace("Ctrl", "Control").replace("Return", "Enter").replace("+", "-")


def _length(path: Path) -> float:
    points = np.asarray(path)
    return float(np.abs(points - points[0]).max())
