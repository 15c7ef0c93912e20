"""Local patterns, coded and pooled over a cell pyramid (Manivannan et al. 2016)."""

from training.classifiers.local_patterns.system import LocalPatternsSystem

__all__ = ["LocalPatternsSystem"]
