"""All that can be said of why some cells were given their patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from training.errors import BadModelError
from training.inference.scorers import Scorer, has_networks
from training.inference.why.orientations import Stability, measure_stability
from training.storage.shown_paths import shown_fault

if TYPE_CHECKING:
    from training.inference.why.neighbours import Neighbour, NeighbourIndex


@dataclass(frozen=True)
class Reasons:
    """Why some cells were given their patterns.

    Attributes
    ----------
    maps : (N, S, S) float32 in 0..1, or None
        See `training.inference.why.maps.class_maps`.
    stability
        See `training.inference.why.orientations.measure_stability`; or None.
    neighbours
        Of each cell, by pattern; None without an index.
    notes
        Sentences on what could not be told, and why.
    """

    maps: npt.NDArray[np.float32] | None
    stability: Stability | None
    neighbours: tuple[tuple[Neighbour, ...], ...] | None
    notes: tuple[str, ...]


def explain_cells(
    model: Scorer,
    crops: npt.NDArray[Any],
    patterns: npt.NDArray[np.int64],
    index: NeighbourIndex | None = None,
) -> Reasons:
    """Explain the patterns of cells, as far as the model allows.

    Parameters
    ----------
    model
        As `training.inference.scorers.load_scorer` returns it. Maps are of networks
        in a safetensors file alone.
    crops : (N, S, S) uint8 or uint16
    patterns : (N,) int64
        The pattern asked about, of each crop, in the order of the vocabulary.
    index
        As `training.inference.why.neighbours.read_index` returns it; None for an
        ONNX file.
    """
    notes = []
    stability = measure_stability(model, crops, patterns)
    if stability is None:
        notes.append(
            "The model's file averages the eight orientations: they cannot "
            "be shown apart."
        )
    maps = _maps(model, crops, patterns, notes)
    if index is None or not len(crops):
        return Reasons(maps, stability, None, tuple(notes))
    from training.inference.why.embeddings import embed

    found = tuple(tuple(index.nearest(one)) for one in embed(model, crops))
    return Reasons(maps, stability, found, tuple(notes))


def _maps(
    model: Scorer,
    crops: npt.NDArray[Any],
    patterns: npt.NDArray[np.int64],
    notes: list[str],
) -> npt.NDArray[np.float32] | None:
    """Return where the model looked, or None and a note that says why not."""
    if not has_networks(model):
        notes.append("Only a network in a safetensors file shows where it looked.")
        return None
    from training.inference.why.maps import class_maps

    try:
        return class_maps(model, crops, patterns)
    except BadModelError as fault:
        notes.append(shown_fault(fault))
        return None
