"""Views of *Specimen*."""
