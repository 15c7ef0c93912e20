"""Interface of what scores crops: torch or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from training.config import KernelRidgeSettings
from training.data.cells.orientations import VIEWS, turned_crops
from training.errors import BadSettingError
from training.inference.cards import ModelCard, read_card
from training.patterns import Vocabulary

if TYPE_CHECKING:
    from training.inference.model_file import Model

Backend = Literal["auto", "torch", "onnx"]


class Scorer(Protocol):
    """A fitted classifier, ready to score crops."""

    @property
    def card(self) -> ModelCard:
        """Card of the model."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The patterns, in the order of its scores."""

    def scores(self, crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the scores of crops.

        Parameters
        ----------
        crops : (N, S, S) uint8 or uint16

        Returns
        -------
        scores : (N, K) float32
            Rows sum to 1.
        """


def has_networks(model: Scorer) -> TypeGuard[Model]:
    """Return whether a scorer has its networks available, without loading torch."""
    return hasattr(model, "voters")


def score_views(
    model: Scorer, crops: npt.NDArray[Any]
) -> npt.NDArray[np.float32] | None:
    """Score crops in each of their eight views, whatever views the card averages.

    Parameters
    ----------
    model
        As `load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16

    Returns
    -------
    scores : (8, N, K) float32
        None where the model's file averages the views itself, so that one view cannot
        be scored alone.
    """
    score = _one_view(model)
    if score is None:
        return None
    return np.stack([score(turned_crops(crops, v)) for v in range(VIEWS)])


def _one_view(
    model: Scorer,
) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]] | None:
    if model.card.classifier.test_views == 1:
        return model.scores
    if not has_networks(model):
        return None
    settings = model.card.classifier.model_copy(update={"test_views": 1})
    card = model.card.model_copy(update={"classifier": settings})
    return replace(model, card=card).scores


def _load(path: Path, device: str) -> Scorer:
    card = read_card(path.with_suffix(".json"))
    if isinstance(card.classifier, KernelRidgeSettings):
        from training.inference.kernel_model import load_kernel_model

        return load_kernel_model(path, card)
    from training.inference.model_file import load_model

    return load_model(path, device)


def load_scorer(path: Path, backend: Backend = "auto", device: str = "auto") -> Scorer:
    """Read a model for the backend that is to compute its scores.

    Parameters
    ----------
    path
        A safetensors file with its card, or an ONNX file.
    backend : {'auto', 'torch', 'onnx'}
        ``auto`` goes by the name of the file; the others read the file of that name
        that is theirs. torch is not imported for ``onnx``.
    device
        auto, cpu or cuda; ONNX Runtime computes on the CPU.

    Raises
    ------
    BadModelError
        If the model is missing, damaged or hostile.
    BadSettingError
        If ONNX Runtime is not installed, or is asked to compute on a GPU.
    """
    if backend == "auto":
        backend = "onnx" if path.suffix == ".onnx" else "torch"
    if backend == "torch":
        return _load(path, device)
    if device == "cuda":
        raise BadSettingError(
            "--device cuda", "ONNX Runtime computes on the CPU", "use --backend torch"
        )
    from training.inference.onnx_model import load_onnx_model

    return load_onnx_model(path)
