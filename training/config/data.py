"""Settings of what turns images into cells and looks them over.

Extraction, segmentation, quality, near copies, simulation.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from training.config.base import Settings, unit

CROP_SIZES = (9, 255)
"""Smallest and largest side of a crop that can be asked for, in pixels."""

LEAST_DIAMETER = 10
"""Pixels of the smallest nuclei that can be looked for."""


class ExtractionSettings(Settings):
    """Settings of the extraction of cells from a frame and its mask."""

    size: int = Field(
        77,
        ge=CROP_SIZES[0],
        le=CROP_SIZES[1],
        description="Side of the crop centred on the nucleus; odd.",
        json_schema_extra=unit("pixels"),
    )
    min_area: int = Field(
        30,
        ge=1,
        le=100_000,
        description="Minimum area of a nucleus; smaller ones are dropped as tiny.",
        json_schema_extra=unit("pixels"),
    )
    tiny_share: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Share of the frame's usual nucleus area below which a nucleus is "
        "tiny.",
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
    least_confidence: float = Field(
        0.7,
        ge=0,
        le=1,
        description=(
            "Expected overlap with the true outline below which a nucleus that the "
            "network found is flagged as unsure."
        ),
    )
    keep_mitotic: bool = Field(
        False,
        description=(
            "Keep mitotic cells that the network found; else they are counted and "
            "dropped, and are no part of a verdict."
        ),
    )
    plane: str = Field(
        "",
        pattern=r"^([1-9][0-9]{0,4}|max)?$",
        description=(
            "Plane of a stack, from 1, or 'max' for the brightest value over all; "
            "empty where a frame is no stack."
        ),
    )
    channel: str = Field(
        "",
        max_length=100,
        description=(
            "Channel to cut, by number from 1 or by name, where each channel is a file "
            "by the number in its name (1 for _ch01); empty takes that of fluorescein "
            "where the file names it."
        ),
    )

    @field_validator("plane", "channel", mode="before")
    @classmethod
    def _as_typed(cls, value: object) -> object:
        """Take the number 3 for '3', as YAML and JSON may have it."""
        return str(value) if isinstance(value, int) else value

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("the side of a crop is odd, so that it has a centre")
        return size


class SegmentationSettings(Settings):
    """Settings of the segmentation of an image that has no mask."""

    method: Literal["network", "classical"] = Field(
        "network",
        description=(
            "How nuclei are found: by the network that comes with the program, or by "
            "blobs and thresholds, which need no torch."
        ),
    )
    diameter: float = Field(
        0,
        ge=0,
        le=400,
        description=(
            f"Usual diameter of a nucleus, at least {LEAST_DIAMETER}; 0 measures it in "
            "the image."
        ),
        json_schema_extra=unit("pixels", lowest="automatic"),
    )
    smoothing: float = Field(
        0.1,
        gt=0,
        le=0.5,
        description=(
            "Width of the smoothing as a share of the diameter; it joins dots into "
            "a nucleus. Of the classical method."
        ),
    )
    sensitivity: float = Field(
        1.0,
        gt=0,
        le=4,
        description=(
            "Above 1, dimmer nuclei are found. It divides the network's probability "
            "from which a pixel is of a nucleus, or the strength that a blob needs in "
            "the classical way."
        ),
    )
    split: bool = Field(True, description="Separate touching nuclei by their shape.")
    smallest: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of a usual nucleus's area below which a region is left out.",
    )

    @field_validator("diameter")
    @classmethod
    def _measured_or_large(cls, diameter: float) -> float:
        """Refuse nuclei that would be looked at so much enlarged that it takes long."""
        if 0 < diameter < LEAST_DIAMETER:
            raise ValueError(f"a diameter is 0, or {LEAST_DIAMETER} pixels or more")
        return diameter


class NucleusFitSettings(Settings):
    """Settings of the fit of the network that finds nuclei."""

    seed: int = Field(0, ge=0, description="Random seed of crops and weights.")
    steps: int = Field(3000, ge=1, le=1_000_000, description="Steps of the fit.")
    mitosis_steps: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="Steps after these, in which mitoses count as well.",
    )
    batch: int = Field(8, ge=2, le=256, description="Crops in a step.")
    crop: int = Field(
        192,
        ge=32,
        le=1024,
        multiple_of=16,
        description="Side of a crop at the network's scale.",
        json_schema_extra=unit("pixels"),
    )
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Greatest step size of AdamW."
    )
    simulated: int = Field(
        320, ge=0, le=10_000, description="Simulated fields to learn from."
    )
    half_precision: bool = Field(
        True, description="Compute in bfloat16, which some processors do much faster."
    )


class QualitySettings(Settings):
    """From where on the rejection of a cell is proposed to a reviewer.

    *Usual* is the median of the cells of its specimen that the extraction kept.
    """

    cut_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description=(
            "Maximum length on the crop's edge, as a share of the diameter of the "
            "nucleus; above, it is cut off."
        ),
    )
    doublet_share: float = Field(
        0.08,
        ge=0,
        le=1,
        description=(
            "Maximum empty share of the convex hull of a nucleus; above, a large one "
            "is several nuclei."
        ),
    )
    doublet_area: float = Field(
        1.2,
        ge=0,
        le=10,
        description="Area above which one may be several nuclei.",
        json_schema_extra=unit("usual areas"),
    )
    least_roundness: float = Field(
        0.8,
        ge=0,
        le=1,
        description=(
            "Roundness, 1 for a disc, below which a nucleus is debris, or mitotic "
            "where it is small and convex."
        ),
    )
    mitotic_area: float = Field(
        0.7,
        ge=0,
        le=10,
        description="Area below which one that is not round may be mitotic.",
        json_schema_extra=unit("usual areas"),
    )
    debris_area: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Area below which a nucleus is debris.",
        json_schema_extra=unit("usual areas"),
    )
    least_detail: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Detail below which a cell is out of focus.",
        json_schema_extra=unit("times the usual"),
    )
    least_signal: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Signal below which a cell is too dim.",
        json_schema_extra=unit("times the usual"),
    )
    most_saturated: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of a nucleus at full scale above which it is overexposed.",
    )
    fewest_cells: int = Field(
        8,
        ge=1,
        le=1000,
        description=(
            "Minimum number of cells of a specimen to define its usual values; in "
            "smaller ones area, detail and signal are not judged."
        ),
    )


class NearCopySettings(Settings):
    """Settings of the search for near copies."""

    correlation: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Minimum correlation of a pair in its best orientation and shift.",
    )
    shift: int = Field(
        3,
        ge=0,
        le=16,
        description="Maximum shift of one cell against the other, in both directions.",
        json_schema_extra=unit("pixels"),
    )
    coarse: float = Field(
        0.5,
        ge=-1,
        le=1,
        description=(
            "Minimum correlation of the descriptors for a pair to be compared in full."
        ),
    )
    candidates: int = Field(
        10,
        ge=1,
        le=1000,
        description="Maximum number of later cells each cell is compared with in "
        "full, best first.",
    )


class SheetSettings(Settings):
    """Settings of a picture sheet."""

    width: int = Field(
        2000,
        ge=400,
        le=8000,
        description="Width of a page.",
        json_schema_extra=unit("pixels"),
    )
    height: int = Field(
        3400,
        ge=600,
        le=12_000,
        description="Greatest height of a page.",
        json_schema_extra=unit("pixels"),
    )
    scale: int = Field(
        0,
        ge=0,
        le=4,
        description=("Magnification of the crops; 0 is 2 for up to 100 cells, else 1."),
    )


class SimulationSettings(Settings):
    """Settings of simulated specimens."""

    specimens: int = Field(
        24, ge=1, le=10_000, description="Specimens to simulate, each its own serum."
    )
    frames: int = Field(1, ge=1, le=10, description="Frames of each specimen.")
    seed: int = Field(
        0,
        ge=0,
        description="Random seed; the same seed gives the same cells.",
    )
    patterns: tuple[str, ...] = Field(
        (),
        description=(
            "Patterns assigned to the specimens in turn; none: all six in the "
            "proportions of the public data."
        ),
    )
    cells_min: int = Field(
        60, ge=1, le=1000, description="Minimum number of nuclei in a frame."
    )
    cells_max: int = Field(
        200, ge=1, le=1000, description="Maximum number of nuclei in a frame."
    )
    height: int = Field(
        1040,
        ge=128,
        le=4096,
        description="Height of a frame.",
        json_schema_extra=unit("pixels"),
    )
    width: int = Field(
        1388,
        ge=128,
        le=4096,
        description="Width of a frame.",
        json_schema_extra=unit("pixels"),
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
