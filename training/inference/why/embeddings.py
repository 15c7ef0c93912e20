"""What a model computes of a crop right before its last, linear step.

Cells whose embeddings point the same way are alike to the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.data.cells.cell_set import pack_images
from training.errors import BadModelError
from training.inference.kernel_model import KernelModel
from training.inference.model_file import Model
from training.inference.scorers import Scorer, has_networks
from training.inference.why.maps import find_head
from training.models.networks.scoring import batches

Floats = npt.NDArray[np.float32]


def embed(model: Scorer, crops: npt.NDArray[Any]) -> Floats:
    """Return the embeddings of crops.

    Parameters
    ----------
    model
        As `training.inference.scorers.load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16

    Raises
    ------
    BadModelError
        See `embed_packed`.
    """
    return embed_packed(model, pack_images(crops, model.card.classifier.input_size))


def embed_packed(model: Scorer, packed: npt.NDArray[np.uint8]) -> Floats:
    """Return the embeddings of images, (N, D) float32.

    Of networks, what goes into the last layer, the voters' beside each other; where
    that layer is a convolution, the mean over positions, which turning a cell hardly
    changes. Of a kernel ridge regression, the Fourier features that it uses, whose
    cosine is about the kernel itself.

    Parameters
    ----------
    model
        As `training.inference.scorers.load_scorer` returns it.
    packed : (N, S, S) uint8
        Of the model's input size; see `training.data.cells.cell_set.pack_images`.

    Raises
    ------
    BadModelError
        If the model is an ONNX file, which gives scores alone.
    """
    if isinstance(model, KernelModel):
        without_constant = model.lifted(packed)[:, :-1]
        return without_constant[:, model.coefficients[:-1].any(axis=1)]
    if has_networks(model):
        return _before_heads(model, packed)
    raise BadModelError(
        model.card.name,
        "an ONNX file gives scores alone, nothing that tells which cells are alike",
        "use the safetensors file of the model",
    )


def _before_heads(model: Model, packed: npt.NDArray[np.uint8]) -> Floats:
    device = next(model.voters[0].parameters()).device
    images = torch.from_numpy(packed).to(device)
    how = model.settings.normalisation
    with torch.inference_mode():
        parts = [
            torch.cat([_before_head(voter, batch) for batch in batches(images, how)])
            for voter in model.voters
        ]
        return torch.cat(parts, dim=1).cpu().numpy().astype(np.float32)


def _before_head(network: nn.Module, images: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def keep(_part: nn.Module, given: tuple[Tensor, ...]) -> None:
        kept.append(given[0].clone())

    handle = find_head(network, images[:1]).register_forward_pre_hook(keep)
    try:
        network(images)
    finally:
        handle.remove()
    made = kept[-1]
    return made.mean((2, 3)) if made.dim() == 4 else made.flatten(1)
