"""Settings of training sets, protocols and verdicts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from training.config.base import Settings, as_choice


class TrainingSetSettings(Settings):
    """Settings of a fold's training set (the paper's sets 1 to 3)."""

    views: Literal[1, 8] = Field(
        1,
        description="Orientations of each training cell: 8 uses every rotation and "
        "mirror.",
    )
    cells_per_specimen: int = Field(
        0,
        ge=0,
        le=100_000,
        description=(
            "Cells drawn from each training specimen; 0 uses all. Held-out specimens "
            "are tested on all their cells."
        ),
    )
    use_extra: bool = Field(
        False,
        description="Train also on the cells of --extra, which are never tested.",
    )
    simulated: int = Field(
        0,
        ge=0,
        le=1000,
        description=(
            "Train also on so many simulated specimens, which are never tested; as "
            "many of each pattern."
        ),
    )
    simulated_seed: int = Field(
        777, ge=0, description="Seed of the simulated specimens."
    )
    extra_views: Literal["as-views", "paper"] = Field(
        "as-views",
        description=(
            "Orientations of each extra cell: 'paper' uses 2, of nuclear membrane 4, "
            "of Golgi 8, as in the paper's Table 1."
        ),
    )
    specimen_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description=(
            "Share of the training specimens of each pattern that are trained on, two "
            "at least."
        ),
    )
    cell_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description=(
            "Share of the cells of each training specimen that are trained on, one at "
            "least."
        ),
    )
    balance: Literal["cells", "specimens"] = Field(
        "cells",
        description=(
            "Cells in an epoch of a network: 'cells' uses each training cell once; "
            "'specimens' draws as many at random, with equal weight for all patterns "
            "and for all specimens of a pattern."
        ),
    )
    reviewed: Literal["not-rejected", "accepted"] = Field(
        "not-rejected",
        description=(
            "Cells of a cell folder to train and test on: all but those that reviewers "
            "reject or disagree on, or only those that they accepted or relabelled."
        ),
    )

    _views_as_typed = field_validator("views", mode="before")(as_choice)


class ProtocolSettings(Settings):
    """Settings of the folds."""

    protocol: Literal["loso", "group-k", "inner-k", "k-fold"] = Field(
        "loso",
        description=(
            "'loso' leaves one specimen out, 'group-k' divides whole specimens into "
            "folds, 'inner-k' also leaves the next of those folds out of training, "
            "for choosing settings, 'k-fold' ignores specimens and is optimistic."
        ),
    )
    folds: int = Field(
        5, ge=2, le=1000, description="Number of folds; not used by 'loso'."
    )
    pilot: int = Field(
        0,
        ge=0,
        le=10_000,
        description=(
            "Train only this many folds, drawn from all patterns in turn, for a first "
            "figure; 0 trains all."
        ),
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
        description=(
            "Share of cells that the leading pattern needs for a verdict, where no "
            "verdict was fitted."
        ),
    )
    mixed_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description=(
            "Share of cells from which a second pattern is shown as mixed, where no "
            "balance of mixtures was fitted."
        ),
    )
    called_mixed: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of specimens of one pattern that may be called mixed.",
    )
    risk: float = Field(
        0.1,
        gt=0,
        lt=1,
        description=(
            "Share of wrong verdicts accepted among those given; a fitted verdict is "
            "withheld below the probability that guarantees it."
        ),
    )
    confidence: float = Field(
        0.9,
        gt=0,
        lt=1,
        description=(
            "How sure it is that a fitted verdict keeps the risk: 0.9 lets 10 fits in "
            "100 miss it."
        ),
    )
    turned_away: float = Field(
        0.05,
        ge=0,
        lt=1,
        description=(
            "Share of specimens of known patterns that may be turned away as none of "
            "these patterns."
        ),
    )
