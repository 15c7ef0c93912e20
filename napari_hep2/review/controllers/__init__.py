"""Verbs of *Review cells*; no Qt."""
