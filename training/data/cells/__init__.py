"""Cells: cut from frames, kept in a cell folder, packed for training.

`extraction` cuts, `folder` and `writer` keep the crops with their table, `cell_set` is
what classifiers train on, `loading` and `packed` bring it from a cache on disk.
"""
