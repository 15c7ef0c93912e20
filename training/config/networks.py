"""Settings of the networks: architecture and recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from training.config.base import Settings, as_choice, unit


class NetworkSettings(Settings):
    """Settings common to all networks: input and recipe (Li et al. 2016, section 3)."""

    input_size: int = Field(
        60,
        ge=32,
        le=256,
        description="Side of the square input image of the network.",
        json_schema_extra=unit("pixels"),
    )
    normalisation: Literal["none", "cell"] = Field(
        "none",
        description=(
            "'none' divides by 255 as the paper does not normalise; 'cell' stretches "
            "each cell between its 1st and 99th percentile."
        ),
    )
    augmentation: Literal["none", "d4", "d4-intensity", "all"] = Field(
        "none",
        description=(
            "Augmentation of a training cell each time it is used: 'd4' rotates or "
            "mirrors it at random, 'd4-intensity' also changes gain and gamma, 'all' "
            "also rotates it freely, zooms, blurs it and adds noise."
        ),
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=10,
        description=(
            "Mixup of a training cell with another: both parameters of the beta "
            "distribution of its share; 0 never mixes."
        ),
    )
    epochs: int = Field(
        50, ge=1, le=1000, description="Passes over the training cells."
    )
    batch_size: int = Field(
        200, ge=1, le=4096, description="Cells in one step of gradient descent."
    )
    learning_rate: float = Field(
        0.002, gt=0, le=10, description="Learning rate, the maximum of the schedule."
    )
    schedule: Literal["fixed", "cosine"] = Field(
        "fixed",
        description=(
            "Learning rate over a fit: 'cosine' rises in the first twentieth and "
            "falls to 0 along a cosine."
        ),
    )
    momentum: float = Field(
        0.9, ge=0, lt=1, description="Momentum of gradient descent."
    )
    weight_decay: float = Field(
        0.0005, ge=0, le=1, description="L2 penalty on the weights."
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Label smoothing: share of the target spread evenly over all "
        "patterns.",
    )
    weight_average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description=(
            "Decay per step of the running mean of the weights, which scores in place "
            "of the network; 0 uses no mean."
        ),
    )
    test_views: Literal[1, 8] = Field(
        1,
        description=(
            "Orientations of a cell whose scores are averaged: 8 uses every rotation "
            "and mirror."
        ),
    )
    vote_epochs: int = Field(
        3,
        ge=1,
        le=20,
        description="Last epochs whose softmax scores are averaged.",
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32",
        description=(
            "Number format of a training step; 'bf16' halves the memory traffic of a "
            "GPU and is slower on most CPUs. Weights and scores are float32 either way."
        ),
    )

    _views_as_typed = field_validator("test_views", mode="before")(as_choice)


class PaperNetworkSettings(NetworkSettings):
    """The paper's ten-layer network."""

    name: Literal["paper-network"] = "paper-network"
    width: float = Field(
        1.0,
        gt=0,
        le=2,
        description="Multiplier of the number of channels of every layer.",
    )
    initialisation: Literal["he", "literal-0.001"] = Field(
        "he",
        description=(
            "Initialisation of the weights; 'literal-0.001' is the paper's wording "
            "and does not train."
        ),
    )
    batch_norm: bool = Field(
        False,
        description="Batch normalisation after each convolution; the paper has none.",
    )


class LeNetSettings(NetworkSettings):
    """The LeNet-5-like network of Gao et al. (2017), doi 10.1109/JBHI.2016.2526603."""

    name: Literal["lenet"] = "lenet"
    input_size: int = Field(
        78,
        ge=42,
        le=256,
        description="Side of the square input image of the network.",
        json_schema_extra=unit("pixels"),
    )
    normalisation: Literal["none", "cell"] = Field(
        "cell",
        description="'cell' stretches the contrast of each cell, as its authors do.",
    )
    learning_rate: float = Field(
        0.01, gt=0, le=10, description="Learning rate, the maximum of the schedule."
    )


class ImageNetSettings(NetworkSettings):
    """A ResNet-18 whose weights were fitted on ImageNet, fine-tuned."""

    name: Literal["imagenet"] = "imagenet"
    weights: str = Field(
        "",
        description=(
            "A safetensors file of ResNet-18 weights with torchvision's names; none is "
            "downloaded. 'random' starts from random weights."
        ),
    )
    tune: Literal["all", "last-block", "head"] = Field(
        "all", description="Layers that are trained; the others stay frozen."
    )
    input_size: int = Field(
        112,
        ge=64,
        le=256,
        description="Side of the square input image of the network.",
        json_schema_extra=unit("pixels"),
    )
    normalisation: Literal["none", "cell"] = Field(
        "cell",
        description="'cell' stretches each cell between its 1st and 99th percentile.",
    )
    epochs: int = Field(
        20, ge=1, le=1000, description="Passes over the training cells."
    )
    batch_size: int = Field(
        50, ge=1, le=4096, description="Cells in one step of gradient descent."
    )


class RadialNetworkSettings(NetworkSettings):
    """A small residual network that pools over rings, with a recipe of today."""

    name: Literal["radial-network"] = "radial-network"
    width: float = Field(
        1.0,
        gt=0,
        le=8,
        description="Multiplier of the number of channels of every layer.",
    )
    rings: int = Field(
        3,
        ge=1,
        le=4,
        description="Rings around the centre that maps are averaged over.",
    )
    input_size: int = Field(
        64,
        ge=32,
        le=256,
        description="Side of the square input image of the network.",
        json_schema_extra=unit("pixels"),
    )
    normalisation: Literal["none", "cell"] = Field(
        "cell",
        description="'cell' stretches each cell between its 1st and 99th percentile.",
    )
    epochs: int = Field(
        20, ge=1, le=1000, description="Passes over the training cells."
    )
    batch_size: int = Field(
        64, ge=1, le=4096, description="Cells in one step of gradient descent."
    )
    learning_rate: float = Field(
        0.05, gt=0, le=10, description="Learning rate, the maximum of the schedule."
    )
    schedule: Literal["fixed", "cosine"] = Field(
        "cosine",
        description=(
            "Learning rate over a fit: 'cosine' rises in the first twentieth and "
            "falls to 0 along a cosine."
        ),
    )
    vote_epochs: int = Field(
        1,
        ge=1,
        le=20,
        description="Last epochs whose softmax scores are averaged.",
    )
