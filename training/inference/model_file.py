"""Models: a fitted classifier in a safetensors file with its JSON card beside it.

Nothing in either file is ever executed: the card is checked first, the header of the
weights is checked against what the card promises, and only then are weights read.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from training.config import NetworkSettings
from training.data.cells.cell_set import pack_images
from training.errors import BadModelError
from training.inference.cards import (
    ModelCard,
    known_vocabulary,
    read_card,
    replace_model,
)
from training.models.networks.architectures import blank_network
from training.models.networks.devices import choose_device, place
from training.models.networks.scoring import score_with
from training.models.networks.weights import StoredTensor, read_header
from training.patterns import Vocabulary


@dataclass(frozen=True)
class Model:
    """A fitted classifier, ready to score crops.

    Attributes
    ----------
    card
        What it is.
    vocabulary
        The patterns, in the order of its scores.
    voters
        One network for each of the last epochs; their mean score counts.
    """

    card: ModelCard
    vocabulary: Vocabulary
    voters: tuple[nn.Module, ...]

    @property
    def settings(self) -> NetworkSettings:
        """Settings of the network."""
        return network_settings(self.card)

    def scores(self, crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the mean of the voters' softmax scores, over the card's views.

        Parameters
        ----------
        crops : (N, S, S) uint8 or uint16

        Returns
        -------
        scores : (N, K) float32
            Rows sum to 1.
        """
        if len(crops) == 0:
            return np.zeros((0, len(self.vocabulary)), np.float32)
        settings = self.settings
        packed = pack_images(crops, settings.input_size)
        device = next(self.voters[0].parameters()).device
        images = torch.from_numpy(packed).to(device)
        return score_with(
            partial(mean_vote, self.voters),
            images,
            settings.normalisation,
            views=settings.test_views,
        )


def network_settings(card: ModelCard) -> NetworkSettings:
    """Return the settings of a card that is of a network.

    Raises
    ------
    BadModelError
        If it is not.
    """
    if not isinstance(card.classifier, NetworkSettings):
        raise BadModelError(
            card.name,
            "this needs a network, which it is not",
            "use a network, as set-1",
        )
    return card.classifier


def mean_vote(voters: Iterable[nn.Module], images: Tensor) -> Tensor:
    """Return the mean of the voters' softmax scores, (N, K) float32.

    Parameters
    ----------
    voters
        In evaluation mode, on the device of `images`.
    images : (N, 1, S, S) float32 in 0..1
        Normalised.
    """
    return torch.stack([voter(images).softmax(1) for voter in voters]).mean(0)


def save_model(path: Path, card: ModelCard, voters: list[dict[str, Tensor]]) -> None:
    """Write the weights of the voters and the card, both or neither.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    weights = {
        f"voter{number}.{name}": tensor.contiguous()
        for number, voter in enumerate(voters)
        for name, tensor in voter.items()
    }
    replace_model(path, card, save(weights))


def load_model(path: Path, device: str = "auto") -> Model:
    """Read a model.

    Parameters
    ----------
    path
        Its safetensors file; the card of the same name lies beside it.
    device
        auto, cpu or cuda.

    Raises
    ------
    BadModelError
        If either file is missing, damaged, hostile or does not fit the other.
    """
    path = path.with_suffix(".safetensors")
    card = read_card(path.with_suffix(".json"))
    vocabulary, settings = known_vocabulary(card, path), network_settings(card)
    found = read_header(path, remedy="copy both files again")
    network = blank_network(settings, len(vocabulary))
    votes = min(settings.vote_epochs, settings.epochs)
    expected = {
        f"voter{number}.{name}": StoredTensor("F32", tuple(tensor.shape))
        for number in range(votes)
        for name, tensor in network.state_dict().items()
    }
    if found != expected:
        raise BadModelError(
            path, "its weights do not fit its card", "copy both files again"
        )
    voters = [network, *(copy.deepcopy(network) for _ in range(votes - 1))]
    return Model(card, vocabulary, _fill(path, voters, choose_device(device)))


def _fill(
    path: Path, voters: list[nn.Module], device: torch.device
) -> tuple[nn.Module, ...]:
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise BadModelError(
            path, "the weights are damaged", "copy both files again"
        ) from fault
    for number, voter in enumerate(voters):
        prefix = f"voter{number}."
        mine = {
            name.removeprefix(prefix): tensor
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
        voter.load_state_dict(mine)
        place(voter, device)
        voter.eval()
    return tuple(voters)
