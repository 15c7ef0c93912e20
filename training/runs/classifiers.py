"""All classifiers by name: from settings and a cell set to something that fits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from training.config import (
    ClassifierSettings,
    KernelRidgeSettings,
    LocalPatternsSettings,
    NetworkSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
    StackSettings,
)
from training.data.cells.cell_set import CellSet
from training.data.cells.loading import cache_folder
from training.models.base import Classifier
from training.models.features.base import FeatureSystem
from training.models.features.classifier import FeatureClassifier
from training.models.features.store import FeatureStore
from training.models.networks.classifier import NetworkClassifier
from training.models.networks.devices import ResidentCells, choose_device
from training.runs.stacking import StackClassifier


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
    if isinstance(settings, KernelRidgeSettings):
        from training.models.features.families import FamilyFeatures
        from training.models.features.kernel_ridge import KernelRidge

        families = FamilyFeatures(settings)
        folder = cache or cache_folder()
        return KernelRidge(
            settings, cells, FeatureStore(families, families.recipe, cells, folder)
        )
    make = _maker(settings, count)
    recipe = settings.model_dump_json()
    store = FeatureStore(make(), recipe, cells, cache or cache_folder())
    return FeatureClassifier(make, cells, store)


def needs_masks(settings: ClassifierSettings) -> bool:
    """Return whether a classifier looks at the masks of nuclei."""
    return not isinstance(settings, NetworkSettings | StackSettings)


def _maker(settings: ClassifierSettings, count: int) -> Callable[[], FeatureSystem]:
    """Return what makes a feature system, importing the libraries of that one."""
    if isinstance(settings, ShapeIndexSettings):
        from training.models.features.shape_index import ShapeIndexSystem

        return partial(ShapeIndexSystem, settings, count)
    if isinstance(settings, LocalPatternsSettings):
        from training.models.features.local_patterns import LocalPatternsSystem

        return partial(LocalPatternsSystem, settings, count)
    assert isinstance(settings, ScaleSpaceSettings)
    from training.models.features.scale_space import ScaleSpace

    return partial(ScaleSpace, settings, count)
