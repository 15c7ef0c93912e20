"""A fitted kernel ridge regression as a model, in a safetensors file with its card.

Its features need the nucleus: a mask is made from each crop, as for the cells of a cell
folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from training.config import KernelRidgeSettings
from training.data.cells.cell_set import pack_images
from training.data.masks.single_crops import crop_mask
from training.errors import BadModelError
from training.inference.cards import ModelCard, known_vocabulary, replace_model
from training.models.features.families import FamilyFeatures
from training.models.features.kernel_ridge.fourier import FourierMap
from training.models.features.kernel_ridge.sums import decide
from training.models.features.svm import to_scores
from training.models.networks.weights import StoredTensor, read_header
from training.patterns import Vocabulary

_REMEDY = "copy both files again"


@dataclass(frozen=True)
class KernelModel:
    """A fitted kernel ridge regression, ready to score crops.

    See `training.inference.scorers.Scorer`.

    Attributes
    ----------
    card
        What it is.
    vocabulary
        The patterns, in the order of its scores.
    fourier
        Map of features to what it is linear in.
    coefficients : (D, K) float64
    patterns : (C,) int64
        That it was trained on.
    sharpness
        Of its decisions.
    """

    card: ModelCard
    vocabulary: Vocabulary
    fourier: FourierMap
    coefficients: npt.NDArray[np.float64]
    patterns: npt.NDArray[np.int64]
    sharpness: float

    def scores(self, crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the scores of crops, (N, K) float32; see `Scorer.scores`."""
        if len(crops) == 0:
            return np.zeros((0, len(self.vocabulary)), np.float32)
        packed = pack_images(crops, self.card.classifier.input_size)
        lifted = self.lifted(packed).astype(np.float64)
        decisions = decide(lifted, self.coefficients, self.patterns)
        return to_scores(decisions, self.sharpness)

    def lifted(self, packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return what the decisions on images are linear in, (N, D) float32.

        Parameters
        ----------
        packed : (N, S, S) uint8
            At least one, of the card's input size.
        """
        masks = np.stack([crop_mask(image) for image in packed])
        features = FamilyFeatures(settings_of(self.card)).compute(packed, masks)
        return self.fourier.lift(features)


def settings_of(card: ModelCard) -> KernelRidgeSettings:
    """Return the settings of a card that is of a kernel ridge regression.

    Raises
    ------
    TypeError
        If it is not.
    """
    if not isinstance(card.classifier, KernelRidgeSettings):
        raise TypeError(f"{card.name} is not a kernel ridge regression")
    return card.classifier


def save_kernel_model(path: Path, model: KernelModel) -> None:
    """Write a model and its card.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    tensors: dict[str, npt.NDArray[Any]] = {
        "coefficients": model.coefficients,
        "patterns": model.patterns,
        "sharpness": np.array([model.sharpness]),
    }
    for number, drawn in enumerate(model.fourier.frequencies):
        tensors[f"frequencies{number}"] = drawn
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    replace_model(path, model.card, save(whole))


def load_kernel_model(path: Path, card: ModelCard) -> KernelModel:
    """Read a model whose card was read.

    Raises
    ------
    BadModelError
        If the file is missing, damaged, hostile or does not fit the card.
    """
    path = path.with_suffix(".safetensors")
    vocabulary = known_vocabulary(card, path)
    header = read_header(path, remedy=_REMEDY)
    families, names = FamilyFeatures(settings_of(card)).families, []
    size = settings_of(card).fourier
    trained = header.get("patterns", StoredTensor("I64", (1,))).shape
    expected = {
        "coefficients": StoredTensor(
            "F64", (len(families) * size + 1, len(vocabulary))
        ),
        "patterns": StoredTensor("I64", trained),
        "sharpness": StoredTensor("F64", (1,)),
    }
    for number, family in enumerate(families):
        names.append(f"frequencies{number}")
        expected[names[-1]] = StoredTensor("F32", (family.length, size // 2))
    if header != expected:
        raise BadModelError(path, "its weights do not fit its card", _REMEDY)
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise BadModelError(path, "the weights are damaged", _REMEDY) from fault
    patterns, coefficients = stored["patterns"], stored["coefficients"]
    known = np.isin(patterns, np.arange(len(vocabulary))).all()
    numbers = [coefficients, stored["sharpness"], *(stored[name] for name in names)]
    if (
        patterns.ndim != 1
        or not known
        or not len(patterns)
        or not all(np.isfinite(some).all() for some in numbers)
    ):
        raise BadModelError(path, "the weights are damaged", _REMEDY)
    fourier = FourierMap(tuple(stored[name] for name in names))
    sharpness = float(stored["sharpness"][0])
    return KernelModel(card, vocabulary, fourier, coefficients, patterns, sharpness)
