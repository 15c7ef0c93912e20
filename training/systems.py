"""All classifiers by name: from settings and a cell set to something that fits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from training.classifiers.base import Classifier
from training.classifiers.feature_classifier import FeatureClassifier
from training.classifiers.feature_store import FeatureStore
from training.classifiers.features import FeatureSystem
from training.config import (
    ClassifierSettings,
    LocalPatternsSettings,
    NetworkSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
    StackSettings,
)
from training.data.cells import CellSet
from training.data.packed_cells import cache_folder
from training.devices import ResidentCells, choose_device
from training.network_classifier import NetworkClassifier
from training.stacking import StackClassifier


def build_classifier(
    settings: ClassifierSettings,
    cells: CellSet,
    device: str,
    cache: Path | None = None,
) -> Classifier:
    """Return the classifier that `settings` name, bound to a cell set.

    Parameters
    ----------
    settings
        Of one of the classifiers.
    cells
        Packed at ``settings.input_size``, with masks where `needs_masks` says so.
    device
        Where a network trains; feature systems compute on the CPU.
    cache
        Where features are kept; None takes the cache of this machine.
    """
    count = len(cells.vocabulary)
    if isinstance(settings, NetworkSettings):
        resident = ResidentCells.place(
            cells.images, cells.patterns, choose_device(device)
        )
        return NetworkClassifier(settings, resident, count)
    if isinstance(settings, StackSettings):
        return StackClassifier(settings, cells)
    make = _maker(settings, count)
    recipe = settings.model_dump_json()
    store = FeatureStore(make(), recipe, cells, cache or cache_folder())
    return FeatureClassifier(make, cells, store)


def needs_masks(settings: ClassifierSettings) -> bool:
    """Whether a classifier looks at the masks of nuclei."""
    return not isinstance(settings, NetworkSettings | StackSettings)


def _maker(settings: ClassifierSettings, count: int) -> Callable[[], FeatureSystem]:
    """Return what makes a feature system, importing the libraries of that one."""
    if isinstance(settings, ShapeIndexSettings):
        from training.classifiers.shape_index import ShapeIndexSystem

        return partial(ShapeIndexSystem, settings, count)
    if isinstance(settings, LocalPatternsSettings):
        from training.classifiers.local_patterns import LocalPatternsSystem

        return partial(LocalPatternsSystem, settings, count)
    assert isinstance(settings, ScaleSpaceSettings)
    from training.classifiers.scale_space import ScaleSpace

    return partial(ScaleSpace, settings, count)
