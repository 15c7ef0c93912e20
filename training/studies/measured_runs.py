"""Finished runs of one recipe that differ in the size of their training set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.config import TrainingSetSettings
from training.data.cells.cell_set import CellSet
from training.errors import BadRunError
from training.evaluation.predictions import Predictions
from training.runs.execution import load_cells
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.splits.protocols import make_folds
from training.splits.sampling import choose_samples


@dataclass(frozen=True)
class Measured:
    """A finished run as a point of a curve, before runs of other seeds are added.

    Attributes
    ----------
    share
        (of the specimens, of the cells of each) that it trained on.
    specimens, cells
        That a fold trained on, mean over the folds.
    said
        What it said of the held-out cells.
    """

    run: RunFolder
    config: RunConfig
    share: tuple[float, float]
    specimens: float
    cells: float
    said: Predictions


def measured_run(run: RunFolder) -> Measured:
    """Read a finished run, and count what its folds trained on.

    Raises
    ------
    BadRunError
        If it is not finished, ignored specimens, or its cells have changed since.
    """
    config = run.config()
    if config.protocol.protocol == "k-fold":
        raise BadRunError(
            run.path, "its folds ignore specimens", "use a run under loso or group-k"
        )
    said = read_predictions(run)
    cells, _ = load_cells(config)
    if cells.fingerprint != run.description()["data_fingerprint"]:
        raise BadRunError(run.path, "its cells have changed since", "repeat the runs")
    settings, seed = config.training_set, config.protocol.seed
    sizes = []
    for fold in make_folds(cells, config.protocol).folds:
        rows = np.unique(choose_samples(cells, fold.train, settings, seed).rows)
        sizes.append((len(np.unique(cells.specimens[rows])), len(rows)))
    specimens, count = np.mean(sizes, axis=0)
    share = settings.specimen_share, _cell_share(settings, float(count), cells, config)
    return Measured(run, config, share, float(specimens), float(count), said)


def _cell_share(
    settings: TrainingSetSettings, count: float, cells: CellSet, config: RunConfig
) -> float:
    """Return the share of the cells of each specimen, also where a number was drawn."""
    if not settings.cells_per_specimen:
        return settings.cell_share
    whole = settings.model_copy(update={"cells_per_specimen": 0, "cell_share": 1.0})
    seed = config.protocol.seed
    sizes = [
        len(np.unique(choose_samples(cells, fold.train, whole, seed).rows))
        for fold in make_folds(cells, config.protocol).folds
    ]
    return round(count / float(np.mean(sizes)), 2)


_VARIED = {"specimen_share": 1.0, "cell_share": 1.0, "cells_per_specimen": 0}


def check_alike(measured: Sequence[Measured]) -> None:
    """Refuse runs that differ in more than size and seed, or held out other cells.

    Raises
    ------
    BadRunError
        If they do, or there is none.
    """
    if not measured:
        raise BadRunError("the runs", "there is none", "give some finished runs")
    first = measured[0]
    ids = np.sort(first.said.ids)
    for one in measured[1:]:
        if _recipe(one.config) != _recipe(first.config):
            raise BadRunError(
                one.run.path,
                f"it differs from {first.run.path} in more than its training set",
                "compare runs of one experiment with the same settings",
            )
        if not np.array_equal(np.sort(one.said.ids), ids):
            raise BadRunError(
                one.run.path,
                f"it held out other cells than {first.run.path}",
                "compare runs on the same data",
            )


def _recipe(config: RunConfig) -> dict[str, Any]:
    """Return what the runs of a study have in common."""
    content = config.model_dump()
    for key in ("device", "workers", "engine", "data", "layout"):
        del content[key]
    for key in _VARIED:
        del content["training_set"][key]
    del content["protocol"]["seed"]
    return content


def is_simulated(run: RunFolder) -> bool:
    """Return whether the cells of a run are simulated, by its notes."""
    return any("simulated" in note for note in run.state().notes)
