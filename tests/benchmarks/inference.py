"""How much faster cells are scored than by a plain call of the network.

    OMP_NUM_THREADS=1 python tests/benchmarks/inference.py

One call of the network on all cells, as a user would write it, against a model that
torch or ONNX Runtime runs; then cutting and scoring a whole frame. One thread, CPU
time, turns taken in one run. The network is the paper's at half its width.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from side_by_side import Row, frame, in_turn, print_rows
from torch import Tensor, nn

from training.config import (
    ExtractionSettings,
    PaperNetworkSettings,
    TrainingSetSettings,
)
from training.data.cells.cell_set import pack_images
from training.data.cells.extraction import extract_cells
from training.inference.cards import ModelCard
from training.inference.model_file import Model
from training.inference.scorers import Scorer
from training.models.networks.architectures import build_network
from training.patterns import I3A

Array = npt.NDArray[Any]
_WIDTH = 0.5


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
            from training.inference.onnx_export import export_onnx
            from training.inference.onnx_model import load_onnx_model

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
        lambda: peer(network, packed), cut_and_score, *calls, rounds=5
    )
    found = {"cells": len(packed), "peer_seconds": first}
    for name, seconds in zip(scorers, others, strict=True):
        found |= {f"{name}_seconds": seconds, f"{name}_ratio": first / seconds}
    return found | {"cut_and_scored_seconds": whole}


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    found = measure()
    peer_seconds, whole = found["peer_seconds"], found["cut_and_scored_seconds"]
    made = [
        Row(
            f"inference: {found['cells']:.0f} cells by {title}, against an eager call",
            found.get(f"{name}_ratio"),
            "at least",
            bound,
            "x",
            peer_seconds,
            found.get(f"{name}_seconds"),
            "identical patterns" if f"{name}_ratio" in found else "not installed",
        )
        for name, title, bound in (
            ("torch", "torch", 2.8),
            ("onnx", "ONNX Runtime", 3.5),
        )
    ]
    title = f"a frame cut and its {found['cells']:.0f} cells classified, one core"
    return [*made, Row(title, whole, "under", 0.5, "s", seconds=whole)]


if __name__ == "__main__":
    print_rows(rows())
