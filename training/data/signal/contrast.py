"""Contrast of the cells of a frame, in deviations of the noise of its background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from training.data.cells.extraction import FrameCells
from training.data.cells.saturation import saturated_from
from training.data.signal.stretching import is_stretched

Grey = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Inside = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

RADIUS = 12.0
"""Radius in pixels of the usual nucleus, at least, where contrast is measured."""

MEASURED = frozenset({"", "border", "touching"})
"""Reasons for which a cell is dropped and still measured."""

_GAP, _RING, _WINDOW = 0.15, 0.6, 4.0
"""Start and end of the ring around a nucleus, and how far around it the background is
looked for, in radii of the usual nucleus."""

_SMOOTHING = 0.04
"""Deviation of the filter before, in the same unit."""

_BRIGHT, _GROUND = 90, 10
_DARKEST = 30
_LAG = 2
_QUANTUM = 12**-0.5
_BLACK = 5
_LEAST_BLACK = 0.002
_ALL_SATURATED = 0.5


@dataclass(frozen=True)
class FrameSignal:
    """Signal of the cells of a frame.

    Attributes
    ----------
    nuclei : (n,) float64
        Brightest tenth of each nucleus above the median of the ring around it.
    cytoplasm : (n,) float64
        Brightest tenth of that ring above the background in its neighbourhood.
    noise
        Deviation of a pixel of the background in grey values, 0.29 or more; both
        contrasts are in units of it.
    saturated
        Share of the pixels of nuclei at the value at which the camera ended, 0 to 1.
    stretched
        Whether the image was auto-contrasted, so that it carries no intensity.
    """

    nuclei: Floats
    cytoplasm: Floats
    noise: float
    saturated: float
    stretched: bool

    @property
    def fault(self) -> str:
        """Return why its intensity counts for nothing, in words, or ''."""
        if self.saturated > _ALL_SATURATED:
            return "it is all saturated"
        if self.stretched:
            return "it was auto-contrasted, so that it carries no intensity"
        return ""


def frame_signal(frame: FrameCells) -> FrameSignal:
    """Measure how far the cells of a frame stand out, those at its border too.

    Parameters
    ----------
    frame
        As `training.data.cells.extraction.extract_frame` returns it.

    Notes
    -----
    Frames are smoothed by a Gaussian of 0.04 radii of the usual nucleus and thinned
    out, so that the magnification matters little. The brightest tenth stands
    for a compartment, as dots and rims cover only a part of it. Percentiles of each
    cell and medians over cells are not moved by artefacts; burnt-in scale bars and
    black borders are left out.

    The noise is that of the darkest 30 % of what lies away from nuclei, from the mean
    absolute difference of pixels two columns apart, which a slope does not move. Under
    0.29 grey values, the deviation of rounding, no noise is believed.
    """
    table = frame.cells.table
    kept = table["label"].to_numpy()[table["dropped"].isin(MEASURED).to_numpy()]
    image, labels = frame.seen, frame.labels
    hidden = _hidden(frame)
    saturated = _saturated_share(image, labels)
    stretched = is_stretched(image[~hidden])
    if not len(kept):
        nothing = np.zeros(0)
        return FrameSignal(nothing, nothing, 1.0, saturated, stretched)
    area = float(np.median(np.bincount(labels.ravel())[kept]))
    radius = float(np.sqrt(area / np.pi))
    step = max(1, int(radius / RADIUS))
    small = _Thinned.of(image, labels, hidden, step, radius / step)
    noise = _noise(image, np.kron(small.darkest, np.ones((step, step), bool)))
    contrasts = np.array([small.contrasts(int(label)) for label in kept]) / noise
    return FrameSignal(contrasts[:, 0], contrasts[:, 1], noise, saturated, stretched)


@dataclass(frozen=True)
class _Thinned:
    """A frame at the scale at which contrast is measured."""

    grey: Grey
    labels: Labels
    nearest: Labels
    away: Grey
    seen: Inside
    boxes: dict[int, tuple[slice, slice]]
    radius: float

    @classmethod
    def of(
        cls,
        image: npt.NDArray[Any],
        labels: Labels,
        hidden: Inside,
        step: int,
        radius: float,
    ) -> _Thinned:
        sigma = _SMOOTHING * radius * step
        even = scipy.ndimage.gaussian_filter(image.astype(np.float32), sigma)
        grey = _sampled(even, step)
        small = _sampled(labels, step)
        seen = ~_sampled(hidden, step)
        away, (y, x) = scipy.ndimage.distance_transform_edt(
            small == 0, return_indices=True
        )
        found = scipy.ndimage.find_objects(small)
        boxes = {k: box for k, box in enumerate(found, 1) if box is not None}
        return cls(
            grey, small, small[y, x], away.astype(np.float32), seen, boxes, radius
        )

    @property
    def darkest(self) -> Inside:
        """The darkest of what lies away from nuclei, where the noise is measured."""
        free = (self.away > _RING * self.radius) & self.seen
        if not free.any():
            free = (self.away > 0) & self.seen
        if not free.any():
            return np.ones_like(free)
        level = scipy.ndimage.uniform_filter(self.grey, 7)
        return free & (level <= np.percentile(level[free], _DARKEST))

    def contrasts(self, label: int) -> tuple[float, float]:
        """Return both contrasts of a nucleus in grey values; 0 where unseen."""
        box = self.boxes.get(label)
        if box is None:
            return 0.0, 0.0
        reach = int(_WINDOW * self.radius)
        around = tuple(
            slice(max(0, side.start - reach), side.stop + reach) for side in box
        )
        grey, away = self.grey[around], self.away[around]
        seen = self.seen[around]
        own = self.nearest[around] == label
        ring = own & seen & (away > _GAP * self.radius) & (away <= _RING * self.radius)
        nucleus = (self.labels[around] == label) & seen
        if not ring.any() or not nucleus.any():
            return 0.0, 0.0
        outside = grey[seen & (away > _GAP * self.radius)]
        near = np.percentile(grey[ring], (50, _BRIGHT))
        bright = float(np.percentile(grey[nucleus], _BRIGHT))
        ground = float(np.percentile(outside, _GROUND))
        return bright - float(near[0]), float(near[1]) - ground


def _sampled(image: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Return a value of each square of `step` pixels, the middle one."""
    whole = np.pad(image, [(0, -side % step) for side in image.shape], mode="edge")
    return whole[step // 2 :: step, step // 2 :: step]


def _noise(image: npt.NDArray[Any], where: Inside) -> float:
    inside = where[: image.shape[0], : image.shape[1]]
    both = inside[:, _LAG:] & inside[:, :-_LAG]
    steps = np.abs(np.subtract(image[:, _LAG:], image[:, :-_LAG], dtype=np.float32))
    found = steps[both]
    if not found.size:
        return _QUANTUM
    usual = np.minimum(found, np.percentile(found, 99))
    return max(float(usual.mean() * np.sqrt(np.pi) / 2), _QUANTUM)


def _saturated_share(image: npt.NDArray[Any], labels: Labels) -> float:
    inside = image[labels > 0]
    end = saturated_from(np.bincount(inside))
    return 0.0 if end is None else float((inside >= end).mean())


def _hidden(frame: FrameCells) -> Inside:
    """Return where the camera saw nothing: scale bars, and black that meets an edge."""
    hidden = np.zeros(frame.image.shape, bool)
    for y0, x0, y1, x1 in frame.cells.scale_bars:
        hidden[y0:y1, x0:x1] = True
    black = scipy.ndimage.maximum_filter(frame.image, _BLACK) == 0
    if not black.any():
        return hidden
    parts, _ = scipy.ndimage.label(black)
    edges = (parts[0], parts[-1], parts[:, 0], parts[:, -1])
    sizes = np.bincount(parts.ravel())
    large = np.flatnonzero(sizes > _LEAST_BLACK * parts.size)
    outer = np.intersect1d(np.concatenate(edges), large[large > 0])
    return hidden | scipy.ndimage.maximum_filter(np.isin(parts, outer), _BLACK)
