"""A fold, and the proof that nothing leaks from what it tests to what it trains on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.cells.cell_set import CellSet
from training.errors import LeakError
from training.splits.duplicates import CellCodes

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """The held-out specimens and the rest.

    Cells of the set that are marked extra are trained on and never tested. Only what is
    held out is kept: that is all a worker has to be sent.

    Attributes
    ----------
    name
        The held-out specimen of LOSO (``68``, or ``11+12`` where specimens share
        identical cells), else ``group-1``, ``part-1``.
    test : (n,) int64
        Rows of the cell set, ascending.
    held : (m,) int64
        Rows that are not trained on, ascending: those of `test`, and extra cells of
        the same specimens.
    n_cells
        Length of the cell set.

    Raises
    ------
    ValueError
        If `held` is not ascending or not in the cell set.
    """

    name: str
    test: Rows
    held: Rows
    n_cells: int

    def __post_init__(self) -> None:
        bounded = np.concatenate([[-1], self.held, [self.n_cells]])
        if not np.all(np.diff(bounded) > 0):
            raise ValueError(f"fold {self.name}: held rows must ascend in the cell set")

    @property
    def train(self) -> Rows:
        """All rows that are not held out, ascending, (n,) int64; made when asked."""
        trained = np.ones(self.n_cells, bool)
        trained[self.held] = False
        return np.flatnonzero(trained)

    @property
    def n_train(self) -> int:
        """The number of rows of `train`."""
        return self.n_cells - len(self.held)


@dataclass(frozen=True)
class LeakProof:
    """Counts of a fold's leak check; both last ones are 0 unless it leaks.

    Attributes
    ----------
    n_train, n_test
        Cells on each side.
    shared_specimens
        Specimens with cells on both sides.
    shared_images
        Distinct images, up to rotation and mirror, that stand on both sides.
    """

    n_train: int
    n_test: int
    shared_specimens: int
    shared_images: int


def prove_no_leak(
    cells: CellSet, fold: Fold, codes: CellCodes | None = None
) -> LeakProof:
    """Count what stands on both sides of a fold.

    Raises
    ------
    LeakError
        If a specimen or an image, in any of its eight views, is on both sides.
    """
    proof = count_shared(cells, fold, codes)
    if proof.shared_specimens or proof.shared_images:
        raise LeakError(
            f"fold {fold.name}",
            f"{proof.shared_specimens} specimens and {proof.shared_images} images "
            "stand in training and in testing",
            "give copies of a cell the same specimen id",
        )
    return proof


def count_shared(
    cells: CellSet, fold: Fold, codes: CellCodes | None = None
) -> LeakProof:
    """Count specimens and images on both sides of a fold, without judging.

    Raises
    ------
    ValueError
        If the fold is of a cell set of another length.

    Notes
    -----
    A specimen that is tested is trained on too if and only if the held rows have fewer
    cells of it than the cell set has; an image likewise. So the other rows need not be
    looked at, and all folds together cost about one pass over the cells.
    """
    if fold.n_cells != len(cells):
        raise ValueError(f"fold {fold.name} is of a set of {fold.n_cells} cells")
    codes = CellCodes.of(cells) if codes is None else codes
    specimens = _on_both_sides(codes.specimens, codes.specimen_counts, fold)
    images = _on_both_sides(codes.images, codes.image_counts, fold)
    named = np.count_nonzero(codes.names[specimens] != "")
    return LeakProof(fold.n_train, len(fold.test), int(named), len(images))


def _on_both_sides(codes: Rows, counts: Rows, fold: Fold) -> Rows:
    """Return the codes that stand in `test` and in `train`.

    Parameters
    ----------
    codes : (N,) int64
        Of each cell.
    counts : (C,) int64
        Cells of each code in the whole set.
    """
    sides = np.concatenate([codes[fold.test], codes[fold.held]])
    found, place = np.unique(sides, return_inverse=True)
    n_test = len(fold.test)
    tested = np.bincount(place[:n_test], minlength=len(found))
    held = np.bincount(place[n_test:], minlength=len(found))
    return found[(tested > 0) & (held < counts[found])]
