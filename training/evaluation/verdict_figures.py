"""Constants of a calibrated verdict, fitted on held-out specimens."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from training.config.base import Settings


class LeftOutFigures(Settings):
    """Separation of specimens of a left-out pattern from known ones."""

    specimens: int = Field(ge=0, description="Of the left-out pattern.")
    area: float = Field(
        ge=0, le=1, description="Under the ROC curve of the distance, 0.5 is chance."
    )
    not_one_of_these: int = Field(ge=0, description="Turned away by the distance.")
    withheld: int = Field(ge=0, description="Given no verdict for whatever reason.")


class TransductiveFigures(Settings):
    """Cells scored alone, and with the unlabelled cells of their specimen."""

    power: float = Field(ge=0, description="Of the specimen's scores, fitted.")
    cells: int = Field(ge=0, description="Held-out cells.")
    strict_mean_class_accuracy: float = Field(description="Track: strict.")
    strict_interval: tuple[float, float] | None = Field(
        None, description="95 % over specimens."
    )
    transductive_mean_class_accuracy: float = Field(
        description="Track: transductive; cross-fitted."
    )
    transductive_interval: tuple[float, float] | None = Field(
        None, description="95 % over specimens."
    )


class VerdictFigures(Settings):
    """Track: specimen. Each specimen judged by constants fitted without it."""

    track: Literal["specimen"] = Field("specimen", description="What is counted.")
    specimens: int = Field(ge=0, description="Held-out specimens.")
    right: int = Field(ge=0, description="Whose leading pattern is the true one.")
    brier: float = Field(description="Brier score on specimens, 0 best, 2 worst.")
    uncalibrated_brier: float = Field(description="Of the mean log score, unfitted.")
    log_loss: float = Field(description="In nats.")
    expected_error: float = Field(description="Of calibration, 15 bins, in 0..1.")
    answered: int = Field(ge=0, description="Specimens that were given a verdict.")
    answered_wrong: int = Field(ge=0, description="Of these, wrong.")
    risk_bound: float | None = Field(
        None, description="One-sided 95 % bound of the share wrong among the answered."
    )
    too_few_cells: int = Field(ge=0, description="Withheld for that reason.")
    no_clear_pattern: int = Field(ge=0, description="Withheld for that reason.")
    not_one_of_these: int = Field(ge=0, description="Withheld for that reason.")
    mixed: int = Field(ge=0, description="Answered and called mixed.")


class VerdictCalibration(Settings):
    """The constants of a verdict, and what they were fitted on and measured at."""

    run: str = Field("", max_length=500, description="Name of the run folder.")
    experiment: str = Field("", max_length=200, description="Of the run.")
    data_fingerprint: str = Field("", description="Of the run's cells.")
    patterns: tuple[str, ...] = Field(description="In the order of the scores.")
    specimens: int = Field(ge=0, description="Held-out specimens fitted on.")
    temperature: float = Field(gt=0, description="Of the log score of a single cell.")
    correlation: float = Field(
        ge=0,
        le=1,
        description=(
            "Between cells of one specimen: n cells count as n / (1 + (n - 1) c)."
        ),
    )
    risk: float = Field(gt=0, lt=1, description="Wrong verdicts accepted, a share.")
    threshold: float | None = Field(
        description="Least probability of a verdict; null where none meets the risk."
    )
    confidence: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "That the risk is kept by this fit; null where it is kept on average over "
            "fits only, as earlier versions chose the threshold."
        ),
    )
    answered: int | None = Field(
        None, ge=0, description="Specimens fitted on that the threshold answers."
    )
    answered_wrong: int | None = Field(None, ge=0, description="Of these, wrong.")
    least_risk: float | None = Field(
        None,
        description="Least risk, in whole per cent, that a threshold guarantees here.",
    )
    turned_away: float = Field(
        ge=0, lt=1, description="Share of known specimens that may be turned away."
    )
    distance: float | None = Field(
        description="Largest distance to a specimen of the claimed pattern."
    )
    profiles: dict[str, tuple[tuple[float, ...], ...]] = Field(
        description="Of each pattern, the held-out specimens that were recognised."
    )
    mixed_share: float = Field(
        ge=0, le=1, description="Share of cells from which a second pattern is shown."
    )
    mixed_balance: float | None = Field(
        None,
        ge=0,
        le=1,
        description=(
            "Largest balance of two patterns in a specimen of one; null where the "
            "share of cells decides, as in earlier versions."
        ),
    )
    figures: VerdictFigures | None = Field(None, description="Cross-fitted.")
    left_out_by: Literal["", "scores", "training"] = Field(
        "",
        description=(
            "How patterns were left out: 'scores' takes the pattern's score away "
            "after training, which flatters; 'training' trains without it."
        ),
    )
    left_out: dict[str, LeftOutFigures] = Field(
        default_factory=dict, description="Of each pattern left out in turn."
    )
    transductive: TransductiveFigures | None = Field(
        None, description="Apart from the other tracks; not part of the verdict."
    )

    @model_validator(mode="after")
    def _one_number_a_pattern(self) -> Self:
        """Refuse profiles that the scores of its patterns cannot be compared with."""
        numbers = [one for many in self.profiles.values() for one in many]
        if any(len(one) != len(self.patterns) for one in numbers) or not all(
            math.isfinite(value) for one in numbers for value in one
        ):
            raise ValueError("a profile does not have a number for each pattern")
        return self
