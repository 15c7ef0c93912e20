"""Writes a model as one ONNX graph: from packed images to the mean of its votes."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.errors import BadModelError
from training.inference.model_file import Model, mean_vote
from training.inference.onnx_model import CARD, INPUT, OUTPUT, load_onnx_model, need
from training.models.augmentation import normalise, places_of_views
from training.storage.writing import write_bytes

_OPSET = 17
_TOLERANCE = 1e-5


class _Whole(nn.Module):
    """Views, normalisation, every voter, softmax and mean."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.voters = nn.ModuleList(model.voters)
        self.normalisation = model.settings.normalisation
        self.views = model.card.classifier.test_views
        # Made before the graph is traced: how they are made is no part of it.
        side = model.card.classifier.input_size
        self.places = places_of_views(side, torch.device("cpu"))

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores, (N, K) float32, of images, (N, S, S) uint8."""
        of_views = [
            mean_vote(self.voters, normalise(self._view(images, v), self.normalisation))
            for v in range(self.views)
        ]
        return torch.stack(of_views).mean(0)

    def _view(self, images: Tensor, view: int) -> Tensor:
        """Return images in one view; the first needs nothing of the graph."""
        if view == 0:
            return images
        pixels = images.flatten(1).index_select(1, self.places[view])
        return pixels.view(-1, *images.shape[1:])


def export_onnx(model: Model, path: Path) -> Path:
    """Write a model as ONNX and check that it gives the same scores.

    Parameters
    ----------
    model
        On the CPU.
    path
        The file to write; its suffix becomes ``.onnx``.

    Returns
    -------
    written
        Its input ``images`` is (N, S, S) uint8, packed as
        `training.data.cells.cell_set.pack_images` does, its output ``scores`` (N, K)
        float32, for any N. The card is among its properties.

    Raises
    ------
    BadSettingError
        If onnx or onnxruntime is not installed.
    BadModelError
        If the written file does not give the model's scores to 1e-5; it is removed.
    StorageError
        If it cannot be written.
    """
    onnx = need("onnx")
    need("onnxruntime")
    path = path.with_suffix(".onnx")
    graph = onnx.load_model_from_string(_traced(model))
    entry = graph.metadata_props.add()
    entry.key = CARD
    entry.value = json.dumps(model.card.model_dump(mode="json"), ensure_ascii=False)
    write_bytes(path, graph.SerializeToString())
    try:
        _compare(model, path)
    except BadModelError:
        path.unlink(missing_ok=True)
        raise
    return path


def _traced(model: Model) -> bytes:
    """Return the graph as the exporter of TorchScript writes it.

    It needs no package beside torch, which the newer exporter does.
    """
    side = model.card.classifier.input_size
    images = torch.zeros(2, side, side, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Whole(model).eval(),
            (images,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
        )
    return buffer.getvalue()


def _compare(model: Model, path: Path) -> None:
    """Compare both on dark, bright, flat and noisy crops."""
    side = model.card.classifier.input_size
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, top, (side, side), np.uint8) for top in (9, 60, 256, 256)]
    ramp = np.linspace(0, 255, side * side).reshape(side, side).astype(np.uint8)
    crops = np.stack([*noise, ramp, ramp.T, np.full_like(ramp, 7)])
    far = np.abs(load_onnx_model(path, threads=1).scores(crops) - model.scores(crops))
    if not far.max() <= _TOLERANCE:
        raise BadModelError(
            path,
            f"its scores differ by {far.max():.1e} from those of the model",
            "use the model as it is",
        )
