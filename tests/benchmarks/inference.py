"""How much faster cells are scored than by a plain call of the network.

    OMP_NUM_THREADS=1 python tests/benchmarks/inference.py

One call of the network on all cells, as a user would write it, against a model that
torch or ONNX Runtime runs; then cutting and scoring a whole frame. One thread, CPU
time, turns taken in one run. The network is the paper's at 0.3 of its width.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.cards import ModelCard
from training.classifiers.architectures import build_network
from training.config import (
    ExtractionSettings,
    PaperNetworkSettings,
    SimulationSettings,
    TrainingSetSettings,
)
from training.data.cells import pack_images
from training.data.extraction import extract_cells
from training.data.images import read_frame, read_mask
from training.data.layouts import read_collection
from training.data.simulation import simulate
from training.models import Model
from training.patterns import I3A
from training.scorers import Scorer

Array = npt.NDArray[Any]
_WIDTH = 0.3


def peer(network: nn.Module, packed: Array) -> Array:
    """Score cells as a user would write it: one call, gradients on, NCHW."""
    images = torch.from_numpy(packed).float().unsqueeze(1) / 255
    scores: Tensor = torch.softmax(network(images), dim=1)
    return scores.detach().numpy()


def models() -> tuple[nn.Module, Model]:
    """Return one network with random weights, plain and as a model of one voter."""
    settings = PaperNetworkSettings(width=_WIDTH, vote_epochs=1)

    def network() -> nn.Module:
        generator = torch.Generator().manual_seed(0)
        return build_network(settings, len(I3A), generator).eval()

    card = ModelCard(
        name="benchmark",
        vocabulary=I3A.name,
        patterns=I3A.names,
        classifier=settings,
        training_set=TrainingSetSettings(),
        trained_on="nothing",
        cells=0,
        specimens=(),
        data_fingerprint="",
    )
    placed = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network(), Model(card, I3A, (placed,))


def frame(cells: int = 200) -> tuple[Array, Array]:
    """Return a simulated frame of 1388 x 1040 pixels and its mask."""
    words = {"specimens": "1", "cells_min": str(cells), "cells_max": str(cells)}
    with tempfile.TemporaryDirectory() as folder:
        list(simulate(Path(folder), SimulationSettings.parse(words)))
        one = read_collection(Path(folder)).specimens[0].frames[0]
        image = read_frame(one.image).pixels
        height, width = image.shape
        assert one.mask is not None
        return image, read_mask(one.mask, (height, width))


def in_turn(*calls: Callable[[], object], rounds: int = 5) -> list[float]:
    """Return the median CPU seconds of each call, of rounds in which all take turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, its in zip(calls, seconds, strict=True):
            started = time.process_time()
            call()
            its.append(time.process_time() - started)
    # The first round warms up.
    return [statistics.median(its[1:]) for its in seconds]


def measure() -> dict[str, float]:
    """Return seconds and ratios, of 200 cells; those of ONNX where it is installed.

    ``cut_and_scored_seconds`` is cutting a frame and scoring its cells, by torch.

    Raises
    ------
    AssertionError
        If the scores differ by more than 1e-5, or a pattern differs.
    """
    torch.set_num_threads(1)
    network, model = models()
    image, mask = frame()
    crops = extract_cells(image, mask, ExtractionSettings()).crops
    crops = np.resize(crops, (200, *crops.shape[1:]))
    packed = pack_images(crops, model.card.classifier.input_size)
    scorers: dict[str, Scorer] = {"torch": model}
    with tempfile.TemporaryDirectory() as folder:
        if find_spec("onnx") and find_spec("onnxruntime"):
            from training.onnx_export import export_onnx
            from training.onnx_models import load_onnx_model

            written = export_onnx(model, Path(folder) / "model.onnx")
            scorers["onnx"] = load_onnx_model(written, threads=1)
    expected = peer(network, packed)
    for scorer in scorers.values():
        scores = scorer.scores(packed)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(scores.argmax(1), expected.argmax(1))

    def cut_and_score() -> None:
        cells = extract_cells(image, mask, ExtractionSettings())
        model.scores(np.resize(cells.crops, crops.shape))

    calls = [lambda scorer=scorer: scorer.scores(packed) for scorer in scorers.values()]
    first, whole, *others = in_turn(
        lambda: peer(network, packed), cut_and_score, *calls
    )
    found = {"cells": len(packed), "peer_seconds": first}
    for name, seconds in zip(scorers, others, strict=True):
        found |= {f"{name}_seconds": seconds, f"{name}_ratio": first / seconds}
    return found | {"cut_and_scored_seconds": whole}


def main() -> None:
    """Print the figures."""
    for name, value in measure().items():
        print(f"{name}: {value:.4g}")


if __name__ == "__main__":
    main()
