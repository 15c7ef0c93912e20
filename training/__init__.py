"""Specimen-honest training and evaluation of HEp-2 cell classifiers, headless.

Importing this package imports neither torch nor Qt nor napari.
"""
