"""Who decided what about which cell, with nothing forgotten.

`store` is the append-only store, `model` what a decision is, `consensus` and
`agreement` compare reviewers, `exchange` writes and reads tables, `applied` changes a
cell set.
"""
