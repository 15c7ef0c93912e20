"""Settings of series: judging by the controls, and simulated plates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.base import Settings, unit


class IntensitySettings(Settings):
    """From a specimen's signal to positive or negative, and to a grade."""

    borderline: float = Field(
        0.25,
        ge=0,
        lt=1,
        description=(
            "An index within this distance of 1, the cut-off, is borderline; so is one "
            "whose interval holds 1."
        ),
    )
    grade_step: float = Field(
        2.0,
        gt=1,
        le=10,
        description=(
            "Factor of the index from one grade to the next: at 2, + ends at twice "
            "the lowest positive index, ++ at four times it."
        ),
    )
    cut_off_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description=(
            "Without a cut-off control, the cut-off is this share of the way from the "
            "negative to the positive control."
        ),
    )
    cut_off_contrast: float = Field(
        5.0,
        gt=0,
        le=1000,
        description=(
            "With a negative control alone, the cut-off is so much contrast above it."
        ),
        json_schema_extra=unit("deviations of the noise"),
    )
    controls_differ: float = Field(
        0.5,
        gt=0,
        le=10,
        description=(
            "Two negative controls whose signals are further apart than this share of "
            "the way to the cut-off contradict each other."
        ),
    )
    outside_nucleus: Literal["positive", "negative"] = Field(
        "positive",
        description=(
            "What cytoplasmic and mitotic patterns without a nuclear one are reported "
            "as; at negative the signal of the cytoplasm does not count."
        ),
    )


class PlateSettings(Settings):
    """Settings of simulated plates."""

    plates: int = Field(
        1, ge=1, le=100, description="Plates, each with its own lamp and gain."
    )
    wells: int = Field(
        96,
        ge=8,
        le=384,
        description="Wells of a plate; the first three hold its controls.",
    )
    frames: int = Field(1, ge=1, le=10, description="Frames of each well.")
    seed: int = Field(
        0, ge=0, description="Random seed; the same seed gives the same pixels."
    )
    negatives: float = Field(
        0.4, ge=0, le=1, description="Share of the patients that are negative."
    )
    mixtures: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the positive patients with two patterns in every cell.",
    )
    unknowns: float = Field(
        0.15,
        ge=0,
        le=1,
        description=(
            "Share of the positive patients with a cytoplasmic or mitotic pattern."
        ),
    )
    cells: int = Field(40, ge=1, le=1000, description="Nuclei of a frame.")
    height: int = Field(
        560,
        ge=128,
        le=4096,
        description="Height of a frame.",
        json_schema_extra=unit("pixels"),
    )
    width: int = Field(
        680,
        ge=128,
        le=4096,
        description="Width of a frame.",
        json_schema_extra=unit("pixels"),
    )
