"""Views of *Classify*."""
