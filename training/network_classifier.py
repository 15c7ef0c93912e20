"""A network as a classifier: the training loop of a fold, with its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.checkpoints import load_checkpoint, save_checkpoint
from training.classifiers.base import Classifier, EpochRecord, Fit, Rows, Samples
from training.config import NetworkSettings
from training.fitting import FitState, ResidentCells, begin, fit, held_out_vote


class NetworkClassifier(Classifier):
    """A network bound to a cell set on its device.

    Parameters
    ----------
    settings
        Architecture and recipe.
    cells
        On the device, once for all folds.
    n_patterns
        Length of the vocabulary.
    """

    def __init__(
        self, settings: NetworkSettings, cells: ResidentCells, n_patterns: int
    ) -> None:
        self.epochs = settings.epochs
        self._settings = settings
        self._cells = cells
        self._n_patterns = n_patterns

    def history(self, folder: Path) -> list[EpochRecord]:
        """Return the records of the epochs that the checkpoint in `folder` holds."""
        return self._begin(folder, seed=0).history

    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,
        folder: Path | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Train from the checkpoint in `folder`, or from the start; see `Classifier`.

        A checkpoint is written after each epoch, before its record is yielded.
        """
        state = self._begin(folder, seed)
        records = fit(
            state,
            self._cells,
            train,
            self._settings,
            seed=seed,
            test=test,
            should_stop=should_stop,
        )
        for record in records:
            if folder is not None:
                save_checkpoint(folder, state)
            yield record
        return held_out_vote(state)

    def _begin(self, folder: Path | None, seed: int) -> FitState:
        state = begin(self._settings, self._n_patterns, seed)
        if folder is not None:
            load_checkpoint(folder, state)
        return state
