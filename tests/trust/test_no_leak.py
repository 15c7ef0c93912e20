"""No protocol trains on a cell of a held-out specimen, nor on a copy of one."""

from collections import Counter

import numpy as np
import pytest

from training.config import ProtocolSettings, TrainingSetSettings
from training.data.cells.cell_set import CellSet
from training.errors import SpecimensError
from training.patterns import I3A
from training.splits.protocols import PROTOCOLS, make_folds
from training.splits.sampling import choose_samples

SIDE = 5


def _view(image, number):
    """One of the eight rotations and mirrors, made here once more."""
    return np.rot90(image.T if number > 3 else image, number % 4)


def _random_cells(rng) -> CellSet:
    """Specimens of one to eight cells; some cells are copied, turned, into others."""
    specimens = [
        f"{rng.choice(['s', '7', 'S ', 'x+y'])}{k}" for k in range(rng.integers(4, 13))
    ]
    patterns = rng.integers(0, rng.integers(2, 5), len(specimens))
    owners = np.repeat(np.arange(len(specimens)), rng.integers(1, 9, len(specimens)))
    owners = rng.permutation(owners)
    images = rng.integers(0, 256, (len(owners), SIDE, SIDE), np.uint8)
    for _ in range(rng.integers(0, 5)):
        source, copy = rng.integers(len(owners), size=2)
        images[copy] = _view(images[source], rng.integers(8))
    extra = np.isin(owners, rng.choice(len(specimens), rng.integers(0, 3)))
    return CellSet(
        images,
        patterns[owners].astype(np.int64),
        np.array(specimens)[owners],
        np.array([f"cell{k}" for k in range(len(owners))]),
        I3A,
        extra=extra if rng.random() < 0.5 else None,
    )


def _contents(cells) -> np.ndarray:
    """Return the images as bytes, each by the least of its eight views."""
    return np.array(
        [
            min(_view(image, view).tobytes() for view in range(8))
            for image in cells.images
        ],
        object,
    )


def _settings(protocol, rng) -> ProtocolSettings:
    folds, seed = int(rng.integers(3, 5)), int(rng.integers(1000))
    return ProtocolSettings(protocol=protocol, folds=folds, seed=seed)


def _training_set(rng) -> TrainingSetSettings:
    return TrainingSetSettings(
        views=int(rng.choice([1, 8])),
        use_extra=bool(rng.integers(2)),
        cells_per_specimen=int(rng.integers(3)),
        balance=str(rng.choice(["cells", "specimens"])),
    )


def _leaks(cells, contents, fold, training_set, seed) -> int:
    """Count the cells that a fold would train on and must not."""
    rows = choose_samples(cells, fold.train, training_set, seed).rows
    specimens, images = set(cells.specimens[fold.test]), set(contents[fold.test])
    return sum(
        cells.specimens[row] in specimens or contents[row] in images
        for row in set(rows.tolist())
    )


@pytest.mark.promise("leak")
def test_no_cell_of_a_held_out_specimen_nor_a_copy_is_trained_on(promise, times):
    rng = np.random.default_rng(0)
    tables, leaks = times(300, 1000), 0
    folds, refused, copied, shown = Counter(), 0, 0, 0
    for _ in range(tables):
        cells = _random_cells(rng)
        contents = _contents(cells)
        copied += len(set(contents)) < len(cells)
        for protocol in PROTOCOLS:
            settings, training_set = _settings(protocol, rng), _training_set(rng)
            try:
                plan = make_folds(cells, settings)
            except SpecimensError:
                refused += 1
                continue
            for fold in plan.folds:
                found = _leaks(cells, contents, fold, training_set, settings.seed)
                if plan.leaky:
                    shown += found > 0
                else:
                    leaks += found
                folds[protocol] += 1
            assert plan.leaky == (protocol == "k-fold")
    honest = sum(folds.values()) - folds["k-fold"]
    promise.reached(
        f"{leaks} leaks in {honest:,} folds of {tables:,} tables, {copied} of them "
        f"with duplicates; {shown:,} of {folds['k-fold']:,} folds of k-fold leak",
        met=leaks == 0 and min(folds.values()) > tables and shown > 0,
    )
