"""Views of *LOSO trainer*."""
