"""Nuclei found by the network that comes with the program, tile by tile.

Each tile is seen with a margin; a nucleus belongs to the tile that holds its centre. So
memory does not grow with the frame, but for its labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy
import torch
from safetensors import SafetensorError, safe_open

from training.config import SegmentationSettings
from training.data.masks.network_maps import (
    Maps,
    look,
    mean_mitosis,
    read_faintly,
    shown_at,
)
from training.data.masks.nucleus_network import NOMINAL, NucleusNetwork, limits
from training.data.masks.readout import ReadOut
from training.errors import BadModelError

Labels = npt.NDArray[np.int32]
Box = tuple[slice, slice]

WEIGHTS = Path(__file__).with_name("nuclei.safetensors")
"""The network that comes with the program."""

_TILE, _MARGIN = 960, 96
"""Side of a tile, and what is seen around it, in pixels of the network."""

_WINDOW = 384
"""Side of the middle of a frame in which its scale is tried, in the same unit."""

_OTHER_SCALES = (0.5, 0.7, 1.4, 2.0)
"""Tried too, in units of the measured diameter, where that one is not clear."""

_BELIEVED = (0.7, 1.4)
"""Sizes found are taken for the diameter where they differ by no more from it."""

_AGREES, _FAR = 0.15, 0.7
"""Logarithms of sizes that agree with a scale, and of a scale far from the measured."""

_SURE, _SURENESS = 0.9, 10
"""Median confidence at which a scale is clear, and how strongly it counts else."""

_FEWEST = 4
"""Nuclei from which their sizes say something."""

_OVERLAID = 0.5
"""Share of a nucleus that other tiles must have left free."""

_SLACK = 2
"""Pixels by which two tiles may see a centre elsewhere; who is second finds it held."""


@dataclass(frozen=True)
class Fitted:
    """A network with the read-out that was chosen for it."""

    network: NucleusNetwork
    how: ReadOut


@dataclass(frozen=True)
class Piece:
    """One nucleus in its box.

    Attributes
    ----------
    box
        Rows and columns of the frame.
    mask : (h, w) bool
    confidence
        Expected overlap (intersection over union) with the true outline, 0 to 1.
    mitosis
        Probability of mitosis, 0 to 1.
    """

    box: Box
    mask: npt.NDArray[np.bool_]
    confidence: float
    mitosis: float

    @property
    def area(self) -> int:
        """Pixels of the nucleus."""
        return int(self.mask.sum())


class NetworkNuclei(NamedTuple):
    """Nuclei of a frame.

    Attributes
    ----------
    labels : (H, W) int32
        Numbered from 1.
    confidence, mitotic : (N,) float32 and bool
        Of nucleus 1, 2 and so on.
    """

    labels: Labels
    confidence: npt.NDArray[np.float32]
    mitotic: npt.NDArray[np.bool_]


@lru_cache(maxsize=2)
def load_fitted(path: Path = WEIGHTS) -> Fitted:
    """Read a network from a safetensors file; its card is in the header.

    Raises
    ------
    BadModelError
        If the file is not one of this network.
    """
    network = NucleusNetwork()
    try:
        with safe_open(path, "pt") as stored:
            how = ReadOut(**json.loads(stored.metadata()["read_out"]))
            network.load_state_dict({k: stored.get_tensor(k) for k in stored.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
        raise BadModelError(
            path,
            "it does not hold a network for nuclei",
            "install the program again, or fit one with: python -m training "
            "fit-nuclei DATA",
        ) from None
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Fitted(network, how)


def find_with_network(
    image: npt.NDArray[Any],
    diameter: float,
    settings: SegmentationSettings,
    fitted: Fitted | None = None,
) -> NetworkNuclei:
    """Find the nuclei of a frame.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
        Signal bright, without scale bars and black borders.
    diameter
        About the usual diameter of a nucleus in pixels; unless the settings give it, it
        is set right by what the network finds in the middle of the frame.
    settings
        How dim a nucleus may be, and whether those that touch are parted.
    """
    fitted = fitted or load_fitted()
    frame = _Frame(image, limits(np.sqrt(_sampled(image))), fitted, settings)
    if not settings.diameter:
        diameter = frame.right_diameter(diameter)
    labels = np.zeros(image.shape, np.int32)
    pieces: list[Piece] = []
    for core, window in _tiles(image.shape, diameter):
        for piece in frame.pieces(window, diameter):
            if _centre_in(piece, core) and _is_free(labels, piece):
                pieces.append(piece)
                labels[piece.box][piece.mask] = len(pieces)
    return NetworkNuclei(
        labels,
        np.array([piece.confidence for piece in pieces], np.float32),
        np.array([piece.mitosis >= fitted.how.mitosis for piece in pieces], bool),
    )


@dataclass(frozen=True)
class _Trial:
    """What is found in the middle of a frame at one scale."""

    diameter: float
    areas: list[int]
    confidence: list[float]
    pixels: int

    @property
    def found(self) -> float:
        """Usual diameter of the nuclei found; that looked for where they are few."""
        if len(self.areas) < _FEWEST:
            return self.diameter
        return float(np.sqrt(4 / np.pi * np.median(self.areas)))

    @property
    def is_clear(self) -> bool:
        """Whether no other scale need be tried."""
        if len(self.areas) < _FEWEST or np.median(self.confidence) < _SURE:
            return False
        return abs(np.log(self.found / self.diameter)) < _AGREES

    def worth(self, measured: float) -> float:
        """Return how much speaks for the scale: sure outlines, and much in them.

        It is less where the sizes found disagree with the scale, and far from the
        diameter that was measured. At too large a scale more is covered, and outlines
        are less sure: so sureness counts with a high power.
        """
        if not self.areas:
            return 0.0
        covered = np.dot(self.areas, self.confidence) / self.pixels
        sure = np.median(self.confidence) ** _SURENESS
        away = np.log(self.found / self.diameter) / _AGREES
        far = np.log(self.diameter / measured) / _FAR
        return float(np.sqrt(covered) * sure * np.exp(-0.5 * (away**2 + far**2)))


@dataclass(frozen=True)
class _Frame:
    """A frame as it is segmented: brightness is measured once, over all of it."""

    image: npt.NDArray[Any]
    levels: tuple[float, float]
    fitted: Fitted
    settings: SegmentationSettings

    def right_diameter(self, measured: float) -> float:
        """Return the usual diameter by what the network finds in the middle.

        The measured one is taken where the network, looking at that scale, is sure and
        finds nuclei of about that size; else other scales are tried, too.
        """
        trial = self._try(measured)
        if not trial.is_clear:
            others = [self._try(measured * factor) for factor in _OTHER_SCALES]
            trial = max([trial, *others], key=lambda trial: trial.worth(measured))
        low, high = _BELIEVED
        return (
            trial.found if low < trial.found / trial.diameter < high else trial.diameter
        )

    def _try(self, diameter: float) -> _Trial:
        side = _WINDOW * diameter / NOMINAL
        window = _middle(self.image.shape, side)
        limit = self.fitted.how.mitosis
        found = [p for p in self.pieces(window, diameter) if p.mitosis < limit]
        pixels = self.image[window].size
        return _Trial(
            diameter,
            [piece.area for piece in found],
            [piece.confidence for piece in found],
            pixels,
        )

    def pieces(self, window: Box, diameter: float) -> list[Piece]:
        """Return the nuclei in a part of the frame, as that part shows them."""
        signal = np.sqrt(self.image[window].astype(np.float32))
        maps = look(self.fitted.network, signal, diameter, self.levels)
        how = self._how()
        labels = read_faintly(maps, how, split=self.settings.split)
        shown = shown_at(signal.shape, labels, maps, how)
        found = _measured(shown, labels, maps, how.nucleus, window)
        least = self.settings.smallest * np.pi / 4 * diameter**2
        return [piece for piece in found if piece.area >= max(least, 1)]

    def _how(self) -> ReadOut:
        """Return the thresholds, lower where dimmer nuclei are asked for."""
        how, sensitivity = self.fitted.how, self.settings.sensitivity
        return replace(
            how,
            nucleus=min(how.nucleus / sensitivity, 0.95),
            core=min(how.core / sensitivity, 0.95),
        )


def _measured(
    shown: Labels, labels: Labels, maps: Maps, least: float, window: Box
) -> Iterator[Piece]:
    count = int(labels.max(initial=0))
    names = np.arange(1, count + 1)
    sure = np.where(maps.nucleus >= least, labels, 0)
    inside = scipy.ndimage.sum_labels(maps.nucleus, sure, names)
    area = np.bincount(sure.ravel(), minlength=count + 1)[1:]
    either = area + scipy.ndimage.sum_labels(maps.nucleus, labels, names) - inside
    mitosis = mean_mitosis(sure, maps, count)
    for name, box in enumerate(scipy.ndimage.find_objects(shown, count), start=1):
        if box is not None:
            place = tuple(
                slice(own.start + whole.start, own.stop + whole.start)
                for own, whole in zip(box, window, strict=True)
            )
            yield Piece(
                (place[0], place[1]),
                _in_one_piece(shown[box] == name),
                float(inside[name - 1] / max(either[name - 1], 1)),
                float(mitosis[name - 1]),
            )


def _in_one_piece(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    whole = scipy.ndimage.binary_fill_holes(mask)
    pieces, count = scipy.ndimage.label(whole)
    if count < 2:
        return np.asarray(whole)
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())


def _sampled(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    step = max(1, int(np.sqrt(image.size / 1e6)))
    return image[::step, ::step].astype(np.float32)


def _middle(shape: tuple[int, ...], side: float) -> Box:
    rows, columns = (
        slice(max(0, round((size - side) / 2)), min(size, round((size + side) / 2)))
        for size in shape
    )
    return rows, columns


def _tiles(shape: tuple[int, ...], diameter: float) -> Iterator[tuple[Box, Box]]:
    """Yield the tiles of a frame, without and with their margins."""
    scale = diameter / NOMINAL
    spans = []
    for side in shape:
        count = max(1, int(np.ceil(side / (_TILE * scale))))
        ends = np.linspace(0, side, count + 1).round().astype(int).tolist()
        margin = round(_MARGIN * scale)
        spans.append(
            [
                (slice(a, b), slice(max(0, a - margin), min(side, b + margin)))
                for a, b in pairwise(ends)
            ]
        )
    for rows, all_rows in spans[0]:
        for columns, all_columns in spans[1]:
            yield (rows, columns), (all_rows, all_columns)


def _centre_in(piece: Piece, core: Box) -> bool:
    return all(
        own.start - _SLACK <= (side.start + side.stop) / 2 < own.stop + _SLACK
        for own, side in zip(core, piece.box, strict=True)
    )


def _is_free(labels: Labels, piece: Piece) -> bool:
    """Clear the piece of what others hold; return whether most of it was free."""
    free = piece.mask & (labels[piece.box] == 0)
    mostly = bool(free.sum() > _OVERLAID * piece.area)
    piece.mask[:] = free
    return mostly
