"""Cells: cut from frames, kept in a cell folder, packed for training.

`extraction` cuts, `identity` and `known` give each nucleus the id that it had before,
`folder` and `writer` keep the crops with their table, `pending` lists decisions without
a nucleus, `cell_set` is what classifiers train on, `loading` and `packed` bring it from
a cache on disk.
"""
