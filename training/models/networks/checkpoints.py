"""Checkpoints of a fit and the files of a finished fold.

A checkpoint is one safetensors file, written to a temporary name, synced and renamed;
the one before it is kept, so that a torn file costs one epoch and no more.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.models.base import parse_history
from training.models.networks.checkpoint_files import CHECKPOINT, PREVIOUS
from training.models.networks.loop import FitState
from training.storage.reading import parse_json
from training.storage.writing import check_there, write_bytes

_UNSEALED = "0" * 32
"""What stands in the header in the place of the digest while that is computed."""


def save_checkpoint(folder: Path, state: FitState) -> None:
    """Write the state of a fit after an epoch, keeping the one before.

    Raises
    ------
    StorageError
        If it cannot be written; the earlier ones are intact.
    """
    tensors = {f"weight.{k}": v for k, v in state.network.state_dict().items()}
    if state.average is not None:
        means = state.average.state_dict()
        tensors |= {f"average.{name}": mean for name, mean in means.items()}
    tensors |= {f"momentum.{k:03d}": m for k, m in enumerate(state.momenta)}
    tensors |= {f"vote.{k:03d}": _tensor(v) for k, v in enumerate(state.votes)}
    for k, voter in enumerate(state.voters):
        tensors |= {f"voter.{k:03d}.{name}": v for name, v in voter.items()}
    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    history = json.dumps([asdict(record) for record in state.history])
    metadata = {"epoch": str(state.epoch), "history": history, "digest": _UNSEALED}
    check_there(folder)
    current = folder / CHECKPOINT
    if current.is_file():
        current.replace(folder / PREVIOUS)
    content = save(contiguous, metadata)
    seal = _digest(content).encode()
    write_bytes(current, content.replace(_UNSEALED.encode(), seal, 1))


def load_checkpoint(folder: Path, state: FitState) -> bool:
    """Bring `state` to the newest checkpoint that is whole; tell whether there was one.

    Parameters
    ----------
    folder
        Of the fit.
    state
        As `training.models.networks.loop.begin` made it; changed in place.
    """
    current, previous = folder / CHECKPOINT, folder / PREVIOUS
    if current.is_file() and _load(current, state):
        return True
    if previous.is_file() and _load(previous, state):
        # The next one would push the torn one into the place of the whole one.
        current.unlink(missing_ok=True)
        return True
    return False


def _load(path: Path, state: FitState) -> bool:
    """Load one file whole or change nothing."""
    try:
        metadata, tensors = _unsealed(path.read_bytes())
        history = list(parse_history(parse_json(metadata["history"])))
        epoch, momenta = int(metadata["epoch"]), _part(tensors, "momentum.").values()
        votes = [vote.numpy() for vote in _part(tensors, "vote.").values()]
        voters = _voters(_part(tensors, "voter."))
        if epoch != len(history) or any(
            made.shape != kept.shape or made.dtype != kept.dtype
            for made, kept in zip(momenta, state.momenta, strict=True)
        ):
            return False
        if state.average is not None:
            state.average.load_state_dict(_part(tensors, "average."))
        state.network.load_state_dict(_part(tensors, "weight."))
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        return False
    state.momenta, state.votes, state.voters = list(momenta), votes, voters
    state.epoch, state.history = epoch, history
    return True


def _unsealed(content: bytes) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and tensors of a file of which no bit has changed.

    Raises
    ------
    ValueError, KeyError, TypeError, SafetensorError
        If it is cut or changed.
    """
    size = int.from_bytes(content[:8], "little")
    metadata = parse_json(content[8 : 8 + size])["__metadata__"]
    seal = str(metadata["digest"])
    if seal != _digest(content.replace(seal.encode(), _UNSEALED.encode(), 1)):
        raise ValueError("the checkpoint is not as it was written")
    return metadata, load(content)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=len(_UNSEALED) // 2).hexdigest()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    names = sorted(name for name in tensors if name.startswith(prefix))
    return {name.removeprefix(prefix): tensors[name] for name in names}


def _voters(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the weights of each voter, told by the number before their name."""
    numbers = sorted({name.partition(".")[0] for name in tensors})
    return [_part(tensors, f"{number}.") for number in numbers]


def _tensor(array: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(array)
