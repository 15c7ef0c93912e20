"""What is chosen inside a fold, by leaving out each of its training specimens in turn.

The inner refits are exact, class weights included, on the first Fourier features of
each family and in single precision; the fit that is reported takes all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import KernelRidgeSettings
from training.errors import SpecimensError
from training.models.features.kernel_ridge.fourier import FourierMap
from training.models.features.kernel_ridge.sums import (
    Equations,
    Sums,
    decide,
    with_simulated,
)
from training.models.features.svm import fit_sharpness
from training.splits.samples import Rows

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Recipe:
    """One combination of what is chosen.

    Attributes
    ----------
    weights
        Of the kernel of each family.
    simulated
        As many real cells of a pattern as its simulated ones count for together.
    penalty
        Of the squared coefficients.
    """

    weights: tuple[float, ...]
    simulated: float
    penalty: float


@dataclass(frozen=True)
class Choice:
    """Choice made inside a fold.

    Attributes
    ----------
    recipe
        What was chosen.
    accuracy
        Its mean class accuracy over the inner folds, 0..1.
    sharpness
        Of its decisions there; see `training.models.features.svm.fit_sharpness`.
    """

    recipe: Recipe
    accuracy: float
    sharpness: float


@dataclass(frozen=True)
class Specimen:
    """Training cells of one specimen, as the choice needs them.

    Attributes
    ----------
    sums
        Over its cells.
    lifted : (N, D) float32
        Of all cells: copies of each specimen's would double them.
    rows : (n,) int64
        Its cells among them.
    patterns : (n,) int64
    """

    sums: Sums
    lifted: Floats
    rows: Rows
    patterns: Rows


def recipes(settings: KernelRidgeSettings, simulated: bool) -> Iterator[Recipe]:
    """Yield the recipes of the settings; the first family always weighs 1."""
    further = len(settings.families) - 1
    counts = settings.simulated_cells if simulated else (0.0,)
    for count in counts:
        for weights in itertools.product(settings.family_weights, repeat=further):
            for penalty in settings.penalties:
                yield Recipe((1.0, *weights), count, penalty)


def choose(
    candidates: Iterable[Recipe],
    fourier: FourierMap,
    specimens: Iterable[Specimen],
    real: Sums,
    simulated: Sums,
    n_patterns: int,
    ask: Callable[[], None] = lambda: None,
) -> Choice:
    """Choose by the mean class accuracy on specimens that a fit left out.

    Cells of a pattern that no other specimen has are left out: nothing makes them
    right. Of equal choices the first is taken.

    Parameters
    ----------
    candidates
        What to choose among.
    fourier
        Map to the features that are chosen on.
    specimens
        The training specimens that are left out in turn.
    real, simulated
        Sums over all training cells.
    n_patterns
        Length of the vocabulary.
    ask
        Called often; may raise.

    Raises
    ------
    SpecimensError
        If no specimen can be left out.
    """
    candidates = list(candidates)
    counts = sorted({one.simulated for one in candidates})
    sums = {count: with_simulated(real, simulated, count) for count in counts}
    whole = {count: Equations.of(one) for count, one in sums.items()}
    decisions: list[list[Floats]] = [[] for _ in candidates]
    truths: list[Rows] = []
    for specimen in specimens:
        ask()
        fewer = {n: whole[n].without(sums[n], specimen.sums) for n in counts}
        # Without simulated cells there may be fewer patterns.
        patterns = fewer[counts[0]].patterns
        known = np.isin(specimen.patterns, patterns)
        if not known.any() or len(patterns) < 2:
            continue
        truths.append(specimen.patterns[known])
        shown = specimen.lifted[specimen.rows[known]]
        for recipe, found in zip(candidates, decisions, strict=True):
            columns, penalties = fourier.columns(recipe.weights)
            equations = fewer[recipe.simulated]
            coefficients = equations.solve(
                columns, recipe.penalty * penalties, n_patterns
            )
            found.append(decide(shown, coefficients, equations.patterns))
    return _best(candidates, [np.concatenate(one) for one in decisions if one], truths)


def mean_class_accuracy(found: Rows, truth: Rows) -> float:
    """Return the mean over the patterns of the share of their cells that is right."""
    return float(np.mean([(found[truth == k] == k).mean() for k in np.unique(truth)]))


def _best(
    candidates: list[Recipe], decisions: list[Floats], truths: list[Rows]
) -> Choice:
    if not truths:
        raise SpecimensError(
            "kernel-ridge",
            "no training specimen can be left out to choose by",
            "train on at least two specimens of a pattern and one of another",
        )
    truth = np.concatenate(truths)
    accuracies = [mean_class_accuracy(one.argmax(axis=1), truth) for one in decisions]
    best = int(np.argmax(accuracies))
    sharpness = fit_sharpness(decisions[best].astype(np.float64), truth)
    return Choice(candidates[best], accuracies[best], sharpness)
