"""What is kept of the fit of a model until it is written, so that it can go on.

Beside ``NAME.safetensors`` stands the folder ``NAME.fit`` meanwhile: the checkpoints of
the fit, what it fits (`fit.json`), and a lock. The same command goes on from there;
another one in its place begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from training.checkpoints import drop_checkpoints
from training.config import NetworkSettings, TrainingSetSettings
from training.data.cells import CellSet
from training.data.images import storage_error, write_json
from training.data.reading import read_json
from training.locks import locked

_WHAT = "fit.json"
_PACKAGES = ("napari-hep2", "torch")


@contextmanager
def kept_fit(model: Path, what: dict[str, object]) -> Iterator[Path]:
    """Hold the folder of a model's fit; remove it when the model was written.

    Parameters
    ----------
    model
        The safetensors file that is being made.
    what
        All that decides the fit, as JSON content; checkpoints of another are dropped.

    Yields
    ------
    folder
        For the checkpoints; it is left where the block ends by an exception.

    Raises
    ------
    RunLockedError
        If another process fits this model now.
    StorageError
        If the folder cannot be written.
    """
    folder = model.with_suffix(".fit")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise storage_error(folder, fault) from fault
    with locked(folder):
        if _read(folder / _WHAT) != what:
            drop_checkpoints(folder)
            write_json(folder / _WHAT, what)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


def describe_fit(
    cells: CellSet,
    settings: NetworkSettings,
    training_set: TrainingSetSettings,
    seed: int,
) -> dict[str, object]:
    """Return all that decides a fit, as JSON content."""
    return {
        "data_fingerprint": cells.fingerprint,
        "patterns": list(cells.vocabulary.names),
        "classifier": settings.model_dump(mode="json"),
        "training_set": training_set.model_dump(mode="json"),
        "seed": seed,
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _read(path: Path) -> object:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
