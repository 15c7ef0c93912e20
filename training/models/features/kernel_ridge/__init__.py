"""Kernel ridge regression, solved for any fold from sums that are made once.

``fourier`` lifts the features of the families, ``sums`` sums and solves, ``choice``
chooses inside a fold, ``summed`` keeps what all folds share, ``classifier`` is bound to
a cell set.
"""

from training.models.features.kernel_ridge.classifier import Fitted, KernelRidge

__all__ = ["Fitted", "KernelRidge"]
