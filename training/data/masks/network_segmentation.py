"""Nuclei found by the network that comes with the program, in a part of a frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import torch
from safetensors import SafetensorError, safe_open

from training.config import SegmentationSettings
from training.config.data import LEAST_DIAMETER
from training.data.masks.network_maps import (
    Maps,
    look,
    mean_mitosis,
    read_faintly,
    shown_at,
)
from training.data.masks.nucleus_network import NOMINAL, NucleusNetwork, limits
from training.data.masks.readout import ReadOut
from training.data.masks.tiles import Box, Finding, Labels, Piece, placed, tiles
from training.errors import BadModelError
from training.steps import Steps

WEIGHTS = Path(__file__).with_name("nuclei.safetensors")
"""The network that comes with the program."""

_TILE, _MARGIN = 960, 96
"""Side of a tile, and what is seen around it, in pixels of the network."""

_LEAST_SEEN = 12.0
"""Diameter of the smallest nuclei that are enlarged to the network's scale; smaller
ones are seen with this enlargement, since the time grows with its square."""

_LARGEST_TILE = 3072
"""Most pixels of the frame that a tile is wide: large nuclei are seen enlarged."""

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


@dataclass(frozen=True)
class Fitted:
    """A network with the read-out that was chosen for it."""

    network: NucleusNetwork
    how: ReadOut


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
            "install the program again, or fit one with: hep2 fit-nuclei DATA",
        ) from None
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Fitted(network, how)


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


class NetworkFrame:
    """A frame as the network sees it: brightness is measured once, over all of it.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
        Signal bright, without scale bars and black borders.
    kept
        Parts whose maps are kept, so that other thresholds cost only a read-out.
    fitted
        The network that comes with the program where it is not given.
    """

    def __init__(
        self, image: npt.NDArray[Any], kept: int = 0, fitted: Fitted | None = None
    ) -> None:
        self._image, self._fitted = image, fitted or load_fitted()
        self._levels = limits(np.sqrt(_sampled(image)))
        self._maps = lru_cache(maxsize=kept)(self._look)

    def _look(
        self, rows: tuple[int, int], columns: tuple[int, int], diameter: float
    ) -> Maps:
        seen = self._image[slice(*rows), slice(*columns)].astype(np.float32)
        return look(self._fitted.network, np.sqrt(seen), diameter, self._levels)

    def tiles(self, diameter: float) -> list[tuple[Box, Box]]:
        """Return the tiles of the frame, without and with their margins."""
        side = min(_TILE * _seen_as(diameter) / NOMINAL, _LARGEST_TILE)
        return list(tiles(self._image.shape, side, self.margin(diameter)))

    def margin(self, diameter: float) -> float:
        """Return how many pixels around a part are looked at with it."""
        return _MARGIN * _seen_as(diameter) / NOMINAL

    def usual_diameter(
        self, measured: float, settings: SegmentationSettings
    ) -> Steps[None, float]:
        """Return the usual diameter by what the network finds in the middle.

        The measured one is taken where the network, looking at that scale, is sure and
        finds nuclei of about that size; else other scales are tried, too.
        """
        trial = yield from self._try(measured, settings)
        if not trial.is_clear:
            trials = [trial]
            for factor in _OTHER_SCALES:
                diameter = max(factor * measured, LEAST_DIAMETER)
                trials.append((yield from self._try(diameter, settings)))
            trial = max(trials, key=lambda trial: trial.worth(measured))
        low, high = _BELIEVED
        is_believed = low < trial.found / trial.diameter < high
        return max(trial.found if is_believed else trial.diameter, LEAST_DIAMETER)

    def _try(
        self, diameter: float, settings: SegmentationSettings
    ) -> Steps[None, _Trial]:
        window = _middle(self._image.shape, _WINDOW * _seen_as(diameter) / NOMINAL)
        pieces = yield from self.find(window, diameter, settings)
        found = [piece for piece in pieces if not piece.is_mitotic]
        return _Trial(
            diameter,
            [piece.area for piece in found],
            [piece.confidence for piece in found],
            self._image[window].size,
        )

    def find(
        self,
        window: Box,
        diameter: float,
        settings: SegmentationSettings,
        boldness: float = 1.0,
    ) -> Finding:
        """Find the nuclei in a part of the frame, as that part shows them.

        Parameters
        ----------
        window
            Rows and columns.
        diameter
            Usual diameter of a nucleus in pixels.
        settings
            How dim a nucleus may be, and whether those that touch are parted.
        boldness
            Multiplies the sensitivity.
        """
        yield
        rows, columns = ((side.start, side.stop) for side in window)
        maps = self._maps(rows, columns, _seen_as(diameter))
        yield
        how = self._how(settings.sensitivity * boldness)
        labels = read_faintly(maps, how, split=settings.split)
        yield
        shape = (rows[1] - rows[0], columns[1] - columns[0])
        shown = shown_at(shape, labels, maps, how)
        yield
        least = settings.smallest * np.pi / 4 * diameter**2
        found = _measured(shown, labels, maps, how, window)
        return [piece for piece in found if piece.area >= max(least, 1)]

    def _how(self, sensitivity: float) -> ReadOut:
        """Return the thresholds, lower where dimmer nuclei are asked for."""
        how = self._fitted.how
        return replace(
            how,
            nucleus=min(how.nucleus / sensitivity, 0.95),
            core=min(how.core / sensitivity, 0.95),
        )


def _seen_as(diameter: float) -> float:
    """Return the diameter that is brought to the network's scale."""
    return max(diameter, _LEAST_SEEN)


def _measured(
    shown: Labels, labels: Labels, maps: Maps, how: ReadOut, window: Box
) -> Iterator[Piece]:
    count = int(labels.max(initial=0))
    names = np.arange(1, count + 1)
    sure = np.where(maps.nucleus >= how.nucleus, labels, 0)
    inside = scipy.ndimage.sum_labels(maps.nucleus, sure, names)
    area = np.bincount(sure.ravel(), minlength=count + 1)[1:]
    either = area + scipy.ndimage.sum_labels(maps.nucleus, labels, names) - inside
    mitosis = mean_mitosis(sure, maps, count)
    for name, box in enumerate(scipy.ndimage.find_objects(shown, count), start=1):
        if box is not None:
            yield Piece(
                placed(box, window),
                _in_one_piece(shown[box] == name),
                float(inside[name - 1] / max(either[name - 1], 1)),
                bool(mitosis[name - 1] >= how.mitosis),
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
