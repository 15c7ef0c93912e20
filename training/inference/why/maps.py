"""Regions of a crop that support a pattern: Grad-CAM.

Selvaraju et al. 2017 (arXiv:1610.02391). The maps looked at are the last that a network
makes before positions are pooled away; they are found by running it once, so that any
architecture will do. A coarse map of a few positions a side stays coarse when it is
drawn larger: it shows a region, not a structure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.cells.cell_set import pack_images
from training.errors import BadModelError
from training.inference.model_file import Model
from training.models.augmentation import turn
from training.models.networks.scoring import batches

LEAST_SIDE = 3
"""Positions a side under which a map shows no region."""


def class_maps(
    model: Model,
    crops: npt.NDArray[Any],
    patterns: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Return where each crop speaks for a pattern.

    Parameters
    ----------
    model
        As `training.inference.model_file.load_model` returns it.
    crops : (N, S, S) uint8 or uint16
    patterns : (N,) int64
        The pattern asked about, of each crop, in the order of the vocabulary.

    Returns
    -------
    maps : (N, S, S) float32 in 0..1
        The mean over the voters, and over the views that the model averages, turned
        back. The largest value of a map is 1; it is 0 all over where nothing speaks
        for the pattern.

    Raises
    ------
    BadModelError
        If the network has no maps of at least `LEAST_SIDE` positions a side.
    """
    side = int(crops.shape[1])
    if not len(crops):
        return np.zeros((0, side, side), np.float32)
    settings = model.settings
    packed = pack_images(crops, settings.input_size)
    device = next(model.voters[0].parameters()).device
    images = torch.from_numpy(packed).to(device)
    asked = torch.from_numpy(patterns).to(device)
    total = torch.zeros(images.shape, device=device)
    for voter in model.voters:
        for view in range(settings.test_views):
            some = batches(images, settings.normalisation, view=view)
            drawn = [
                _grad_cam(voter, batch, wanted, model.card.name)
                for batch, wanted in _beside(some, asked)
            ]
            total += _turned_back(torch.cat(drawn), view)
    large = functional.interpolate(
        total[:, None], size=(side, side), mode="bilinear", align_corners=False
    )[:, 0]
    return _to_one(large).cpu().numpy()


def find_maps(network: nn.Module, images: Tensor, name: str) -> nn.Module:
    """Return the part of a network whose output is its last map of positions.

    Parameters
    ----------
    network
        In evaluation mode.
    images : (N, 1, S, S) float32 in 0..1
        Any, as the network takes them.
    name
        Of the model, for a fault.

    Raises
    ------
    BadModelError
        If there is none of at least `LEAST_SIDE` positions a side.
    """
    found: list[nn.Module] = []

    def note(part: nn.Module, _given: Any, made: Any) -> None:
        if not isinstance(made, Tensor) or made.dim() != 4:
            return
        if len(made) == len(images) and min(made.shape[2:]) >= LEAST_SIDE:
            found.append(part)

    with torch.no_grad(), _hooked(network, note):
        network(images)
    if not found:
        raise BadModelError(name, "its network has no maps", "look at its scores alone")
    return found[-1]


def find_head(network: nn.Module, images: Tensor) -> nn.Module:
    """Return the last linear or convolution layer that a network goes through."""
    found: list[nn.Module] = []

    def note(part: nn.Module, _given: Any, _made: Any) -> None:
        if isinstance(part, nn.Linear | nn.Conv2d):
            found.append(part)

    with torch.no_grad(), _hooked(network, note):
        network(images)
    return found[-1]


def _grad_cam(network: nn.Module, images: Tensor, asked: Tensor, name: str) -> Tensor:
    """Return the maps of one network, (n, S, S) in 0..1 at the size of its input."""
    part = find_maps(network, images[:1], name)
    kept: list[Tensor] = []

    def keep(_part: nn.Module, _given: Any, made: Tensor) -> None:
        kept.append(made)

    handle = part.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images.detach().requires_grad_())
            spoken = logits.gather(1, asked[:, None]).sum()
            (slopes,) = torch.autograd.grad(spoken, kept[-1])
    finally:
        handle.remove()
    weights = slopes.mean((2, 3), keepdim=True)
    coarse = (weights * kept[-1].detach()).sum(1, keepdim=True).relu()
    fine = functional.interpolate(
        coarse, size=images.shape[2:], mode="bilinear", align_corners=False
    )
    return _to_one(fine[:, 0])


@contextmanager
def _hooked(network: nn.Module, note: Any) -> Iterator[None]:
    parts = [part for part in network.modules() if part is not network]
    handles = [part.register_forward_hook(note) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _beside(some: Iterator[Tensor], asked: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    start = 0
    for batch in some:
        yield batch, asked[start : start + len(batch)]
        start += len(batch)


def _turned_back(maps: Tensor, view: int) -> Tensor:
    """Return maps of images in a view as they lie over the images themselves."""
    # Rotated by v % 4 quarter turns after a mirror; a mirrored view undoes itself.
    back = view if view > 3 else -view % 4
    return turn(maps, torch.full((len(maps),), back, device=maps.device))


def _to_one(maps: Tensor) -> Tensor:
    """Divide each map by its largest value; what is 0 all over stays so."""
    highest = maps.amax((1, 2), keepdim=True)
    return torch.where(highest > 0, maps / highest.clamp(min=1e-30), 0.0)
