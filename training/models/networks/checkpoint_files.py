"""The files of a checkpoint by name; who only drops them loads no torch."""

from __future__ import annotations

from pathlib import Path

from training.storage.writing import storage_error

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


def drop_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a fit that is finished.

    Raises
    ------
    StorageError
        If they cannot be removed.
    """
    for path in (folder / CHECKPOINT, folder / PREVIOUS):
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            raise storage_error(path, fault) from fault
