"""Engines that run folds: this process, local workers, a Dask cluster, Slurm.

Nothing of Dask or Slurm is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from training.config import ClassifierSettings, engine_kind
from training.errors import EngineError
from training.runs.engines.base import (
    ATTEMPTS,
    Engine,
    FoldTask,
    Message,
    default_workers,
)
from training.runs.engines.local import LocalEngine, run_tasks
from training.runs.engines.speed import measure_fold, measure_speed

__all__ = [
    "ATTEMPTS",
    "Engine",
    "FoldTask",
    "Message",
    "default_workers",
    "measure_fold",
    "measure_speed",
    "open_engine",
    "run_tasks",
]


@contextmanager
def open_engine(
    word: str, device: str, workers: int, classifier: ClassifierSettings
) -> Iterator[Engine]:
    """Open the engine that a word names, and close it in the end.

    Parameters
    ----------
    word
        ``local``, ``dask://HOST:PORT`` or ``slurm``.
    device
        auto, cpu or cuda.
    workers
        How many folds train at once; 0 leaves it to the engine.
    classifier
        Which will be fitted.

    Raises
    ------
    BadSettingError
        If there is no such engine.
    EngineError
        If its packages are not installed or nobody answers.
    """
    engine = _open(word, device, workers, classifier)
    try:
        yield engine
    finally:
        engine.close()


def _open(
    word: str, device: str, workers: int, classifier: ClassifierSettings
) -> Engine:
    kind = engine_kind(word)
    if kind == "dask":
        _need("distributed", word)
        from training.runs.engines.dask import DaskEngine

        return DaskEngine(word, device, workers)
    if kind == "slurm":
        _need("submitit", word)
        from training.runs.engines.slurm import SlurmEngine

        return SlurmEngine(device, workers)
    return LocalEngine(device, workers, classifier)


def _need(package: str, word: str) -> None:
    if find_spec(package) is None:
        raise EngineError(
            f"--engine {word}",
            f"it needs {package}, which is not installed",
            'pip install "napari-hep2[cluster]"',
        )
