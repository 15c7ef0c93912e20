"""Cells and napari layers kept equal, both ways.

Boxes are points with a square symbol: two thousand of them are recoloured in 11 ms,
where shapes take 1.6 s. Written with the public interface of a viewer; napari itself is
not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_hep2.reader import image_options, labels_options
from napari_hep2.state import FramePicture, SessionState
from napari_hep2.viewer.boxes import (
    KEPT,
    BoxStyle,
    Look,
    box_style,
    cell_features,
    look_at_zoom,
    text_options,
)
from napari_hep2.viewer.mask_layer import MaskLayer, set_labels
from napari_hep2.viewer.pattern_marks import PatternMarks
from napari_hep2.viewer.placement import (
    from_viewer,
    pixel_in_viewer,
    place_upon,
    to_viewer,
)
from training.curation.review_set import frame_ids
from training.patterns import Vocabulary

if TYPE_CHECKING:
    from training.data.cells.extraction import FrameCells
    from training.data.layouts import Frame

_FADED = 0.3
"""Opacity of a picture while the next one is read."""

_LEAST_SEEN = 16
"""Pixels of the frame: fewer are seen where it is out of the view."""

_NEAR = 260
"""Side of a box in screen pixels when it is brought near."""


@dataclass(frozen=True)
class Click:
    """A press on the picture that moved nothing.

    Attributes
    ----------
    place
        (y, x) in pixels of the frame.
    modifiers
        Keys that were held, as napari names them.
    cell
        Id of the cell whose box was clicked, or None.
    """

    place: tuple[float, float]
    modifiers: tuple[str, ...]
    cell: str | None


class LayerLink:
    """Keeps a viewer's layers and the state equal, both ways.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    state
        Its cells, decisions, prediction and current cell are drawn; a click on a box
        calls `on_cell`.
    on_cell
        Takes the id of the cell that was clicked.
    on_key
        What keys of the canvas call, as napari writes them, while the boxes or the
        picture are the active layer.

    Attributes
    ----------
    boxes
        The layer of the boxes: those of the cells, which nothing else can change.
    mask
        The layer of the frame's mask.
    marks
        The layer of the shapes that stand for patterns.
    picking
        Whether a click on a box chooses its cell.
    on_click
        Takes clicks of the left button first; those it takes choose no cell.
    """

    def __init__(
        self,
        viewer: Any,
        state: SessionState,
        on_cell: Callable[[str], None],
        on_key: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        self._viewer, self._state, self._on_cell = viewer, state, on_cell
        self._on_key = on_key or {}
        self._adopted: Any = None
        self._own: tuple[Frame, Any] | None = None
        self._picture: Any = None
        self.mask = MaskLayer()
        self.marks = PatternMarks(viewer)
        self._image: Any = None
        self._shown_for = ""
        self.picking = True
        self.on_click: Callable[[Click], bool] | None = None
        self._look = Look()
        self.boxes: Any = None
        self._places = np.empty((0, 2))
        self._faded: tuple[Any, float] | None = None
        self._missed = False
        self._layout: tuple[Any, ...] = ()
        self._connect()

    def _signals(self) -> list[tuple[Any, Any]]:
        events = self._state.events
        restyle = (events.prediction, events.decisions, events.show_dropped)
        return [
            (events.cells, self._draw),
            (events.picture, self._draw_picture),
            (events.opening, self._fade),
            (events.blind, self._name_layers),
            *((signal, self._follow) for signal in restyle),
            (events.current, self._mark_current),
        ]

    def _connect(self) -> None:
        for signal, slot in self._signals():
            signal.connect(slot)
        self._viewer.mouse_drag_callbacks.append(self._clicked)
        self._viewer.layers.events.removed.connect(self._forget)
        self._viewer.scene.camera.events.zoom.connect(self._zoomed)

    def close(self) -> None:
        """Disconnect; the layers stay."""
        for signal, slot in self._signals():
            signal.disconnect(slot)
        if self._clicked in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._clicked)
        self._viewer.layers.events.removed.disconnect(self._forget)
        self._viewer.scene.camera.events.zoom.disconnect(self._zoomed)
        self.mask.follow(None)

    def adopt(self, image: Any) -> None:
        """Draw the next cells on an image layer that is already there."""
        self._adopted = image

    # -- state to layers

    def _draw(self) -> None:
        cells = self._state.cells
        if cells is None:
            self._adopted = None
            self._hide_boxes()
            return
        adopted = self._image_of(cells.frame)
        metadata = self._metadata(cells.frame)
        self._take_over(metadata)
        base = adopted
        if base is None:
            base = self._show_picture(cells, metadata)
        if cells.mask_made or adopted is None:
            with self.mask.changed_by_us():
                self._show_mask(cells, metadata, base)
        if base is not self._image:
            self._bind_keys(base)
        self._image = base
        self._show_boxes(cells, metadata, base)
        self._restyle()

    def _draw_picture(self) -> None:
        """Show a frame whose cells are not there yet, and nothing of the one before."""
        picture = self._state.picture
        if picture is None:
            return
        metadata = self._metadata(picture.frame)
        self._take_over(metadata)
        self._image = self._show_picture(picture, metadata)
        self.mask.hide()
        self._shown_for = self._state.opening
        self._fade()
        self._name_layers()

    def _name_layers(self) -> None:
        """Name our layers by the frame; before a blind reviewer, by their kind."""
        opened, mask = self._state.cells or self._state.picture, self.mask.layer
        if opened is None:
            return
        frame = opened.frame.name
        name = "frame" if self._state.blind else frame
        own = (
            (self._picture, ""),
            (mask, " mask"),
            (self.boxes, " cells"),
            (self.marks.layer, " patterns"),
        )
        for layer, kind in own:
            if layer is not None and layer.metadata.get("frame") == frame:
                layer.name = f"{name}{kind}"

    def _image_of(self, frame: Frame) -> Any:
        """Return the user's image layer that a frame was cut from, or None."""
        adopted, self._adopted = self._adopted, None
        if self._state.collection is not None:
            self._own = None
        elif adopted is not None and adopted.name == frame.name:
            self._own = (frame, adopted)
        elif self._own is not None and self._own[0] != frame:
            self._own = None
        if self._own is None or self._own[1] not in self._viewer.layers:
            return None
        return self._own[1]

    def _metadata(self, frame: Frame) -> dict[str, str]:
        collection = self._state.collection
        folder = collection.root if collection else frame.image.parent
        return {
            "specimen": self._state.specimen,
            "frame": frame.name,
            "folder": str(folder),
        }

    def _take_over(self, metadata: dict[str, str]) -> None:
        """Go on with the layers that the reader made of this frame, where it did."""
        for layer in self._viewer.layers:
            if {key: layer.metadata.get(key) for key in metadata} != metadata:
                continue
            if hasattr(layer, "contrast_limits"):
                self._picture = layer
            elif hasattr(layer, "contour"):
                self.mask.layer = layer

    def _show_picture(
        self, opened: FrameCells | FramePicture, metadata: dict[str, str]
    ) -> Any:
        """Show the frame in the layer of the one before, which keeps its colours."""
        options = image_options(opened.limits, opened.frame.name, metadata)
        layer = self._picture
        if layer is None:
            layer = self._picture = self._viewer.add_image(opened.image, **options)
            self._viewer.reset_view()
        elif layer.metadata != metadata:
            is_other_size = layer.data.shape != opened.image.shape
            layer.data = opened.image
            layer.name, layer.metadata = options["name"], options["metadata"]
            layer.reset_contrast_limits_range()
            layer.contrast_limits = options["contrast_limits"]
            if is_other_size:
                self._viewer.reset_view()
        return layer

    def _show_mask(
        self, cells: FrameCells, metadata: dict[str, str], base: Any
    ) -> None:
        options = labels_options(cells.frame.name, metadata)
        layer = self.mask.layer
        if layer is None:
            units = base.units[-2:]
            made = cells.labels.copy()
            layer = self._viewer.add_labels(made, units=units, **options)
        else:
            # Outlines are drawn once, when all is set.
            self.mask.hide()
            set_labels(layer, cells.labels.copy())
            layer.name, layer.metadata = options["name"], options["metadata"]
        place_upon(layer, base)
        layer.contour = 1
        self.mask.follow(layer)
        self.mask.reveal(cells.mask_made)

    def _show_boxes(
        self, cells: FrameCells, metadata: dict[str, str], base: Any
    ) -> None:
        """Box the cells in the layer of the frame before.

        A layer is never removed: with software OpenGL, drawing after the buffers of a
        removed layer are gone ends the whole program.
        """
        table = cells.cells.table
        places = self._places = table[["y", "x"]].to_numpy(dtype=np.float64)
        name, size = f"{cells.frame.name} cells", float(cells.cells.crops.shape[1])
        boxes = self.boxes
        if boxes is None:
            boxes = self.boxes = self._viewer.add_points(
                places,
                name=name,
                size=size,
                symbol="square",
                face_color=[0.0, 0.0, 0.0, 0.0],
                border_color=[*KEPT],
                border_width=1.2,
                border_width_is_relative=False,
                opacity=1.0,
                units=base.units[-2:],
            )
            boxes.events.editable.connect(self._lock)
            boxes.events.data.connect(self._keep_places)
            self._bind_keys(boxes)
        else:
            boxes.data = places
            boxes.size = size
            boxes.name = name
            boxes.visible = True
            self._raise_boxes()
        self._lock()
        boxes.metadata = dict(metadata)
        place_upon(boxes, base)

    def _bind_keys(self, layer: Any) -> None:
        """Let the keys of the canvas act while a layer is the active one."""
        for key, act in self._on_key.items():
            layer.bind_key(key, _presser(act), overwrite=True)

    def _lock(self, _event: Any = None) -> None:
        """Keep napari's tools from the boxes; it unlocks them with other data."""
        if self.boxes is not None:
            self.boxes.editable = False

    def _keep_places(self, event: Any) -> None:
        """Undo what was done to the boxes alone: they are those of the cells."""
        boxes, is_done = self.boxes, not event.action.value.endswith("ing")
        if boxes is None or not is_done or np.array_equal(boxes.data, self._places):
            return
        boxes.selected_data = set()
        boxes.data = self._places
        self._restyle()

    def _raise_boxes(self) -> None:
        layers = self._viewer.layers
        if layers[-1] is not self.boxes:
            layers.move(layers.index(self.boxes), len(layers))

    def _fade(self) -> None:
        """Take the boxes off, and dim the picture, while another frame is opened."""
        opening = self._state.opening
        self._shown_for = self._shown_for if opening else ""
        is_opening = bool(opening)
        is_before = is_opening and self._shown_for != opening
        if self.boxes is not None:
            self.boxes.visible = not is_opening and self._state.cells is not None
        if is_before and self._faded is None and self._picture is not None:
            self._faded = self._picture, float(self._picture.opacity)
            self._picture.opacity *= _FADED
        elif not is_before and self._faded is not None:
            picture, opacity = self._faded
            picture.opacity, self._faded = opacity, None
            if self._missed:
                self._missed = False
                self._restyle()

    def _hide_boxes(self) -> None:
        if self.boxes is not None:
            self.boxes.visible = False

    def _vocabulary(self) -> Vocabulary:
        return prediction_vocabulary(self._state)

    def current_row(self) -> int | None:
        """Return the current cell's row of the open frame's table, or None."""
        state = self._state
        if state.review is None or state.current is None or self.boxes is None:
            return None
        if state.cells is None:
            return None
        rows = np.flatnonzero(
            self.boxes.features["roi_id"].to_numpy() == state.review.ids[state.current]
        )
        return int(rows[0]) if len(rows) else None

    def _follow(self) -> None:
        """Draw what has changed of the boxes; of a frame that opens, at its end."""
        if self._faded is not None:
            self._missed = True
        else:
            self._restyle()

    def _restyle(self) -> None:
        cells, boxes = self._state.cells, self.boxes
        if cells is None or boxes is None:
            return
        prediction = self._state.prediction
        scores = None if prediction is None else prediction.scores
        boxes.features = cell_features(
            cells,
            self._vocabulary(),
            scores,
            self._state.decisions,
            frame_ids(
                self._state.review,
                cells.frame.name,
                cells.cells.table["label"].tolist(),
            ),
        )
        self._look = self._look_now()
        self._apply(with_text=True)
        self.marks.show(boxes, self._vocabulary())
        self._name_layers()

    def _apply(self, with_text: bool) -> None:
        boxes = self.boxes
        style = box_style(
            boxes.features,
            self._vocabulary(),
            self._state.show_dropped,
            self.current_row(),
            self._look,
            with_text,
        )
        # Each of these has every box drawn anew: not where nothing changed.
        if not np.array_equal(boxes.border_color, style.colours):
            boxes.border_color = style.colours
        if not np.array_equal(boxes.border_width, style.widths):
            boxes.border_width = style.widths
        if not np.array_equal(boxes.shown, style.shown):
            boxes.shown = style.shown
        if with_text:
            self._write(style)

    def _write(self, style: BoxStyle) -> None:
        """Write the texts; where they stand, and their inks, only if that changed."""
        boxes, size = self.boxes, float(np.max(self.boxes.size))
        options = text_options(style, size)
        layout = boxes, size, style.faint.tobytes(), bool(style.texts.any())
        if layout == self._layout:
            boxes.text.string = options["string"]
        else:
            boxes.text, self._layout = options, layout

    def _look_now(self) -> Look:
        zoom = float(self._viewer.scene.camera.zoom) * self._pixel()
        return look_at_zoom(zoom, float(np.max(self.boxes.size)))

    def _pixel(self) -> float:
        """Return the side of a pixel of the frame, in the units of the viewer."""
        return pixel_in_viewer(self.boxes, self._viewer.layers.units)

    def _zoomed(self) -> None:
        if self.boxes is None or not len(self.boxes.data):
            return
        before, self._look = self._look, self._look_now()
        if before != self._look:
            self._apply(with_text=before.near != self._look.near)

    def _mark_current(self) -> None:
        if self.boxes is None:
            return
        self._apply(with_text=False)
        row = self.current_row()
        if row is not None:
            self._look_at(row)

    def _look_at(self, row: int) -> None:
        """Bring a cell into view; the picture moves only where it must."""
        place = self.boxes.data[row]
        if not self._in_view(place):
            self._centre_on(place)

    def _centre_on(self, place: npt.NDArray[np.float64]) -> None:
        units = self._viewer.layers.units
        self._viewer.scene.camera.center = tuple(to_viewer(self.boxes, place, units))

    def _in_view(self, place: npt.NDArray[np.float64]) -> bool:
        """Return whether a whole box is seen, at a place in pixels of the frame."""
        low, high = self._corners()
        cells = self._state.cells
        assert cells is not None
        bottom = np.asarray(cells.image.shape) - 1
        half = float(np.max(self.boxes.size)) / 2
        inside = (place - half >= low) | (low <= 0)
        return bool(np.all(inside & ((place + half <= high) | (high >= bottom))))

    def _corners(self) -> npt.NDArray[np.float64]:
        """Return the first and last pixel (y, x) of the frame that are seen, (2, 2)."""
        image = self._image
        corners = np.asarray(image.corner_pixels, dtype=np.float64)[:, -2:]
        if image.multiscale:
            # They are those of the level on the screen.
            corners *= np.asarray(image.downsample_factors)[image.data_level][-2:]
        return corners

    @property
    def base(self) -> Any:
        """The image layer of the open frame, or None."""
        return self._image

    def part_in_view(self) -> tuple[slice, slice] | None:
        """Return rows and columns of the open frame that are seen; all without a view.

        None where no frame is open.
        """
        image = self._state.open_image
        if image is None or self._image is None:
            return None
        low, high = np.clip(self._corners(), 0, np.array(image.shape)).astype(int)
        if (high - low).min() < _LEAST_SEEN:
            low, high = np.zeros(2, int), np.array(image.shape)
        rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return rows, columns

    def line_width(self) -> float:
        """Return the width of a thin line in pixels of the frame, as it is seen."""
        zoom = float(self._viewer.scene.camera.zoom)
        pixel = pixel_in_viewer(self._image, self._viewer.layers.units)
        return look_at_zoom(zoom * pixel, 0).line

    def zoom_to_current(self) -> None:
        """Bring the current cell near, in the middle of the view."""
        row = self.current_row()
        if row is None:
            return
        self._centre_on(self.boxes.data[row])
        camera = self._viewer.scene.camera
        size = float(np.max(self.boxes.size)) * self._pixel()
        camera.zoom = max(camera.zoom, _NEAR / size)

    # -- layers to state

    def _clicked(self, viewer: Any, event: Any) -> Iterator[None]:
        """Take a press without a drag as a choice of the nearest cell under it."""
        del viewer
        if not self.picking:
            return
        position = np.asarray(event.position[-2:], dtype=np.float64)
        keys, is_left = tuple(event.modifiers), event.button == 1
        yield
        if event.type == "mouse_move":
            return
        cell = self.cell_at(position)
        if is_left and self._image is not None and self.on_click is not None:
            place = from_viewer(self._image, position, self._viewer.layers.units)
            if self.on_click(Click((place[-2], place[-1]), keys, cell)):
                return
        if cell is not None:
            self._on_cell(cell)

    def cell_at(self, position: npt.NDArray[np.float64]) -> str | None:
        """Return the id of the shown cell whose box holds a place of the viewer."""
        boxes = self.boxes
        if boxes is None or not boxes.visible or len(boxes.data) == 0:
            return None
        place = from_viewer(boxes, position, self._viewer.layers.units)
        away = np.abs(boxes.data - place).max(axis=1)
        away[~np.asarray(boxes.shown)] = np.inf
        nearest = int(np.argmin(away))
        if away[nearest] > float(np.max(boxes.size)) / 2:
            return None
        return str(boxes.features["roi_id"].iloc[nearest])

    def _forget(self, event: Any) -> None:
        """Let go of a layer that the user removed."""
        if event.value is self.mask.layer:
            self.mask.follow(None)
        if event.value is self.marks.layer:
            self.marks.layer = None
        for name in ("boxes", "_picture"):
            if event.value is getattr(self, name):
                setattr(self, name, None)


def _presser(act: Callable[[], Any]) -> Callable[[Any], None]:
    """Return what napari calls for a key; it asks for a function with a name."""

    def press(_layer: Any) -> None:
        act()

    return press


def prediction_vocabulary(state: SessionState) -> Vocabulary:
    """Return the vocabulary that the scores on the screen follow."""
    prediction = state.prediction
    return state.vocabulary if prediction is None else prediction.vocabulary
