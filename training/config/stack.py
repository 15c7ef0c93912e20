"""Settings of a stack of finished runs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from training.config.base import Settings, unit


class StackSettings(Settings):
    """Finished runs of unlike classifiers, pooled."""

    epochs: ClassVar[int] = 1
    name: Literal["stack"] = "stack"
    members: str = Field(
        "",
        description="Folders of the finished runs to pool, separated by commas.",
    )
    pooling: Literal["fitted", "mean"] = Field(
        "fitted",
        description=(
            "'fitted' takes the product of the scores, each to the power of a weight "
            "that is fitted elsewhere; 'mean' takes their mean and fits nothing."
        ),
    )
    inner: str = Field(
        "",
        description=(
            "Folders of the same experiments' runs under inner-k, in the same order: "
            "what the weights are fitted on. None for a mean."
        ),
    )
    input_size: int = Field(
        60,
        ge=32,
        le=256,
        description="Side of the images by which the cells are checked to be the same.",
        json_schema_extra=unit("pixels"),
    )
