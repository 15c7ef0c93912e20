"""The result of a finished fold, and its files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError
from training.models.base import EpochRecord, parse_history
from training.models.networks.checkpoint_files import drop_checkpoints
from training.storage.reading import read_array, read_json
from training.storage.writing import check_there, write_array, write_json

_CHOSEN = "chosen.json"


@dataclass(frozen=True)
class FoldResult:
    """Result of a finished fold.

    Attributes
    ----------
    rows : (m,) int64
        Held-out rows of the cell set.
    scores : (m, K) float32
    disagreement : (m,) float32
        See `training.models.base.HeldOutScores`.
    history
        One record an epoch.
    chosen
        What was chosen inside the fold, by name.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    disagreement: npt.NDArray[np.float32]
    history: tuple[EpochRecord, ...]
    chosen: Mapping[str, float] = field(default_factory=dict)


ORIGIN = "fold.json"
"""What a fold is made from, in its folder."""


def begin_fold(folder: Path, origin: dict[str, str]) -> None:
    """Note what a fold is made from; checkpoints of anything else are dropped."""
    if read_origin(folder) != origin:
        drop_checkpoints(folder)
        write_json(folder / ORIGIN, origin)


def read_origin(folder: Path) -> dict[str, str]:
    """Return what a fold is made from; empty where it does not say so."""
    try:
        content = read_json(folder / ORIGIN)
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in content.items()} if type(content) is dict else {}


def write_result(folder: Path, result: FoldResult) -> None:
    """Write a finished fold; `scores.npy` comes last and marks it as done."""
    check_there(folder)
    write_json(folder / "history.json", [asdict(record) for record in result.history])
    if result.chosen:
        write_json(folder / _CHOSEN, dict(result.chosen))
    write_array(folder / "rows.npy", result.rows)
    write_array(folder / "disagreement.npy", result.disagreement)
    write_array(folder / "scores.npy", result.scores)
    drop_checkpoints(folder)


def has_result(folder: Path) -> bool:
    """Return whether the fold in this folder is finished."""
    return (folder / "scores.npy").is_file()


def read_result(
    folder: Path, cells: int | None = None, patterns: int | None = None
) -> FoldResult:
    """Read a finished fold.

    Parameters
    ----------
    folder
        Of the fold.
    cells, patterns
        How many there are in the cell set and in its vocabulary, where it is known.

    Raises
    ------
    BadRunError
        If its files are damaged, or are not of that many cells and patterns.
    """
    try:
        rows, scores, disagreement = (
            read_array(folder / f"{name}.npy")
            for name in ("rows", "scores", "disagreement")
        )
        history = parse_history(read_json(folder / "history.json"))
        found = FoldResult(rows, scores, disagreement, history, _read_chosen(folder))
        _check_result(found, cells, patterns)
    except (OSError, ValueError, TypeError, AttributeError) as fault:
        raise damaged_result(folder) from fault
    return found


def _read_chosen(folder: Path) -> dict[str, float]:
    path = folder / _CHOSEN
    if not path.is_file():
        return {}
    return {str(name): float(value) for name, value in read_json(path).items()}


def damaged_result(folder: Path) -> BadRunError:
    """Return the fault of a finished fold that cannot be used."""
    return BadRunError(
        folder, "the result of this fold is damaged", "delete this folder, resume"
    )


def _check_result(found: FoldResult, cells: int | None, patterns: int | None) -> None:
    rows, scores, disagreement = found.rows, found.scores, found.disagreement
    fits = (
        rows.dtype == np.int64
        and scores.dtype == disagreement.dtype == np.float32
        and (rows.ndim, scores.ndim, disagreement.ndim) == (1, 2, 1)
        and len(rows) == len(scores) == len(disagreement)
        and scores.shape[1] == (patterns or max(scores.shape[1], 1))
        and (not len(rows) or (rows.min() >= 0 and rows.max() < (cells or math.inf)))
        and np.isfinite(scores).all()
        and np.isfinite(disagreement).all()
    )
    if not fits:
        raise ValueError("these are not scores of held-out cells")
