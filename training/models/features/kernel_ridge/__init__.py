"""Kernel ridge regression, solved for any fold from sums that are made once.

``families`` says what is computed of a cell, ``fourier`` lifts it, ``sums`` sums and
solves, ``choice`` chooses inside a fold, ``classifier`` is bound to a cell set.
"""

from training.models.features.kernel_ridge.classifier import Fitted, KernelRidge
from training.models.features.kernel_ridge.families import FamilyFeatures

__all__ = ["FamilyFeatures", "Fitted", "KernelRidge"]
