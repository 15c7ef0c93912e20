"""The settings of every classifier, told apart by `name`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training.config.features import (
    KernelRidgeSettings,
    LocalPatternsSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
)
from training.config.networks import (
    ImageNetSettings,
    LeNetSettings,
    PaperNetworkSettings,
    RadialNetworkSettings,
)
from training.config.stack import StackSettings

AnyNetworkSettings = Annotated[
    PaperNetworkSettings | LeNetSettings | ImageNetSettings | RadialNetworkSettings,
    Field(discriminator="name"),
]
"""Settings of a network."""

ModelSettings = Annotated[
    PaperNetworkSettings
    | LeNetSettings
    | ImageNetSettings
    | RadialNetworkSettings
    | KernelRidgeSettings,
    Field(discriminator="name"),
]
"""Settings of a classifier that a model file can hold."""

ClassifierSettings = Annotated[
    PaperNetworkSettings
    | LeNetSettings
    | ImageNetSettings
    | RadialNetworkSettings
    | ShapeIndexSettings
    | LocalPatternsSettings
    | ScaleSpaceSettings
    | KernelRidgeSettings
    | StackSettings,
    Field(discriminator="name"),
]
"""Settings of any classifier."""
