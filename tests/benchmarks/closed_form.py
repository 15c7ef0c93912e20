"""How long leave-one-specimen-out takes with choices inside, and after a changed label.

    OMP_NUM_THREADS=1 python tests/benchmarks/closed_form.py

Features are drawn, as many as `kernel-ridge` computes: their values change no time. The
peers get the same: scikit-learn's `GridSearchCV` over `LeaveOneGroupOut` on the same
Fourier features and penalties, and the inner folds and SVMs of `shape-index`. A few
of their folds are timed and the rest taken to be alike; the rows say how many. One
thread, CPU time.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
from side_by_side import Row, print_rows

from training.config import KernelRidgeSettings, ShapeIndexSettings
from training.data.cells.cell_set import CellSet
from training.models.features.base import Bag
from training.models.features.families import FAMILIES, FamilyFeatures
from training.models.features.kernel_ridge import KernelRidge
from training.models.features.kernel_ridge.fourier import draw_fourier
from training.models.features.kernel_ridge.live import LiveFolds
from training.models.features.shape_index import ShapeIndexSystem
from training.models.features.store import FeatureStore
from training.patterns import I3A
from training.splits.samples import Rows

Array = npt.NDArray[Any]
_CELLS, _SPECIMENS, _PATTERNS = 9493, 56, 6
_OURS = 56
"""Folds that are timed."""
_LIVE = 200
"""Fourier features of a family where folds are solved after each label."""


class _Drawn(FeatureStore):
    """A store of features that are drawn around a centre a pattern and specimen."""

    def __init__(self, patterns: Rows, numbers: Rows, length: int) -> None:
        rng = np.random.default_rng(0)
        found = 2 * rng.standard_normal((len(numbers), length), np.float32)
        found += rng.standard_normal((_PATTERNS, length), np.float32)[patterns]
        found += rng.standard_normal((numbers.max() + 1, length), np.float32)[numbers]
        self._found = found / np.linalg.norm(found, axis=1, keepdims=True)

    def view(self, view: int) -> Array:
        """Return the features of all cells."""
        return self._found


def draw(cells: int, specimens: int) -> tuple[CellSet, Rows]:
    """Return a cell set without pixels, and the number of each cell's specimen."""
    numbers = np.arange(cells) * specimens // cells
    names = np.char.add("s", numbers.astype(str))
    nothing = np.zeros((cells, 1, 1), np.uint8)
    patterns = numbers % _PATTERNS
    return CellSet(nothing, patterns, names, names, I3A), numbers


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def nested(cells: int, specimens: int, folds: int) -> float:
    """Return the seconds of a whole nested run, of which some folds are timed."""
    settings = KernelRidgeSettings()
    drawn, numbers = draw(cells, specimens)
    length = sum(FAMILIES[name].length for name in settings.families)
    ridge = KernelRidge(settings, drawn, _Drawn(drawn.patterns, numbers, length))

    def fold(number: int) -> None:
        rows = np.flatnonzero(numbers != number)
        ridge.solve(rows, ridge.choose(rows))

    once = seconds(lambda: fold(0))
    each = seconds(lambda: [fold(number) for number in range(1, folds)])
    return once + each * (specimens - 1) / (folds - 1)


def grid_search(fourier: int, inner: int) -> float:
    """Return the seconds of scikit-learn's nested search, all its folds alike.

    Parameters
    ----------
    fourier
        Fourier features of a family.
    inner
        Inner folds that are timed, of one outer fold.
    """
    # The peer's memory is not ours: what measures that does not load it.
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

    settings = KernelRidgeSettings(fourier=fourier)
    drawn, numbers = draw(_CELLS, _SPECIMENS)
    length = sum(FAMILIES[name].length for name in settings.families)
    features = _Drawn(drawn.patterns, numbers, length).view(0)
    lifted = draw_fourier(settings).lift(features)
    rows = np.flatnonzero(numbers != 0)
    penalties = {"alpha": [penalty * len(rows) for penalty in settings.penalties]}
    folds = list(LeaveOneGroupOut().split(lifted[rows], groups=numbers[rows]))
    model = RidgeClassifier(class_weight="balanced")
    search = GridSearchCV(model, penalties, cv=folds[:inner], refit=False)
    timed = seconds(lambda: search.fit(lifted[rows], drawn.patterns[rows]))
    combinations = len(settings.family_weights) ** (len(settings.families) - 1)
    return timed / inner * len(folds) * combinations * _SPECIMENS


def shape_index() -> float:
    """Return the seconds of LOSO of `shape-index`: one fold, times all."""
    drawn, numbers = draw(_CELLS, _SPECIMENS)
    features = _Drawn(drawn.patterns, numbers, FAMILIES["shape-index"].length).view(0)
    rows = np.flatnonzero(numbers != 0)
    bag = Bag(
        drawn.images[rows],
        drawn.images[rows] > 0,
        features[rows],
        drawn.patterns[rows],
        drawn.specimens[rows],
    )
    system = ShapeIndexSystem(ShapeIndexSettings(), _PATTERNS)
    return _SPECIMENS * seconds(lambda: system.fit(bag, 0, lambda: False))


def relabelled(cells: int, specimens: int) -> float:
    """Return the median seconds of new scores after one changed label."""
    settings = KernelRidgeSettings(fourier=_LIVE)
    drawn, numbers = draw(cells, specimens)
    length = sum(FAMILIES[name].length for name in settings.families)
    store = _Drawn(drawn.patterns, numbers, length)
    ridge = KernelRidge(settings, drawn, store)
    choice = ridge.choose(np.flatnonzero(numbers < _SPECIMENS))
    labels = drawn.patterns.copy()
    live = LiveFolds(
        ridge.fourier, store.view(0), labels, drawn.specimens, choice, _PATTERNS
    )
    live.scores(labels)
    taken = []
    for row in (5, cells // 2, cells - 5):
        labels[row] = (labels[row] + 1) % _PATTERNS
        taken.append(seconds(lambda: live.scores(labels)))
    return float(np.median(taken))


def features() -> float:
    """Return the seconds of the features of 10,000 cells, of which 200 are timed."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 60, 60), np.uint8)
    y, x = np.mgrid[:60, :60]
    masks = np.broadcast_to(np.hypot(y - 30, x - 30) < 24, images.shape)
    system = FamilyFeatures(KernelRidgeSettings())
    system.compute(images[:20], masks[:20])
    return 50 * seconds(lambda: system.compute(images, masks))


def large() -> tuple[float, float]:
    """Return seconds of a nested run of 50,000 cells, and the most memory in MB."""
    taken = nested(50_000, 250, 3)
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return taken, size / (1e6 if sys.platform == "darwin" else 1e3)


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    ours = nested(_CELLS, _SPECIMENS, _OURS)
    searched, few, svm = grid_search(500, 3), grid_search(120, 55), shape_index()
    live, long_live = relabelled(10_000, _SPECIMENS), relabelled(50_000, 250)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        longer, memory = pool.submit(large).result()
    what = f"nested LOSO, {_CELLS:,} cells, {_SPECIMENS} specimens"
    return [
        Row(
            what,
            ours,
            "under",
            60,
            "s",
            note=f"from features; {_OURS} folds timed; 50,000 cells of 250 specimens "
            f"take {longer:.0f} s, by 3 folds",
        ),
        Row(
            f"{what}, against shape-index",
            svm / ours,
            "at least",
            100,
            "x",
            svm,
            ours,
            f"from features; 1 of {_SPECIMENS} folds of the peer timed",
        ),
        Row(
            f"{what}, against scikit-learn's GridSearchCV",
            searched / ours,
            "at least",
            50,
            "x",
            searched,
            ours,
            "3 inner folds of one of its folds timed, on the 500 Fourier features of "
            f"each family that are reported; {few / ours:.0f} x on the 120 that are "
            "chosen on, by 55 inner folds",
        ),
        Row("LOSO after a changed label, 10,000 cells", live, "under", 1, "s"),
        Row(
            "LOSO after a changed label, 50,000 cells, 250 specimens",
            long_live,
            "under",
            3,
            "s",
        ),
        Row(
            "memory, 50,000 cells, 250 specimens",
            memory,
            "under",
            1000,
            "MB",
            note="of a process of its own, for the nested run",
        ),
        Row(
            "features of 10,000 cells",
            features(),
            "under",
            5,
            "s",
            note="three families; 200 cells timed",
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
