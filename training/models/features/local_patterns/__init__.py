"""Local patterns, coded and pooled over a cell pyramid (Manivannan et al. 2016)."""

from training.models.features.local_patterns.system import LocalPatternsSystem

__all__ = ["LocalPatternsSystem"]
