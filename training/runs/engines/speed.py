"""Training speed of this machine, measured by training."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from training.config import KernelRidgeSettings, NetworkSettings, ShapeIndexSettings
from training.data.cells.cell_set import CellSet
from training.models.base import EpochRecord
from training.models.networks.devices import ResidentCells, choose_device
from training.models.networks.loop import begin, fit
from training.models.networks.parallel_folds import (
    FoldGroup,
    Member,
    can_train_together,
)
from training.runs.classifiers import build_classifier
from training.splits.samples import Rows, Samples

_CELLS_OF_A_SPECIMEN = 10
"""Of so many the features are timed, and a fold is fitted."""


def measure_fold(
    settings: ShapeIndexSettings | KernelRidgeSettings, cells: CellSet, train: Rows
) -> tuple[float, float]:
    """Return the seconds of the features of a cell, and of a fold with its choices.

    A few cells of each training specimen are fitted on. A kernel ridge regression takes
    as long for all of them; an SVM longer by the square of their number.

    Parameters
    ----------
    settings
        The recipe that is timed.
    cells
        The cell set, with masks.
    train : (n,) int64
        Training cells of the fold.
    """
    _, position = np.unique(cells.specimens[train], return_inverse=True)
    order = np.argsort(position, kind="stable")
    starts = np.searchsorted(position[order], position[order])
    rows = np.sort(order[np.arange(len(order)) - starts < _CELLS_OF_A_SPECIMEN])
    few = cells.take(train[rows])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        classifier = build_classifier(settings, few, "cpu", Path(folder))
        classifier.prepare(1)
        features = time.perf_counter() - started
        started = time.perf_counter()
        everything = np.arange(len(few))
        for _ in classifier.fit(Samples.plain(everything), everything[:1], seed=0):
            pass
        fold = time.perf_counter() - started
    if isinstance(settings, ShapeIndexSettings):
        fold *= (len(train) / len(few)) ** 2
    return features / len(few), fold


def measure_speed(
    network: NetworkSettings,
    n_patterns: int,
    device: str,
    workers: int = 1,
    seconds: float = 1.0,
) -> float:
    """Return the training images per second of all workers, now.

    On a CPU one process of one thread is timed, and as many are taken to be as fast; on
    a GPU the folds are timed side by side.

    Parameters
    ----------
    network
        The recipe that is timed, on noise.
    n_patterns
        Length of the vocabulary.
    device
        Where it is timed.
    workers
        How many folds train at once.
    seconds
        About how long.
    """
    shape = (network.batch_size, network.input_size, network.input_size)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    patterns = np.arange(network.batch_size) % n_patterns
    cells = ResidentCells.place(images, patterns, choose_device(device))
    long = network.model_copy(update={"epochs": 1000, "vote_epochs": 1})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if cells.device.type == "cpu" or not can_train_together(network):
            epochs = _alone(long, cells, n_patterns)
        else:
            epochs = _together(long, cells, n_patterns, workers)
        next(epochs)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            next(epochs)
            steps += 1
        speed = steps * network.batch_size / (time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return speed * (workers if cells.device.type == "cpu" else 1)


def _alone(
    network: NetworkSettings, cells: ResidentCells, n_patterns: int
) -> Iterator[EpochRecord]:
    """Train on one batch an epoch."""
    samples = Samples.plain(np.arange(network.batch_size))
    steps = fit(begin(network, n_patterns, 0), cells, samples, network, seed=0)
    return (step for step in steps if isinstance(step, EpochRecord))


def _together(
    network: NetworkSettings, cells: ResidentCells, n_patterns: int, size: int
) -> Iterator[EpochRecord]:
    """Train folds side by side, on one batch an epoch; each yields its epochs."""
    rows = np.arange(network.batch_size)
    members = [
        Member(begin(network, n_patterns, 0), Samples.plain(rows), rows, seed)
        for seed in range(size)
    ]
    steps = FoldGroup(network, cells, n_patterns, size).fit(members)
    return (step for _, step in steps if isinstance(step, EpochRecord))
