"""Training cells that a model sees as it sees another cell.

An index is one safetensors file beside a model: the embeddings of some of its training
cells, their patterns, specimens and small pictures. It is made from the user's own
training data and holds nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from training.data.cells.cell_set import CellSet, pack_images
from training.errors import BadModelError, BadSettingError
from training.inference.scorers import Scorer
from training.inference.why.embeddings import embed_packed
from training.models.networks.weights import StoredTensor, read_header
from training.patterns import Vocabulary
from training.storage.reading import parse_json
from training.storage.writing import write_bytes

SUFFIX = ".neighbours.safetensors"
PICTURE = 48
"""Side of the pictures in an index, in pixels."""

CELLS_PER_SPECIMEN = 40
"""Cells of each training specimen that an index holds unless told otherwise."""

_FORMAT = 1
_MAX_FILE = 2_000_000_000
_REMEDY = "make it again with: hep2 neighbours"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    """A training cell that resembles another cell.

    Attributes
    ----------
    pattern
        Its index in the vocabulary.
    specimen, cell
        Which it is.
    likeness
        Cosine of the angle between the embeddings of both, -1..1.
    picture : (48, 48) uint8
    """

    pattern: int
    specimen: str
    cell: str
    likeness: float
    picture: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class NeighbourIndex:
    """Training cells of a model, to be looked up by likeness.

    Attributes
    ----------
    embeddings : (M, D) float32
        Of length 1, after the mean over the index was taken off.
    mean : (D,) float32
    patterns : (M,) int64
    specimens, cells : (M,) str
    pictures : (M, 48, 48) uint8
    model, data
        Hash of the weights, and fingerprint of the training cells.
    """

    embeddings: Floats
    mean: Floats
    patterns: npt.NDArray[np.int64]
    specimens: npt.NDArray[np.str_]
    cells: npt.NDArray[np.str_]
    pictures: npt.NDArray[np.uint8]
    model: str
    data: str

    def __len__(self) -> int:
        return len(self.embeddings)

    def nearest(self, embedding: Floats, count: int = 1) -> list[Neighbour]:
        """Return the training cells of each pattern that are most alike.

        Parameters
        ----------
        embedding : (D,) float32
            As `training.inference.why.embeddings.embed` returns it.
        count
            How many of each pattern, each of another specimen.

        Returns
        -------
        neighbours
            By pattern, the most alike first.
        """
        likeness = self.embeddings @ _unit(embedding - self.mean)
        found = []
        for pattern in np.unique(self.patterns).tolist():
            rows = np.flatnonzero(self.patterns == pattern)
            rows = rows[np.argsort(-likeness[rows], kind="stable")]
            _, first = np.unique(self.specimens[rows], return_index=True)
            for row in rows[np.sort(first)[:count]].tolist():
                found.append(self._neighbour(row, float(likeness[row])))
        return found

    def _neighbour(self, row: int, likeness: float) -> Neighbour:
        return Neighbour(
            int(self.patterns[row]),
            str(self.specimens[row]),
            str(self.cells[row]),
            likeness,
            self.pictures[row],
        )


def build_index(
    model: Scorer,
    weights: Path,
    cells: CellSet,
    rng: np.random.Generator,
    per_specimen: int = CELLS_PER_SPECIMEN,
) -> NeighbourIndex:
    """Return the index of a model's training cells.

    Parameters
    ----------
    model, weights
        The model and its safetensors file.
    cells
        Those that it was fitted on.
    rng
        Draws the cells of a specimen that has more than `per_specimen`.

    Raises
    ------
    BadModelError
        If such a model has no embeddings; see `embed_packed`.
    BadSettingError
        If the cells are not those of the model's card.
    """
    if cells.fingerprint != model.card.data_fingerprint:
        raise BadSettingError(
            "--data",
            f"these are not the cells that {model.card.name} was fitted on",
            f"give those of its card: {model.card.trained_on}",
        )
    rows = _drawn(cells.specimens, rng, per_specimen)
    images = cells.images[rows]
    found = embed_packed(model, np.ascontiguousarray(images))
    mean = found.mean(axis=0)
    return NeighbourIndex(
        _unit(found - mean),
        mean,
        cells.patterns[rows],
        cells.specimens[rows],
        cells.ids[rows],
        pack_images(images, PICTURE),
        file_hash(weights),
        cells.fingerprint,
    )


def write_index(path: Path, index: NeighbourIndex) -> None:
    """Write an index as one safetensors file.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    about = {
        "format": _FORMAT,
        "model": index.model,
        "data": index.data,
        "specimens": index.specimens.tolist(),
        "cells": index.cells.tolist(),
    }
    words = np.frombuffer(json.dumps(about).encode(), np.uint8)
    tensors = {
        "about": words,
        "embeddings": index.embeddings,
        "mean": index.mean,
        "patterns": index.patterns,
        "pictures": index.pictures,
    }
    write_bytes(path, save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))


def index_path(weights: Path) -> Path:
    """Return where the index of a model lies: beside its weights."""
    return weights.with_name(weights.stem + SUFFIX)


def read_index(path: Path, weights: Path, vocabulary: Vocabulary) -> NeighbourIndex:
    """Read the index of a model.

    Parameters
    ----------
    path
        As `index_path` gives it.
    weights
        The model's safetensors file.
    vocabulary
        Of the model.

    Raises
    ------
    BadModelError
        If there is none, or it is damaged, or of another model.
    """
    if not path.is_file():
        raise BadModelError(
            path,
            "there is no index of training cells",
            "make it with: hep2 neighbours MODEL --data TRAINING-DATA",
        )
    header = read_header(path, _REMEDY)
    if not _fits(header) or path.stat().st_size > _MAX_FILE:
        raise BadModelError(path, "it is not an index of training cells", _REMEDY)
    try:
        stored = load_file(path)
        about = parse_json(stored["about"].tobytes())
        index = NeighbourIndex(
            stored["embeddings"],
            stored["mean"],
            stored["patterns"],
            np.asarray(about["specimens"], np.str_),
            np.asarray(about["cells"], np.str_),
            stored["pictures"],
            str(about["model"]),
            str(about["data"]),
        )
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as fault:
        raise BadModelError(path, "it is damaged", _REMEDY) from fault
    _check(index, about, path, len(vocabulary))
    if index.model != file_hash(weights):
        raise BadModelError(path, "it was made for another model", _REMEDY)
    return index


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    BadModelError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as fault:
        raise BadModelError(
            path, "the file cannot be read", "check its name and folder"
        ) from fault


def _fits(header: dict[str, StoredTensor]) -> bool:
    """Return whether the shapes go together, before anything large is read."""
    kinds = {name: stored.dtype for name, stored in header.items()}
    if kinds != {
        "about": "U8",
        "embeddings": "F32",
        "mean": "F32",
        "patterns": "I64",
        "pictures": "U8",
    }:
        return False
    shapes = {name: stored.shape for name, stored in header.items()}
    if len(shapes["embeddings"]) != 2 or len(shapes["about"]) != 1:
        return False
    count, width = shapes["embeddings"]
    return (
        shapes["mean"] == (width,)
        and shapes["patterns"] == (count,)
        and shapes["pictures"] == (count, PICTURE, PICTURE)
    )


def _check(
    index: NeighbourIndex, about: dict[str, Any], path: Path, n_patterns: int
) -> None:
    named = len(index.specimens) == len(index.cells) == len(index)
    known = ((index.patterns >= 0) & (index.patterns < n_patterns)).all()
    finite = np.isfinite(index.embeddings).all() and np.isfinite(index.mean).all()
    if about.get("format") != _FORMAT or not (named and known and finite):
        raise BadModelError(path, "it is not an index for this kind of model", _REMEDY)


def _drawn(
    specimens: npt.NDArray[np.str_], rng: np.random.Generator, most: int
) -> npt.NDArray[np.int64]:
    rows = []
    for specimen in np.unique(specimens):
        its = np.flatnonzero(specimens == specimen)
        if len(its) > most:
            its = rng.choice(its, most, replace=False)
        rows.append(np.sort(its))
    return np.concatenate(rows).astype(np.int64)


def _unit(values: Floats) -> Floats:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return (values / np.maximum(length, 1e-12)).astype(np.float32)
