"""The card of a model: what it is, readable without torch and without the weights."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, ValidationError

from training.config import AnyNetworkSettings, Settings, TrainingSetSettings
from training.errors import BadModelError

NOTICE = "Research use only, not for diagnosis."
_FORMAT = 2
_MAX_CARD = 1_000_000


class ModelCard(Settings):
    """What a model is, what it was fitted on and how good it was measured to be."""

    format: int = Field(_FORMAT, ge=_FORMAT, le=_FORMAT, description="Of this file.")
    name: str = Field(min_length=1, max_length=200, description="Of the model.")
    vocabulary: str = Field(description="Name of the vocabulary.")
    patterns: tuple[str, ...] = Field(description="In the order of the scores.")
    classifier: AnyNetworkSettings = Field(description="Architecture and recipe.")
    training_set: TrainingSetSettings = Field(description="What it was fitted on.")
    trained_on: str = Field(description="The cells, for people.")
    cells: int = Field(ge=0, description="Training cells.")
    specimens: tuple[str, ...] = Field(description="Training specimens.")
    data_fingerprint: str = Field(description="Of the training cells.")
    measured: str = Field(
        "not measured", description="Held-out figures with n and protocol."
    )
    licence: str = Field("BSD-3-Clause", description="Of the weights.")
    notice: str = Field(NOTICE, description="What it must not be used for.")


def read_card(path: Path) -> ModelCard:
    """Read a model's card.

    Raises
    ------
    BadModelError
        If it is missing or damaged.
    """
    try:
        if path.stat().st_size > _MAX_CARD:
            raise BadModelError(path, "the card is too large", "use another model")
        content = json.loads(path.read_text(encoding="utf-8"))
        return ModelCard.model_validate(content)
    except FileNotFoundError as fault:
        raise BadModelError(
            path, "the card of the model is missing", "copy it beside the weights"
        ) from fault
    except (OSError, ValueError, ValidationError, RecursionError) as fault:
        raise BadModelError(
            path, "the card of the model is damaged", "copy both files again"
        ) from fault
