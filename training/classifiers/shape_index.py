"""Shape-index histograms, pooled over donuts and classified by an RBF SVM.

Larsen, Vestergaard and Larsen, IEEE TMI 33(7), 1573-1580, 2014, doi
10.1109/TMI.2014.2318434. Every part is the same for all eight views of a cell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor
from torch.nn import functional

from training.augmentation import normalise
from training.classifiers.base import Rows, Scores
from training.classifiers.features import Bag, FeatureSystem, Floats
from training.classifiers.svm import (
    all_patterns,
    fit_sharpness,
    inner_folds,
    to_scores,
)
from training.config import ShapeIndexSettings
from training.errors import InterruptedRunError, SpecimensError

Decisions = npt.NDArray[np.float64]

_CELLS_AT_ONCE = 32
_KERNEL_CACHE = 500
"""Megabytes that libsvm may keep of the kernel."""
_MARGIN = 2
"""Pixels around the nucleus that still weigh."""
_TRUNCATE = 4.0
"""Standard deviations at which the Gaussian is cut off, scikit-image's default."""


def shape_index(images: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the shape index and the curvedness of each pixel.

    Second derivatives are differences of the image blurred by a Gaussian, as
    `skimage.feature.hessian_matrix` takes them with ``use_gaussian_derivatives=False``
    and `skimage.feature.shape_index` always. With True, the mixed derivative of the
    transposed image is not, at the borders, the transpose of the mixed derivative.

    Parameters
    ----------
    images : (n, H, W) float32
        Borders are reflected.
    sigma
        Standard deviation of the Gaussian, in pixels. Derivatives are multiplied by
        its square, so that scales compare.

    Returns
    -------
    index : (n, H, W) float32
        -pi/2..pi/2: dark cup, dark valley (-pi/4), saddle (0), bright ridge (pi/4),
        bright cap; 0 where it is flat.
    curvedness : (n, H, W) float32
        Half the root of the sum of the squared principal curvatures.
    """
    # The derivatives of a constant are 0: without it float32 rounds less.
    centred = images - images.mean((1, 2), keepdim=True)
    blur_y, first_y, second_y = _operators(images.shape[1], sigma)
    blur_x, first_x, second_x = _operators(images.shape[2], sigma)
    lyy = second_y @ (centred @ blur_x.T)
    lxy = first_y @ (centred @ first_x.T)
    lxx = blur_y @ (centred @ second_x.T)
    # atan2 needs no small number in the denominator, and a perfect cap is pi/2.
    index = torch.atan2(-(lxx + lyy), torch.hypot(lxx - lyy, 2 * lxy))
    curvedness = 0.5 * torch.sqrt(lxx**2 + 2 * lxy**2 + lyy**2)
    return index, curvedness


def _operators(side: int, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return blur, first and second derivative along one axis, (side, side) each.

    As matrices they hold the borders, and serve all images with one product.
    """
    blur = gaussian_filter1d(
        np.eye(side), sigma, axis=0, mode="reflect", truncate=_TRUNCATE
    )
    first = sigma * np.asarray(np.gradient(blur, axis=0))
    second = sigma * np.asarray(np.gradient(first, axis=0))
    return (
        torch.from_numpy(blur).float(),
        torch.from_numpy(first).float(),
        torch.from_numpy(second).float(),
    )


def donut_weights(masks: Tensor, rings: int, width: float) -> Tensor:
    """Return Gaussian windows on the distance to the centre of the nucleus.

    The distance is that to the mask's centroid, relative to the radius of the disc of
    the mask's area: 0 at the centre, about 1 at the rim.

    Parameters
    ----------
    masks : (n, H, W) bool
        Where one is empty, the whole image is the nucleus.
    rings
        Windows; their radii are equally spaced from 0 to 1.
    width
        Standard deviation of a window, as a share of the radius.

    Returns
    -------
    weights : (n, rings, H, W) float32
        Each window sums to 1; beyond two pixels from the mask it is 0.
    """
    nuclei = masks | ~masks.any(2).any(1)[:, None, None]
    radii = torch.linspace(0, 1, rings)[:, None, None]
    logs = -0.5 * ((_relative_distance(nuclei)[:, None] - radii) / width) ** 2
    logs = logs.masked_fill(~_dilate(nuclei)[:, None], -math.inf)
    return torch.softmax(logs.flatten(2), dim=2).view_as(logs)


def _relative_distance(nuclei: Tensor) -> Tensor:
    """Return the distance to the centroid / sqrt(area / pi), (n, H, W) float32."""
    inside = nuclei.float()
    area = inside.sum((1, 2), keepdim=True)
    y = torch.arange(nuclei.shape[1], dtype=torch.float32)[:, None]
    x = torch.arange(nuclei.shape[2], dtype=torch.float32)
    centre_y = (inside * y).sum((1, 2), keepdim=True) / area
    centre_x = (inside * x).sum((1, 2), keepdim=True) / area
    return torch.hypot(y - centre_y, x - centre_x) / torch.sqrt(area / math.pi)


def _dilate(nuclei: Tensor) -> Tensor:
    """Return where a pixel of the nucleus is at most `_MARGIN` away, (n, H, W) bool."""
    steps = torch.arange(-_MARGIN, _MARGIN + 1)
    disc = steps[:, None] ** 2 + steps**2 <= _MARGIN**2
    met = functional.conv2d(
        nuclei.float()[:, None], disc.float()[None, None], padding=_MARGIN
    )
    return met[:, 0] > 0.5


def histograms(
    images: Tensor, weights: Tensor, sigma: float, bins: int, tonal_scale: float
) -> Tensor:
    """Return histograms of the shape index at one scale, one a window.

    A pixel counts in each bin by a Gaussian on the difference of its shape index to the
    bin's centre, times its curvedness, times its weight.

    Parameters
    ----------
    images : (n, H, W) float32
    weights : (n, rings, H, W) float32
    sigma
        Of the derivatives, in pixels.
    bins
        Their centres are the middles of equal parts of -pi/2..pi/2.
    tonal_scale
        Standard deviation of a bin, in radians.

    Returns
    -------
    counts : (n, bins, rings) float32
    """
    index, curvedness = shape_index(images, sigma)
    centres = ((torch.arange(bins) + 0.5) / bins - 0.5) * math.pi
    apart = index.flatten(1)[:, None] - centres[:, None]
    near = apart.square_().mul_(-0.5 / tonal_scale**2).exp_()
    return near @ (weights * curvedness[:, None]).flatten(2).mT


def describe(images: Tensor, masks: Tensor, settings: ShapeIndexSettings) -> Tensor:
    """Return the features of cells, in the order bins, scales, rings.

    Parameters
    ----------
    images : (n, S, S) uint8
        Each is stretched between its 1st and 99th percentile first.
    masks : (n, S, S) bool

    Returns
    -------
    features : (n, D) float32
        Roots of shares of the whole, hence of length 1; all 0 where a cell is flat.
    """
    grey = normalise(images, "cell")[:, 0]
    weights = donut_weights(masks, settings.rings, settings.ring_width)
    scales = [
        histograms(grey, weights, sigma, settings.bins, settings.tonal_scale)
        for sigma in settings.scales
    ]
    counts = torch.stack(scales, dim=2).flatten(1)
    return functional.normalize(counts, p=1, dim=1).sqrt()


@dataclass(frozen=True)
class _Fitted:
    svm: Pipeline
    sharpness: float


class ShapeIndexSystem(FeatureSystem):
    """Shape-index histograms with an RBF SVM, one against one.

    Parameters
    ----------
    settings
        Of the features, and among which C and gamma the SVM's are chosen.
    n_patterns
        Length of the vocabulary.
    """

    invariant = True

    def __init__(self, settings: ShapeIndexSettings, n_patterns: int) -> None:
        self.settings = settings
        self.n_patterns = n_patterns
        self._fitted: _Fitted | None = None

    def compute(
        self, images: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_]
    ) -> Floats:
        """Return the features of cells, (n, bins * scales * rings) float32."""
        settings = self.settings
        length = settings.bins * len(settings.scales) * settings.rings
        found = np.empty((len(images), length), np.float32)
        for start in range(0, len(images), _CELLS_AT_ONCE):
            rows = slice(start, start + _CELLS_AT_ONCE)
            part = torch.tensor(images[rows]), torch.tensor(masks[rows])
            found[rows] = describe(*part, settings).numpy()
        return found

    def fit(self, train: Bag, seed: int, should_stop: Callable[[], bool]) -> None:
        """Choose C and gamma and fit the sharpness on inner folds, then fit on all.

        Raises
        ------
        SpecimensError
            If the training cells, or those of every inner fold, have one pattern only.
        InterruptedRunError
            If `should_stop` said so.
        """
        choice = choose(train, self.settings, self.n_patterns, seed, should_stop)
        _ask(should_stop)
        svm = fit_svm(train.features, train.patterns, choice.c, choice.gamma)
        self._fitted = _Fitted(svm, choice.sharpness)

    def members(self, cells: Bag) -> list[Scores]:
        """Return the scores, (n, K) float32, of the one member there is.

        Raises
        ------
        RuntimeError
            If nothing was fitted.
        """
        if self._fitted is None:
            raise RuntimeError("fit comes before members")
        found = decide(self._fitted.svm, cells.features, self.n_patterns)
        return [to_scores(found, self._fitted.sharpness)]


@dataclass(frozen=True)
class Choice:
    """What the inner folds say.

    Attributes
    ----------
    c, gamma
        Of the SVM.
    sharpness
        Of its decisions.
    accuracy
        Mean class accuracy of the choice, pooled over the inner folds, 0..1.
    """

    c: float
    gamma: float
    sharpness: float
    accuracy: float


def choose(
    train: Bag,
    settings: ShapeIndexSettings,
    n_patterns: int,
    seed: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Choice:
    """Choose C and gamma by mean class accuracy on specimens that were not seen.

    Cells whose pattern an inner fold did not see are left out: nothing makes them
    right. Of equal choices the smallest C, then the smallest gamma is taken.

    Raises
    ------
    SpecimensError
        If no inner fold has two patterns to fit on and a cell to choose by.
    InterruptedRunError
        If `should_stop` said so.
    """
    length = train.features.shape[1]
    factors = sorted(settings.gamma_factors)
    grid = list(itertools.product(sorted(settings.c_values), factors))
    decisions: list[list[Decisions]] = [[] for _ in grid]
    truths: list[Rows] = []
    for fitted, held in inner_folds(
        train.patterns, train.specimens, settings.inner_folds, seed
    ):
        seen = np.unique(train.patterns[fitted])
        known = held[np.isin(train.patterns[held], seen)]
        if len(seen) < 2 or not len(known):
            continue
        truths.append(train.patterns[known])
        for (c, factor), found in zip(grid, decisions, strict=True):
            _ask(should_stop)
            svm = fit_svm(
                train.features[fitted], train.patterns[fitted], c, factor / length
            )
            found.append(decide(svm, train.features[known], n_patterns))
    if not truths:
        raise SpecimensError(
            "shape-index",
            "no inner fold of the training specimens has two patterns to fit on",
            "train on at least two specimens of a pattern and one of another",
        )
    truth = np.concatenate(truths)
    pooled = [np.concatenate(found) for found in decisions]
    accuracies = [_mean_class_accuracy(found.argmax(1), truth) for found in pooled]
    best = int(np.argmax(accuracies))
    c, factor = grid[best]
    sharpness = fit_sharpness(pooled[best], truth)
    return Choice(c, factor / length, sharpness, accuracies[best])


def fit_svm(features: Floats, patterns: Rows, c: float, gamma: float) -> Pipeline:
    """Fit the scaler (mean 0, variance 1 of each feature) and the SVM.

    Parameters
    ----------
    features : (n, D) float32
    patterns : (n,) int64
        Two or more of them.
    c
        Penalty.
    gamma
        Of the kernel ``exp(-gamma |a - b|^2)``.
    """
    svm = SVC(C=c, gamma=gamma, decision_function_shape="ovo", cache_size=_KERNEL_CACHE)
    return make_pipeline(StandardScaler(), svm).fit(features, patterns)


def decide(svm: Pipeline, features: Floats, n_patterns: int) -> Decisions:
    """Return decisions, (n, n_patterns) float64: the mean margin of a pattern.

    scikit-learn's own decisions are votes of the pairs, which say little on how sure
    they are: most cells win all their pairs. The margins do.
    """
    margins, classes = svm.decision_function(features), svm.classes_
    if len(classes) == 2:
        return all_patterns(margins, classes, n_patterns)
    sums = np.zeros((len(features), len(classes)))
    for column, (one, other) in enumerate(
        itertools.combinations(range(len(classes)), 2)
    ):
        sums[:, one] += margins[:, column]
        sums[:, other] -= margins[:, column]
    return all_patterns(sums / (len(classes) - 1), classes, n_patterns)


def _mean_class_accuracy(found: Rows, truth: Rows) -> float:
    """Return the mean over the patterns of the share of their cells that is right."""
    rates = [
        (found[truth == pattern] == pattern).mean() for pattern in np.unique(truth)
    ]
    return float(np.mean(rates))


def _ask(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise InterruptedRunError(
            "the run", "it was stopped", "go on with: python -m training resume RUN"
        )
