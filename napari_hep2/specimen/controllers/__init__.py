"""Verbs of *Specimen*; no Qt."""
