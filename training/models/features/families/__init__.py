"""Families of features that need no fit and are the same in all eight orientations."""

from training.models.features.families.families import FAMILIES, Family, FamilyFeatures

__all__ = ["FAMILIES", "Family", "FamilyFeatures"]
