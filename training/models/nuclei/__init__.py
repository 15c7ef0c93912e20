"""Fitting of the network that finds nuclei; `training.data.masks` segments with it.

``fields`` reads and simulates what it learns from, ``hardships`` makes that harder,
``fitting`` is the loop, ``making`` goes from a folder to the file of weights.
"""
