"""Checkpoints of the fit of a model until it is written, so that it can continue.

Beside ``NAME.safetensors`` stands the folder ``NAME.fit`` meanwhile: the checkpoints of
the fit, what it fits (`fit.json`), and a lock. The same command goes on from there;
another one in its place begins anew.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from training.config import (
    KernelRidgeSettings,
    NetworkSettings,
    TrainingSetSettings,
)
from training.data.cells.cell_set import CellSet
from training.inference.cards import ModelCard
from training.inference.kernel_model import KernelModel, save_kernel_model
from training.inference.model_file import save_model
from training.models.base import EpochRecord
from training.models.features.kernel_ridge import KernelRidge
from training.models.networks.checkpoint_files import drop_checkpoints
from training.models.networks.checkpoints import load_checkpoint, save_checkpoint
from training.models.networks.devices import ResidentCells, choose_device
from training.models.networks.loop import begin, fit
from training.runs.classifiers import build_classifier
from training.splits.samples import Samples
from training.splits.sampling import choose_samples
from training.storage.locks import locked
from training.storage.paths import own_path
from training.storage.reading import read_json
from training.storage.writing import storage_error, write_json

_WHAT = "fit.json"
_PACKAGES = ("napari-hep2", "torch")


@contextmanager
def kept_fit(model: Path, what: dict[str, object]) -> Iterator[Path]:
    """Hold the folder of a model's fit; remove it when the model was written.

    Parameters
    ----------
    model
        The safetensors file that is being made.
    what
        All that decides the fit, as JSON content; checkpoints of another are dropped.

    Yields
    ------
    folder
        For the checkpoints; it is left where the block ends by an exception.

    Raises
    ------
    RunLockedError
        If another process fits this model now.
    StorageError
        If the folder cannot be written.
    """
    folder = own_path(model.parent, f"{model.stem}.fit")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise storage_error(folder, fault) from fault
    with locked(folder):
        if _read(folder / _WHAT) != what:
            drop_checkpoints(folder)
            write_json(folder / _WHAT, what)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def describe_fit(
    cells: CellSet,
    settings: NetworkSettings,
    training_set: TrainingSetSettings,
    seed: int,
) -> dict[str, object]:
    """Return all that decides a fit, as JSON content."""
    return {
        "data_fingerprint": cells.fingerprint,
        "patterns": list(cells.vocabulary.names),
        "classifier": settings.model_dump(mode="json"),
        "training_set": training_set.model_dump(mode="json"),
        "seed": seed,
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _read(path: Path) -> object:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def fit_model(
    name: str,
    cells: CellSet,
    settings: NetworkSettings | KernelRidgeSettings,
    path: Path,
    training_set: TrainingSetSettings | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    measured: str = "not measured",
    nucleus_share: float | None = None,
    simulated: bool = False,
    frames: tuple[str, ...] = (),
) -> Iterator[EpochRecord]:
    """Fit one model on all cells and write it and its card.

    A network is kept after each epoch: where the same fit was interrupted, it goes on.

    Parameters
    ----------
    name
        Of the model.
    cells
        All are trained on; nothing is held out.
    settings
        The recipe.
    path
        The safetensors file; the card goes beside it.
    training_set
        Which cells, and in which views; all in one view by default.
    seed, device
        As in `training.models.networks.loop`.
    measured
        Held-out figures of the same recipe, for the card.
    nucleus_share
        Of the cells, as `training.data.cells.nucleus_share` measures it, for the card.
    simulated
        Whether all cells are simulated, for the card.
    frames
        As `training.data.cells.frame_hashes` returns them, for the card.

    Yields
    ------
    record
        One an epoch, those kept from before first; the files are written after the
        last.

    Raises
    ------
    RunLockedError, StorageError
        See `training.runs.final_fit.kept_fit`.
    """
    training_set = training_set or TrainingSetSettings()
    samples = choose_samples(cells, np.arange(len(cells)), training_set, seed)
    card = _card(name, cells, settings, training_set, samples)
    told = {"measured": measured, "nucleus_share": nucleus_share}
    known = {"simulated": simulated, "frames": frames}
    card = card.model_copy(update={**told, **known})
    if isinstance(settings, KernelRidgeSettings):
        yield from _fit_kernel_ridge(card, cells, settings, path, samples)
        return
    resident = ResidentCells.place(cells.images, cells.patterns, choose_device(device))
    state = begin(settings, len(cells.vocabulary), seed)
    with kept_fit(path, describe_fit(cells, settings, training_set, seed)) as folder:
        load_checkpoint(folder, state)
        yield from tuple(state.history)
        steps = fit(state, resident, samples, settings, seed=seed, keep_voters=True)
        for step in steps:
            if isinstance(step, EpochRecord):
                save_checkpoint(folder, state)
                yield step
        save_model(path, card, state.voters)


def _fit_kernel_ridge(
    card: ModelCard,
    cells: CellSet,
    settings: KernelRidgeSettings,
    path: Path,
    samples: Samples,
) -> Iterator[EpochRecord]:
    """Choose and fit on all cells, and write the model."""
    classifier = build_classifier(settings, cells, "cpu")
    assert isinstance(classifier, KernelRidge)
    rows = np.unique(samples.rows)
    started = time.perf_counter()
    choice = classifier.choose(rows)
    fitted = classifier.solve(rows, choice)
    yield classifier.record(fitted, rows, started)
    model = KernelModel(
        card.model_copy(update={"chosen": classifier.chosen(choice)}),
        cells.vocabulary,
        classifier.fourier,
        fitted.coefficients,
        fitted.patterns,
        choice.sharpness,
    )
    save_kernel_model(path, model)


def _card(
    name: str,
    cells: CellSet,
    settings: NetworkSettings | KernelRidgeSettings,
    training_set: TrainingSetSettings,
    samples: Samples,
) -> ModelCard:
    named = cells.specimens[(cells.specimens != "") & ~cells.simulated]
    return ModelCard(
        name=name,
        vocabulary=cells.vocabulary.name,
        patterns=cells.vocabulary.names,
        classifier=settings,
        training_set=training_set,
        trained_on=cells.source,
        cells=len(np.unique(samples.rows)),
        specimens=tuple(np.unique(named).tolist()),
        data_fingerprint=cells.fingerprint,
    )
