"""Features that are computed once for all folds, kept under the hash of their source.

The name of a file is a hash of the pixels, the masks, the settings and the code that
computed it: whatever changes, other features are computed.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch

from training.data.cells.cell_set import CellSet
from training.models.augmentation import turn
from training.models.features.base import Features, Floats
from training.splits.samples import Rows, Samples
from training.storage.reading import read_array
from training.storage.writing import write_array

_CHUNK = 200


class FeatureStore:
    """The features of a cell set, computed where they are not on the disk yet.

    Parameters
    ----------
    system
        What computes them.
    recipe
        Its settings, as text.
    cells
        With masks.
    folder
        The cache.
    """

    def __init__(
        self, system: Features, recipe: str, cells: CellSet, folder: Path
    ) -> None:
        self._system = system
        self._cells = cells
        self._folder = folder
        self._key = f"{recipe} {_source_hash(system)} {cells.fingerprint}"
        self._views: dict[int, Floats] = {}

    def of(self, samples: Samples) -> Floats:
        """Return the features of cells in their views, (n, D) float32."""
        views = np.unique(samples.views)
        arrays = {int(view): self.view(int(view)) for view in views}
        found = np.empty((len(samples), arrays[int(views[0])].shape[1]), np.float32)
        for view, array in arrays.items():
            chosen = samples.views == view
            found[chosen] = array[samples.rows[chosen]]
        return found

    def view(self, view: int) -> Floats:
        """Return the features of all cells in one view, (N, D) float32."""
        if view not in self._views:
            for _ in self.steps(view):
                pass
        return self._views[view]

    def steps(self, view: int) -> Iterator[float]:
        """Compute one view where it is not on the disk yet; yields the share done."""
        path = self._folder / f"features-{self._name(view)}.npy"
        if not path.is_file():
            yield from self._compute(view, path)
        try:
            self._views[view] = read_array(path, "r")
        except ValueError:
            yield from self._compute(view, path)
            self._views[view] = read_array(path, "r")

    def _name(self, view: int) -> str:
        key = f"{self._key} {view}".encode()
        return hashlib.blake2b(key, digest_size=12).hexdigest()

    def _compute(self, view: int, path: Path) -> Iterator[float]:
        parts, count = [], len(self._cells)
        for start in range(0, count, _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, count))
            images, masks = turned(self._cells, rows, np.full_like(rows, view))
            parts.append(self._system.compute(images, masks))
            yield min(start + _CHUNK, count) / count
        write_array(path, np.concatenate(parts))


def turned(
    cells: CellSet, rows: Rows, views: Rows
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return images and masks of cells in their views, (n, S, S) uint8 and bool."""
    assert cells.masks is not None
    turns = torch.from_numpy(views)
    images = torch.from_numpy(np.array(cells.images[rows]))
    masks = torch.from_numpy(np.array(cells.masks[rows]))
    return turn(images, turns).numpy(), turn(masks, turns).numpy()


def _source_hash(system: Features) -> str:
    """Hash the code of the packages that decide the features of a system."""
    modules: tuple[type | ModuleType, ...] = (type(system), *system.rests_on)
    digest = hashlib.blake2b(digest_size=12)
    for module in modules:
        for one in sorted(Path(inspect.getfile(module)).parent.glob("*.py")):
            digest.update(one.read_bytes())
    return digest.hexdigest()
