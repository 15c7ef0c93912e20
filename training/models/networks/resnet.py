"""ResNet-18 (He et al. 2015, arXiv:1512.03385), to be fine-tuned from ImageNet.

Layers and their names are those of torchvision's ResNet-18, so that its weights fit.
The weights come from a file that the user has: nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from training.config import ImageNetSettings
from training.errors import BadModelError, BadSettingError
from training.models.networks.paper_network import BatchNorm
from training.models.networks.weights import StoredTensor, read_header

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_STAGES = (64, 128, 256, 512)
_HEAD_DEVIATION = 0.01
_FLOATS = ("F32", "F16", "BF16")
_MAX_FILE = 200_000_000
_REMEDY = "give a safetensors file of ResNet-18 weights with torchvision's names"
_FITTED = {"all": ("",), "last-block": ("layer4.", "fc."), "head": ("fc.",)}


class Shortcut(nn.Conv2d):
    """A 1 x 1 convolution of every `stride`-th pixel.

    The pixels are taken first: the gradient of a strided 1 x 1 convolution with
    channels last and fewer than eight maps writes outside its memory in oneDNN 3.12
    (torch 2.13) on processors without AVX-512. The weight and what is computed are
    those of the strided convolution.

    Parameters
    ----------
    inputs, outputs
        Numbers of maps.
    stride
        1 takes every pixel.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.every = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps, (N, outputs, H / stride, W / stride), rounded up."""
        return super().forward(maps[:, :, :: self.every, :: self.every])


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions whose sum with the input is rectified.

    Parameters
    ----------
    inputs, outputs
        Numbers of maps.
    stride
        Of the first convolution. Where stride or maps change, a 1 x 1 convolution
        takes the input along (option B of the paper).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                Shortcut(inputs, outputs, stride), BatchNorm(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of the block, (N, outputs, H / stride, W / stride)."""
        kept = maps if self.downsample is None else self.downsample(maps)
        inner = functional.relu(self.bn1(self.conv1(maps)))
        return functional.relu(self.bn2(self.conv2(inner)) + kept)


class ResNet18(nn.Module):
    """A stem, eight blocks in four stages, the mean over the map, a linear head.

    Parameters
    ----------
    settings
        Where the weights come from, and which are fitted: `tune` sets
        ``requires_grad``. Batch normalisation that is not fitted stays as in
        evaluation, so that its running moments are kept too.
    n_patterns
        Number of classes.
    generator
        Where the weights that no file gives come from: the head's, or all.

    Raises
    ------
    BadSettingError
        If `settings.weights` is empty.
    BadModelError
        If its file cannot be read or does not fit.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, settings: ImageNetSettings, n_patterns: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        if not settings.weights:
            raise BadSettingError(
                "weights",
                "this network starts from ImageNet weights, and none are downloaded",
                "give the path of a safetensors file with torchvision's names for "
                "ResNet-18 (such as timm's resnet18.tv_in1k), or 'random' to start "
                "from random weights",
            )
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = BatchNorm(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages()
        self.fc = nn.Linear(_STAGES[-1], n_patterns)
        _add_scale(self)
        _initialise(self, generator)
        if settings.weights != "random":
            load_imagenet_weights(self, Path(settings.weights))
        for name, parameter in self.named_parameters():
            parameter.requires_grad = name.startswith(_FITTED[settings.tune])

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        images : (N, 1, S, S) float32 in 0..1
            Grey; repeated to three channels and scaled as ImageNet's are.

        Returns
        -------
        logits : (N, K) float32
        """
        maps = (images - self.mean) / self.deviation
        maps = self.maxpool(functional.relu(self.bn1(self.conv1(maps))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        logits: Tensor = self.fc(maps.mean((2, 3)))
        return logits

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but the batch normalisation that is not fitted."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, BatchNorm) and not module.weight.requires_grad:
                module.eval()
        return self


def load_imagenet_weights(network: ResNet18, path: Path) -> None:
    """Fill all of a network but its head.

    Parameters
    ----------
    network
        Changed in place, or not at all if something is wrong.
    path
        A safetensors file with torchvision's names, in F32, F16 or BF16. Its own head
        (``fc``) and its counts of batches (``num_batches_tracked``) are not read.

    Raises
    ------
    BadModelError
        If the file is missing, larger than 200 MB, damaged, or holds other names,
        shapes or types, or a number that is not finite.
    """
    wanted = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not name.startswith("fc.")
    }
    _check_header(path, wanted)
    weights = _read(path, wanted)
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all() or (
            name.endswith("running_var") and tensor.min() < 0
        ):
            raise BadModelError(
                path, f"{name} holds numbers that cannot be right", _REMEDY
            )
    with torch.no_grad():
        for name, tensor in weights.items():
            wanted[name].copy_(tensor)


def _check_header(path: Path, wanted: dict[str, Tensor]) -> None:
    found = {
        name: stored
        for name, stored in read_header(path, _REMEDY).items()
        if not name.startswith("fc.") and not name.endswith(".num_batches_tracked")
    }
    if path.stat().st_size > _MAX_FILE:
        raise BadModelError(path, "it is larger than 200 MB", _REMEDY)
    for name in (*wanted, *found):
        if fault := _misfit(found.get(name), wanted.get(name)):
            raise BadModelError(path, f"{name} {fault}", _REMEDY)


def _misfit(stored: StoredTensor | None, wanted: Tensor | None) -> str | None:
    if stored is None:
        return "is missing"
    if wanted is None:
        return "is not part of ResNet-18"
    if stored.shape != tuple(wanted.shape):
        return f"has the shape {stored.shape}, not {tuple(wanted.shape)}"
    if stored.dtype not in _FLOATS:
        return f"is of type {stored.dtype}, none of {', '.join(_FLOATS)}"
    return None


def _read(path: Path, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as stored:
            return {name: stored.get_tensor(name).float() for name in wanted}
    except (OSError, SafetensorError) as fault:
        raise BadModelError(path, "the weights are damaged", _REMEDY) from fault


def _stages() -> list[nn.Sequential]:
    """Return four stages of two blocks; all but the first halve the map."""
    stages, channels = [], _STAGES[0]
    for number, maps in enumerate(_STAGES):
        first = BasicBlock(channels, maps, stride=1 if number == 0 else 2)
        stages.append(nn.Sequential(first, BasicBlock(maps, maps, stride=1)))
        channels = maps
    return stages


def _add_scale(network: ResNet18) -> None:
    """Let ImageNet's moments move with the network, but stand in no file."""
    for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
        buffer = torch.tensor(values).view(1, 3, 1, 1)
        network.register_buffer(name, buffer, persistent=False)


def _initialise(network: ResNet18, generator: torch.Generator) -> None:
    """Draw convolutions from N(0, 2 / fan_in), the head from N(0, 0.01^2)."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, nonlinearity="relu", generator=generator
                )
        network.fc.weight.normal_(0, _HEAD_DEVIATION, generator=generator)
        network.fc.bias.zero_()
