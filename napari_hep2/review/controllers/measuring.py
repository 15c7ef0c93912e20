"""Measures of the crops under review, as work for the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Work, reported
from training.curation.crop_measures import descriptor_steps, limit_steps, looks_steps
from training.curation.review_set import ReviewSet

Measures = Mapping[str, npt.NDArray[Any]]


def measure_looks(review: ReviewSet) -> Work[Measures]:
    """Measure focus and brightness of all crops, a few hundred at a time."""
    return reported("measuring focus and brightness", looks_steps(review.crops))


def measure_descriptors(review: ReviewSet) -> Work[npt.NDArray[np.float32]]:
    """Describe all crops; each column is then brought to a spread of 1."""
    return reported("describing the cells", descriptor_steps(review.crops))


def measure_limits(review: ReviewSet) -> Work[npt.NDArray[np.float64]]:
    """Measure, for each specimen, the grey values that its crops are shown between.

    Returns
    -------
    limits : (specimens, 2) float64
        Percentiles 1 and 99.7 of some of its crops, in the order of `specimen_names`.
    """
    return reported(
        "measuring the contrast", limit_steps(review.crops, review.specimen_index)
    )
