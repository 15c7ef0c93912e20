"""The card of a model: what it is, readable without torch.

The card names its weights by their SHA-256. Both are replaced in three steps: the new
card is put beside the old one, the weights are renamed into place, then the card. The
second step is the commit: whichever of the two cards names the weights that are there
is the card of the model, so that a writer killed anywhere leaves the old model or the
new one.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from training.config import ModelSettings, Settings, TrainingSetSettings
from training.data.cells.crop_size import SHARES
from training.errors import BadModelError
from training.evaluation.verdict_figures import VerdictCalibration
from training.patterns import VOCABULARIES, Vocabulary
from training.storage.fingerprints import sha256_of
from training.storage.reading import parse_json
from training.storage.writing import (
    storage_error,
    sync_folder,
    write_bytes,
    write_json,
)

NOTICE = "Research use only, not for diagnosis."
SIMULATED = (
    "This model was trained on simulated cells only. It says nothing about a patient, "
    "and its probabilities hold for simulated specimens alone."
)
_OLDEST, _FORMAT = 2, 3
"""Cards of format 2 have neither the confidence of their verdict nor the hash of their
weights; they are still read."""
_COMING = ".json.new"
_MAX_CARD = 1_000_000
_REMEDY = "copy both files again"


class ModelCard(Settings):
    """Card of a model: what it is, its training data and its measured accuracy."""

    format: int = Field(_FORMAT, ge=_OLDEST, le=_FORMAT, description="Of this file.")
    name: str = Field(min_length=1, max_length=200, description="Of the model.")
    vocabulary: str = Field(description="Name of the vocabulary.")
    patterns: tuple[str, ...] = Field(description="In the order of the scores.")
    classifier: ModelSettings = Field(description="Architecture and recipe.")
    chosen: dict[str, float] = Field(
        default_factory=dict,
        description="What was chosen among the settings, by leaving specimens out.",
    )
    training_set: TrainingSetSettings = Field(description="What it was fitted on.")
    trained_on: str = Field(description="The cells, for people.")
    simulated: bool = Field(
        False,
        description="Whether all are simulated: it says nothing about a patient.",
    )
    cells: int = Field(ge=0, description="Training cells.")
    specimens: tuple[str, ...] = Field(description="Training specimens.")
    frames: tuple[str, ...] = Field(
        (),
        description="First digits of the SHA-256 of each training frame; none where "
        "the cells came cut.",
    )
    data_fingerprint: str = Field(description="Of the training cells.")
    nucleus_share: float | None = Field(
        None,
        ge=SHARES[0],
        le=SHARES[1],
        description=(
            "Diameter of the usual training nucleus over the side of its image; what "
            "the model scores of a frame is cut alike. Null leaves crops as they are."
        ),
    )
    measured: str = Field(
        "not measured", description="Held-out figures with n and protocol."
    )
    weights_sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="Of the weights; null in format 2, which did not have it.",
    )
    licence: str = Field("BSD-3-Clause", description="Of the weights.")
    notice: str = Field(NOTICE, description="What it must not be used for.")
    verdict: VerdictCalibration | None = Field(
        None, description="What makes its verdicts probabilities, where it was fitted."
    )

    @model_validator(mode="after")
    def _verdict_on_its_patterns(self) -> Self:
        if self.verdict is not None and self.verdict.patterns != self.patterns:
            raise ValueError("the verdict is on other patterns")
        return self


def read_card(path: Path) -> ModelCard:
    """Read the card of the weights that lie beside it.

    Raises
    ------
    BadModelError
        If it is missing or damaged, or is of other weights than those.
    """
    card, weights = _read(path), path.with_suffix(".safetensors")
    if card.weights_sha256 is None or not weights.is_file():
        return card
    try:
        there = sha256_of(weights)
    except OSError as fault:
        raise BadModelError(weights, "the file cannot be read", _REMEDY) from fault
    coming = path.with_suffix(_COMING)
    for one in (card, *((_read(coming),) if coming.is_file() else ())):
        if one.weights_sha256 == there:
            return one
    raise BadModelError(weights, "its card is of other weights", _REMEDY)


def replace_model(path: Path, card: ModelCard, weights: bytes) -> None:
    """Write the weights and the card of a model, both or neither.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    digest = hashlib.sha256(weights).hexdigest()
    content = card.model_copy(update={"format": _FORMAT, "weights_sha256": digest})
    coming = path.with_suffix(_COMING)
    _finish(path, coming)
    write_json(coming, content.model_dump(mode="json"))
    write_bytes(path.with_suffix(".safetensors"), weights)
    _rename(coming, path.with_suffix(".json"))


def _finish(path: Path, coming: Path) -> None:
    """Rename a card that a killed writer left, where its weights are in place."""
    weights = path.with_suffix(".safetensors")
    with suppress(BadModelError, OSError):
        if weights.is_file() and _read(coming).weights_sha256 == sha256_of(weights):
            _rename(coming, path.with_suffix(".json"))


def _rename(coming: Path, card: Path) -> None:
    try:
        coming.replace(card)
        sync_folder(card.parent)
    except OSError as fault:
        raise storage_error(card, fault) from fault


def _read(path: Path) -> ModelCard:
    if not path.is_file():
        raise BadModelError(
            path, "the card of the model is missing", "copy it beside the weights"
        )
    try:
        if path.stat().st_size > _MAX_CARD:
            raise BadModelError(path, "the card is too large", "use another model")
        return parse_card(path.read_text(encoding="utf-8"), path)
    except (OSError, ValueError) as fault:
        raise _damaged(path) from fault


def add_verdict(path: Path, verdict: VerdictCalibration) -> ModelCard:
    """Write a fitted verdict into the card at `path`.

    Raises
    ------
    BadModelError
        If the card is missing or damaged, or is of a model of other patterns.
    StorageError
        If it cannot be written.
    """
    card = read_card(path)
    if card.patterns != verdict.patterns:
        raise BadModelError(
            path,
            f"the run {verdict.run} has other patterns than the model",
            "give a run on the same patterns",
        )
    card = card.model_copy(update={"verdict": verdict, "format": _FORMAT})
    write_json(path, card.model_dump(mode="json"))
    return card


def parse_card(text: str, path: Path) -> ModelCard:
    """Return a card from its JSON; `path` is what a fault names.

    Raises
    ------
    BadModelError
        If it is too large or damaged.
    """
    if len(text) > _MAX_CARD:
        raise BadModelError(path, "the card is too large", "use another model")
    try:
        card = ModelCard.model_validate(parse_json(text))
    except ValueError as fault:
        raise _damaged(path) from fault
    if card.format > _OLDEST and card.weights_sha256 is None:
        raise _damaged(path)
    return card


def known_vocabulary(card: ModelCard, path: Path) -> Vocabulary:
    """Return the patterns that a card names; `path` is what a fault names.

    Raises
    ------
    BadModelError
        If they are none of ours.
    """
    vocabulary = VOCABULARIES.get(card.vocabulary)
    if vocabulary is None or vocabulary.names != card.patterns:
        raise BadModelError(
            path, "it was made for patterns that are not known", "use another model"
        )
    return vocabulary


def _damaged(path: Path) -> BadModelError:
    return BadModelError(path, "the card of the model is damaged", _REMEDY)
