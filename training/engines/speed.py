"""How fast this machine trains, measured by training."""

from __future__ import annotations

import time

import numpy as np
import torch

from training.classifiers.base import Samples
from training.config import NetworkSettings
from training.fitting import ResidentCells, begin, choose_device, fit


def measure_speed(
    network: NetworkSettings, n_patterns: int, device: str, seconds: float = 1.0
) -> float:
    """Return the training images per second of one process of one thread, now.

    Parameters
    ----------
    network
        The recipe that is timed, on noise.
    n_patterns
        Length of the vocabulary.
    device
        Where it is timed.
    seconds
        About how long.
    """
    shape = (network.batch_size, network.input_size, network.input_size)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    patterns = np.arange(network.batch_size) % n_patterns
    cells = ResidentCells.place(images, patterns, choose_device(device))
    one_epoch = network.model_copy(update={"epochs": 1000, "vote_epochs": 1})
    rows = np.arange(network.batch_size)
    state, samples = begin(one_epoch, n_patterns, 0), Samples.plain(rows)
    records = fit(state, cells, samples, one_epoch, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        next(records)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            next(records)
            steps += 1
        return steps * network.batch_size / (time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
