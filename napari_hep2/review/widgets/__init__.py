"""Views of *Review cells*."""
