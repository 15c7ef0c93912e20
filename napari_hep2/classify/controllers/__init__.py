"""Verbs of *Classify*; no Qt."""
