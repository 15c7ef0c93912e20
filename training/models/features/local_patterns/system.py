"""The system of Manivannan et al. (2016), from grey values to the ensemble's scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor

from training.config.features import LocalPatternsSettings
from training.errors import InterruptedRunError
from training.models.base import Scores
from training.models.features.base import Bag, FeatureSystem
from training.models.features.local_patterns.coding import encode, fit_dictionary, pool
from training.models.features.local_patterns.descriptors import describe, grid, stretch
from training.models.features.local_patterns.ensemble import Member, fit_ensemble
from training.models.features.local_patterns.regions import OUTSIDE, parts_of

Images = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]

CELLS = 32
"""Cells that are described at once."""
PATCHES_A_CELL = 50
"""Patches that a cell gives to the dictionaries, where there are enough cells."""


class LocalPatternsSystem(FeatureSystem):
    """Local patterns, coded and pooled over a cell pyramid.

    Pattern Recognition 51, 12-26, doi 10.1016/j.patcog.2015.09.015. Nothing is computed
    beforehand: the patches of all cells would not fit in memory, and describing them
    takes a third of the time that coding takes.

    Attributes
    ----------
    dictionaries
        (W, D) float32 words of each descriptor, once fitted.
    ensemble
        The SVMs, once fitted.
    """

    def __init__(self, settings: LocalPatternsSettings, n_patterns: int) -> None:
        self._settings = settings
        self._n_patterns = n_patterns
        self.dictionaries: dict[str, Tensor] = {}
        self.ensemble: list[Member] = []

    def fit(self, train: Bag, seed: int, should_stop: Callable[[], bool]) -> None:
        """Fit the dictionaries, then the SVMs, from training cells alone.

        Raises
        ------
        InterruptedRunError
            If `should_stop` said so.
        SpecimensError
            If the training specimens are too few to hold a part of them out.
        """

        def check() -> None:
            if should_stop():
                raise InterruptedRunError(
                    "the run",
                    "it was stopped",
                    "continue with: hep2 resume RUN",
                )

        self._fit_dictionaries(train, seed, check)
        self.ensemble = fit_ensemble(
            self.codes(train.images, train.masks, check),
            train.patterns,
            train.specimens,
            members=self._settings.ensemble,
            c=self._settings.c,
            seed=seed,
            check=check,
        )

    def members(self, cells: Bag) -> list[Scores]:
        """Return the calibrated scores of each SVM, (n, K) float32."""
        codes = self.codes(cells.images, cells.masks)
        return [member.scores(codes, self._n_patterns) for member in self.ensemble]

    def codes(
        self, images: Images, masks: Masks, check: Callable[[], None] = lambda: None
    ) -> csr_array:
        """Return what the SVMs see of cells.

        Parameters
        ----------
        images : (n, S, S) uint8
        masks : (n, S, S) bool
        check
            Called between chunks of cells.

        Returns
        -------
        codes : (n, descriptors * 3 * W) float32
            Descriptor by descriptor: whole cell, inner region, border region, each of
            W words. Sparse, as less than half of it is not 0.
        """
        blocks = []
        for start in range(0, len(images), CELLS):
            check()
            rows = slice(start, start + CELLS)
            blocks.append(csr_array(self._code(images[rows], masks[rows])))
        return csr_array(vstack(blocks))

    def _code(self, images: Images, masks: Masks) -> npt.NDArray[np.float32]:
        stretched, slots, inside = self._prepare(images, masks)
        pooled = []
        for name, words in self.dictionaries.items():
            patches = self._patches(name, stretched, inside)
            nearest, codes = encode(patches, words, self._settings.neighbours)
            pooled.append(pool(nearest, codes, slots, len(images), len(words)))
        return torch.cat(pooled, dim=1).numpy()

    def _prepare(self, images: Images, masks: Masks) -> tuple[Tensor, Tensor, Tensor]:
        """Return stretched cells, the slot of each patch, and the points inside."""
        points = grid(images.shape[1], self._settings.step)
        parts = torch.from_numpy(parts_of(masks, points).astype(np.int64))
        inside = parts != OUTSIDE
        cells = torch.arange(len(images))[:, None, None]
        slots = (2 * cells + parts)[inside].repeat(len(self._settings.patch_sizes))
        return stretch(images), slots, inside

    def _patches(self, name: str, stretched: Tensor, inside: Tensor) -> Tensor:
        """Return (P, D) descriptors, patch size by patch size, of the points inside."""
        sizes = describe(name, stretched, self._settings)
        return torch.cat([descriptors[inside] for descriptors in sizes])

    def _fit_dictionaries(
        self, train: Bag, seed: int, check: Callable[[], None]
    ) -> None:
        drawn = self._draw(train, np.random.default_rng(seed), check)
        for name, patches in drawn.items():
            check()
            self.dictionaries[name] = fit_dictionary(
                patches, self._settings.words, seed
            )

    def _draw(
        self, train: Bag, generator: np.random.Generator, check: Callable[[], None]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Draw patches of training cells, the same of each descriptor.

        Fifty of each of as many cells as it takes, or more of each if there are fewer
        cells; never more than a cell has.
        """
        wanted = self._settings.dictionary_patches
        count = min(len(train), -(-wanted // PATCHES_A_CELL))
        chosen = np.sort(generator.permutation(len(train))[:count])
        drawn: dict[str, list[Tensor]] = {n: [] for n in self._settings.descriptors}
        for start in range(0, count, CELLS):
            check()
            rows = chosen[start : start + CELLS]
            stretched, slots, inside = self._prepare(
                train.images[rows], train.masks[rows]
            )
            keep = _some_of_each(slots.numpy() // 2, -(-wanted // count), generator)
            for name, chunks in drawn.items():
                chunks.append(self._patches(name, stretched, inside)[keep])
        return {name: torch.cat(chunks).numpy() for name, chunks in drawn.items()}


def _some_of_each(
    cells: npt.NDArray[np.int64], quota: int, generator: np.random.Generator
) -> Tensor:
    """Return rows, (m,) int64, drawn without replacement, at most `quota` of a cell."""
    order = np.lexsort((generator.random(len(cells)), cells))
    first = np.searchsorted(cells[order], cells[order])
    return torch.from_numpy(order[np.arange(len(cells)) - first < quota])
