"""Every tunable of the project, once: typed, with range, unit, help and default.

The command line and the plugin's forms are made from these models, and a run writes the
resolved values into its folder. A unit stands in ``json_schema_extra={"unit": ...}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
)

from training.errors import BadSettingError


class Settings(BaseModel):
    """Base of all settings: immutable, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Return settings from values as typed.

        Raises
        ------
        BadSettingError
            If a name is unknown or a value out of range.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as fault:
            raise _bad_setting(cls, fault) from fault

    def differing(self, base: Self | None = None) -> dict[str, object]:
        """Return the values that are not those of `base`, or not the defaults."""
        base = type(self)() if base is None else base
        return {k: v for k, v in self if v != getattr(base, k)}


def parse_together(given: Mapping[str, object], *bases: Settings) -> tuple[Any, ...]:
    """Change several settings by the names of their fields, which are distinct.

    Parameters
    ----------
    given
        Values as typed, by name.
    bases
        What is changed.

    Raises
    ------
    BadSettingError
        If a name is none of their fields or a value out of range.
    """
    known = [name for base in bases for name in type(base).model_fields]
    for name in given:
        if name not in known:
            raise BadSettingError(
                name, "there is no such setting", f"use one of {', '.join(known)}"
            )
    return tuple(
        type(base).parse(
            {name: given.get(name, value) for name, value in base.model_dump().items()}
        )
        for base in bases
    )


def _bad_setting(model: type[Settings], fault: ValidationError) -> BadSettingError:
    first = fault.errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else model.__name__
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return BadSettingError(name, "there is no such setting", f"use one of {known}")
    return BadSettingError(
        name, f"{first['input']!r} does not fit", first["msg"].lower()
    )


def _unit(unit: str) -> dict[str, JsonValue]:
    return {"unit": unit}


class ExtractionSettings(Settings):
    """How cells are cut from a frame and its mask."""

    size: int = Field(
        77,
        ge=9,
        le=255,
        description="Side of the crop centred on the nucleus; odd.",
        json_schema_extra=_unit("pixels"),
    )
    min_area: int = Field(
        30,
        ge=1,
        le=100_000,
        description="Fewest pixels of a nucleus; below it is dropped as tiny.",
        json_schema_extra=_unit("pixels"),
    )
    tiny_share: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Share of the frame's usual nucleus area below which one is tiny.",
    )
    merged_share: float = Field(
        1.6,
        gt=1,
        le=10,
        description=(
            "Multiple of the usual area above which a nucleus of low solidity is "
            "dropped as touching."
        ),
    )
    merged_solidity: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Area over convex area below which a large nucleus is touching.",
    )
    contact_share: float = Field(
        0.25,
        ge=0,
        le=1,
        description=(
            "Share of the outline against another label from which a nucleus of a "
            "label image is dropped as touching."
        ),
    )
    saturated_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of a nucleus's pixels at the top value that flags it.",
    )
    focus_share: float = Field(
        0.3,
        ge=0,
        le=1,
        description=(
            "Share of the frame's usual sharpness below which a cell is flagged."
        ),
    )

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("the side of a crop is odd, so that it has a centre")
        return size


class SegmentationSettings(Settings):
    """How nuclei are found in an image that has no mask."""

    diameter: float = Field(
        0,
        ge=0,
        le=400,
        description="Usual diameter of a nucleus; 0 measures it in the image.",
        json_schema_extra=_unit("pixels"),
    )
    smoothing: float = Field(
        0.1,
        gt=0,
        le=0.5,
        description=(
            "Width of the smoothing as a share of the diameter; it joins dots into "
            "a nucleus."
        ),
    )
    sensitivity: float = Field(
        1.0,
        gt=0,
        le=4,
        description="Divides the threshold: above 1, dimmer nuclei are found.",
    )
    split: bool = Field(True, description="Part nuclei that touch by their shape.")
    smallest: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of a usual nucleus's area below which a region is left out.",
    )


class SimulationSettings(Settings):
    """How specimens are simulated."""

    specimens: int = Field(
        24, ge=1, le=10_000, description="Specimens to simulate, each its own serum."
    )
    frames: int = Field(1, ge=1, le=10, description="Frames of each specimen.")
    seed: int = Field(
        0,
        ge=0,
        description="Start of the random numbers; the same seed, the same cells.",
    )
    patterns: tuple[str, ...] = Field(
        (),
        description=(
            "Patterns dealt to the specimens in turn; none takes all six in the "
            "proportions of the public data."
        ),
    )
    cells_min: int = Field(60, ge=1, le=1000, description="Fewest nuclei of a frame.")
    cells_max: int = Field(200, ge=1, le=1000, description="Most nuclei of a frame.")
    height: int = Field(
        1040,
        ge=128,
        le=4096,
        description="Height of a frame.",
        json_schema_extra=_unit("pixels"),
    )
    width: int = Field(
        1388,
        ge=128,
        le=4096,
        description="Width of a frame.",
        json_schema_extra=_unit("pixels"),
    )
    reject_share: float = Field(
        0.12,
        ge=0,
        le=0.9,
        description=(
            "Share of nuclei that touch, are out of focus, in mitosis, or debris; "
            "those cut by the border come on top."
        ),
    )
    specimen_effect: float = Field(
        1.0,
        ge=0,
        le=2,
        description=(
            "How much specimens of one pattern differ; at 0 they are alike, at 1 "
            "they differ nearly as much as real ones."
        ),
    )

    @field_validator("patterns", mode="before")
    @classmethod
    def _patterns_as_typed(cls, value: object) -> object:
        """Take 'Golgi,NuMem' for both."""
        return tuple(value.split(",")) if isinstance(value, str) else value


class NetworkSettings(Settings):
    """The paper's ten-layer network and its recipe (Li et al. 2016, section 3)."""

    input_size: int = Field(
        60,
        ge=32,
        le=128,
        description="Side of the square image that the network sees.",
        json_schema_extra=_unit("pixels"),
    )
    width: float = Field(
        1.0,
        gt=0,
        le=2,
        description="Multiplier of the number of channels of every layer.",
    )
    initialisation: Literal["he", "literal-0.001"] = Field(
        "he",
        description=(
            "How weights start; 'literal-0.001' is the paper's wording and does not "
            "train."
        ),
    )
    normalisation: Literal["none", "cell"] = Field(
        "none",
        description=(
            "'none' divides by 255 as the paper does not normalise; 'cell' stretches "
            "each cell between its 1st and 99th percentile."
        ),
    )
    views: Literal[1, 8] = Field(
        1,
        description="Views of each training cell: 8 takes every rotation and mirror.",
    )
    epochs: int = Field(
        50, ge=1, le=1000, description="Passes over the training cells."
    )
    batch_size: int = Field(
        200, ge=1, le=4096, description="Cells in one step of gradient descent."
    )
    learning_rate: float = Field(
        0.002, gt=0, le=10, description="Step size, fixed for all epochs."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of the descent.")
    weight_decay: float = Field(
        0.0005, ge=0, le=1, description="L2 penalty on the weights."
    )
    vote_epochs: int = Field(
        3,
        ge=1,
        le=20,
        description="Last epochs whose softmax scores are averaged.",
    )

    @field_validator("views", mode="before")
    @classmethod
    def _views_as_typed(cls, value: object) -> object:
        """Take '8' for 8: pydantic does not convert the choices of a Literal."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value


class ProtocolSettings(Settings):
    """How folds are made."""

    protocol: Literal["loso", "group-k", "k-fold"] = Field(
        "loso",
        description=(
            "'loso' leaves one specimen out, 'group-k' deals whole specimens to folds, "
            "'k-fold' ignores specimens and is optimistic."
        ),
    )
    folds: int = Field(
        5, ge=2, le=1000, description="Number of folds; not used by 'loso'."
    )
    seed: int = Field(
        0, ge=0, description="Seed of the folds, the weights and the order of cells."
    )


class VerdictSettings(Settings):
    """From the scores of cells to the verdict on a specimen."""

    minimum_cells: int = Field(
        10, ge=1, le=1000, description="Fewer cells than this give no verdict."
    )
    minimum_share: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Share of cells that the leading pattern needs for a verdict.",
    )
    mixed_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of cells from which a second pattern is shown as mixed.",
    )
