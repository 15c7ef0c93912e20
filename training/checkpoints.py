"""Checkpoints of a fold and the files of a finished one.

A checkpoint is one safetensors file, written to a temporary name, synced and renamed;
the one before it is kept, so that a torn file costs one epoch and no more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.classifiers.base import EpochRecord
from training.data.images import write_array, write_bytes, write_json
from training.errors import BadRunError
from training.fitting import FitState

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


@dataclass(frozen=True)
class FoldResult:
    """What a finished fold leaves.

    Attributes
    ----------
    rows : (m,) int64
        Held-out rows of the cell set.
    scores : (m, K) float32
    disagreement : (m,) float32
        See `training.classifiers.base.HeldOutScores`.
    history
        One record an epoch.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    disagreement: npt.NDArray[np.float32]
    history: tuple[EpochRecord, ...]


def save_checkpoint(folder: Path, state: FitState) -> None:
    """Write the state of a fold after an epoch, keeping the one before.

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
    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    history = json.dumps([asdict(record) for record in state.history])
    metadata = {"epoch": str(state.epoch), "history": history}
    current = folder / CHECKPOINT
    if current.is_file():
        current.replace(folder / PREVIOUS)
    write_bytes(current, save(contiguous, metadata))


def load_checkpoint(folder: Path, state: FitState) -> bool:
    """Bring `state` to the newest checkpoint that is whole; tell whether there was one.

    Parameters
    ----------
    folder
        Of the fold.
    state
        As `training.fitting.begin` made it; changed in place.
    """
    for name in (CHECKPOINT, PREVIOUS):
        path = folder / name
        if path.is_file() and _load(path, state):
            return True
    return False


def write_result(folder: Path, result: FoldResult) -> None:
    """Write a finished fold; `scores.npy` comes last and marks it as done."""
    write_json(folder / "history.json", [asdict(record) for record in result.history])
    write_array(folder / "rows.npy", result.rows)
    write_array(folder / "disagreement.npy", result.disagreement)
    write_array(folder / "scores.npy", result.scores)
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def has_result(folder: Path) -> bool:
    """Whether the fold in this folder is finished."""
    return (folder / "scores.npy").is_file()


def read_result(folder: Path) -> FoldResult:
    """Read a finished fold.

    Raises
    ------
    BadRunError
        If its files are damaged.
    """
    try:
        rows, scores, disagreement = (
            np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in ("rows", "scores", "disagreement")
        )
        text = (folder / "history.json").read_text(encoding="utf-8")
        history = tuple(EpochRecord(**record) for record in json.loads(text))
    except (OSError, EOFError, ValueError, TypeError) as fault:
        raise BadRunError(
            folder, "the result of this fold is damaged", "delete this folder, resume"
        ) from fault
    return FoldResult(rows, scores, disagreement, history)


def _load(path: Path, state: FitState) -> bool:
    """Load one file whole or change nothing."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors: dict[str, Tensor] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        history = [EpochRecord(**record) for record in json.loads(metadata["history"])]
        epoch = int(metadata["epoch"])
        if state.average is not None:
            state.average.load_state_dict(_part(tensors, "average."))
        state.network.load_state_dict(_part(tensors, "weight."))
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        return False
    state.momenta = list(_part(tensors, "momentum.").values())
    state.votes = [vote.numpy() for vote in _part(tensors, "vote.").values()]
    state.epoch, state.history = epoch, history
    return True


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    names = sorted(name for name in tensors if name.startswith(prefix))
    return {name.removeprefix(prefix): tensors[name] for name in names}


def _tensor(array: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(array)
