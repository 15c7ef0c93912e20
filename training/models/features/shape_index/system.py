"""Shape-index histograms with an RBF SVM, as a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from training.config import ShapeIndexSettings
from training.models.base import Scores
from training.models.features.base import Bag, FeatureSystem, Floats
from training.models.features.shape_index.choice import ask, choose, decide, fit_svm
from training.models.features.shape_index.features import derivatives, describe
from training.models.features.svm import to_scores

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_CELLS_AT_ONCE = 16
"""With more, the allocator gives memory back and asks for it again at each step."""


@dataclass(frozen=True)
class _Fitted:
    svm: Pipeline
    sharpness: float


class ShapeIndexSystem(FeatureSystem):
    """Shape-index histograms with an RBF SVM, one against one.

    Parameters
    ----------
    settings
        Of the features, and among which C and gamma the SVM's are chosen.
    n_patterns
        Length of the vocabulary.
    """

    invariant = True

    def __init__(self, settings: ShapeIndexSettings, n_patterns: int) -> None:
        self.settings = settings
        self.n_patterns = n_patterns
        self._fitted: _Fitted | None = None

    @torch.inference_mode()
    def compute(
        self, images: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_]
    ) -> Floats:
        """Return the features of cells, (n, bins * scales * rings) float32."""
        settings = self.settings
        length = settings.bins * len(settings.scales) * settings.rings
        operators = derivatives(images.shape[1], settings.scales)
        found = np.empty((len(images), length), np.float32)
        for start in range(0, len(images), _CELLS_AT_ONCE):
            rows = slice(start, start + _CELLS_AT_ONCE)
            part = torch.tensor(images[rows]), torch.tensor(masks[rows])
            found[rows] = describe(*part, settings, operators).numpy()
        return found

    def fit(self, train: Bag, seed: int, should_stop: Callable[[], bool]) -> None:
        """Choose C and gamma and fit the sharpness on inner folds, then fit on all.

        Raises
        ------
        SpecimensError
            If the training cells, or those of every inner fold, have one pattern only.
        InterruptedRunError
            If `should_stop` said so.
        """
        choice = choose(train, self.settings, self.n_patterns, seed, should_stop)
        ask(should_stop)
        svm = fit_svm(train.features, train.patterns, choice.c, choice.gamma)
        self._fitted = _Fitted(svm, choice.sharpness)

    def members(self, cells: Bag) -> list[Scores]:
        """Return the scores, (n, K) float32, of the one member there is.

        Raises
        ------
        RuntimeError
            If nothing was fitted.
        """
        if self._fitted is None:
            raise RuntimeError("fit comes before members")
        found = decide(self._fitted.svm, cells.features, self.n_patterns)
        return [to_scores(found, self._fitted.sharpness)]
