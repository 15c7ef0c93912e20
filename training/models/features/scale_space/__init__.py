"""Gaussian scale space before local binary descriptors (Qi et al. 2016)."""

from training.models.features.scale_space.system import ScaleSpace

__all__ = ["ScaleSpace"]
