"""Settings of the systems whose features are computed and not learnt by descent."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from training.config.base import Settings, as_numbers, unit


class FeatureSettings(Settings):
    """Settings common to the feature systems."""

    epochs: ClassVar[int] = 1
    """They are not fitted in epochs; a fit tells of itself once."""

    test_views: ClassVar[int] = 1
    """Held-out cells are scored as they came."""

    input_size: int = Field(
        60,
        ge=32,
        le=256,
        description="Side of the square image that features are computed on.",
        json_schema_extra=unit("pixels"),
    )


class ShapeIndexSettings(FeatureSettings):
    """Shape-index histograms with donut pooling (Larsen et al. 2014).

    IEEE TMI 33(7), 1573-1580, doi 10.1109/TMI.2014.2318434. Bins and tonal scale are
    those of the authors' published code; the paper's own numbers could not be read.
    """

    name: Literal["shape-index"] = "shape-index"
    scales: tuple[float, ...] = Field(
        (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0),
        min_length=1,
        description="Standard deviations of the Gaussian derivatives.",
        json_schema_extra=unit("pixels"),
    )
    bins: int = Field(8, ge=2, le=64, description="Bins of the shape index.")
    tonal_scale: float = Field(
        0.25,
        gt=0,
        le=2,
        description="Width of a bin's soft window.",
        json_schema_extra=unit("radians"),
    )
    rings: int = Field(
        5, ge=1, le=16, description="Donuts from the centre of the nucleus to its rim."
    )
    ring_width: float = Field(
        0.2,
        gt=0,
        le=2,
        description="Standard deviation of a donut, as a share of the radius.",
    )
    c_values: tuple[float, ...] = Field(
        (0.1, 1.0, 10.0),
        min_length=1,
        description="Penalties of the SVM, chosen among on inner folds of specimens.",
    )
    gamma_factors: tuple[float, ...] = Field(
        (0.1, 0.3, 1.0),
        min_length=1,
        description="Multiples of 1 / features for the RBF kernel, chosen likewise.",
    )
    inner_folds: int = Field(
        3, ge=2, le=10, description="Inner folds of specimens on which C is chosen."
    )

    _numbers = field_validator("scales", "c_values", "gamma_factors", mode="before")(
        as_numbers
    )


class LocalPatternsSettings(FeatureSettings):
    """Local patterns, coded and pooled over a cell pyramid (Manivannan et al. 2016).

    Pattern Recognition 51, 12-26, doi 10.1016/j.patcog.2015.09.015. Sizes are as
    recalled from the paper, not read in it again.
    """

    name: Literal["local-patterns"] = "local-patterns"
    descriptors: tuple[str, ...] = Field(
        ("mlp", "rootsift", "projections", "histogram"),
        min_length=1,
        description="Local descriptors: mlp, rootsift, projections, histogram.",
    )
    patch_sizes: tuple[int, ...] = Field(
        (12, 16, 20),
        min_length=1,
        description="Sides of the patches that are described; even, 4..64.",
        json_schema_extra=unit("pixels"),
    )
    step: int = Field(
        2,
        ge=1,
        le=16,
        description="Spacing of the patches.",
        json_schema_extra=unit("pixels"),
    )
    words: int = Field(
        5000, ge=16, le=20_000, description="Size of each descriptor's dictionary."
    )
    dictionary_patches: int = Field(
        300_000,
        ge=1000,
        le=5_000_000,
        description="Patches of training cells that a dictionary is made from.",
    )
    neighbours: int = Field(
        10, ge=2, le=100, description="Dictionary words that encode a patch (LLC)."
    )
    projection_length: int = Field(
        100, ge=8, le=512, description="Length of a random projection."
    )
    histogram_bins: int = Field(
        64, ge=4, le=256, description="Bins of a patch's intensity histogram."
    )
    c: float = Field(1.0, gt=0, le=1e4, description="Penalty of the linear SVMs.")
    ensemble: int = Field(
        5,
        ge=2,
        le=50,
        description=(
            "Linear SVMs, each fitted on the training specimens but one part and "
            "calibrated on that part."
        ),
    )

    @field_validator("descriptors", "patch_sizes", mode="before")
    @classmethod
    def _as_typed(cls, value: object) -> object:
        return as_numbers(value)

    @field_validator("patch_sizes")
    @classmethod
    def _even(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if odd := [size for size in sizes if size % 2 or not 4 <= size <= 64]:
            raise ValueError(f"{odd[0]} is not an even number in 4..64")
        return sizes

    @field_validator("descriptors")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = ("mlp", "rootsift", "projections", "histogram")
        if unknown := set(names) - set(known):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {known}")
        return names


class ScaleSpaceSettings(FeatureSettings):
    """Gaussian scale space before local binary descriptors (Qi et al. 2016).

    Pattern Recognition Letters 82, 36-43, arXiv:1509.02320; the descriptor is LOAD,
    arXiv:1504.05809, coded with an improved Fisher vector. Sizes are our reading.
    """

    name: Literal["scale-space"] = "scale-space"
    sigmas: tuple[float, ...] = Field(
        (0.0, 1.0, 2.0, 4.0),
        min_length=1,
        description="Blurs of the image; each gives a code, 0 is the image itself.",
        json_schema_extra=unit("pixels"),
    )
    radii: tuple[float, ...] = Field(
        (2.0, 4.0, 6.0),
        min_length=1,
        description="Radii of the rings of eight neighbours that are compared.",
        json_schema_extra=unit("pixels"),
    )
    step: int = Field(
        2,
        ge=1,
        le=16,
        description="Spacing of the points that are described.",
        json_schema_extra=unit("pixels"),
    )
    margin: int = Field(
        3,
        ge=0,
        le=32,
        description="Rim around the nucleus where points are described too.",
        json_schema_extra=unit("pixels"),
    )
    components: int = Field(
        32,
        ge=2,
        le=512,
        description="Maximum number of principal components of a descriptor.",
    )
    gaussians: int = Field(64, ge=2, le=1024, description="Gaussians of each mixture.")
    mixture_points: int = Field(
        200_000,
        ge=1000,
        le=5_000_000,
        description="Points of training cells that a mixture is fitted on.",
    )
    c: float = Field(1.0, gt=0, le=1e4, description="Penalty of the linear SVM.")
    inner_folds: int = Field(
        3,
        ge=2,
        le=10,
        description="Inner folds of specimens on which the scores are calibrated.",
    )

    _numbers = field_validator("sigmas", "radii", mode="before")(as_numbers)


class KernelRidgeSettings(FeatureSettings):
    """Weighted least squares on random Fourier features of features without a fit.

    Several values of a setting are chosen among inside each fold, by leaving out its
    training specimens in turn.
    """

    name: Literal["kernel-ridge"] = "kernel-ridge"
    families: tuple[str, ...] = Field(
        ("shape-index", "intensities", "scattering"),
        min_length=1,
        description="Families of features: shape-index, intensities, scattering.",
    )
    family_weights: tuple[float, ...] = Field(
        (0.0, 0.3),
        min_length=1,
        description=(
            "Weights of the kernel of each family but the first, which weighs 1; "
            "chosen among."
        ),
    )
    width: float = Field(
        1.0,
        gt=0,
        le=100,
        description=(
            "Standard deviation of the Gaussian kernel of a family, in roots of the "
            "median squared distance of two cells."
        ),
    )
    penalties: tuple[float, ...] = Field(
        (1e-4, 3e-4),
        min_length=1,
        description=(
            "Penalties of the squared coefficients, where the weights of all training "
            "cells sum to 1; chosen among."
        ),
    )
    simulated_cells: tuple[float, ...] = Field(
        (300.0, 1000.0),
        min_length=1,
        description=(
            "As many real cells of a pattern as its simulated ones count for together; "
            "chosen among, where there are simulated cells."
        ),
    )
    fourier: int = Field(
        500, ge=2, le=4000, multiple_of=2, description="Fourier features of a family."
    )
    chosen_on: int = Field(
        120,
        ge=2,
        le=4000,
        multiple_of=2,
        description="Fourier features of a family that are taken to choose by.",
    )
    inner_specimens: int = Field(
        100,
        ge=2,
        le=10_000,
        description=(
            "Training specimens that are left out in turn to choose by; of more, so "
            "many are drawn over all patterns."
        ),
    )

    _typed = field_validator(
        "families",
        "family_weights",
        "penalties",
        "simulated_cells",
        mode="before",
    )(as_numbers)

    @field_validator("family_weights", "simulated_cells")
    @classmethod
    def _not_negative(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if wrong := [value for value in values if not 0 <= value <= 1e6]:
            raise ValueError(f"{wrong[0]:g} is not in 0..1000000")
        return values

    @field_validator("penalties")
    @classmethod
    def _solvable(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if wrong := [value for value in values if not 1e-6 <= value <= 100]:
            raise ValueError(f"{wrong[0]:g} is not in 0.000001..100")
        return values

    @field_validator("families")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = ("shape-index", "intensities", "scattering")
        if unknown := set(names) - set(known):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {known}")
        if len(set(names)) < len(names):
            raise ValueError("a family is named twice")
        return names
