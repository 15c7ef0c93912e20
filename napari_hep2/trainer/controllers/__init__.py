"""Verbs of *LOSO trainer*; no Qt."""
