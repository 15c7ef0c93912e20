"""Which cells a curator should look at, in which order, and why.

`review_set` has the cells under review, `filtering` and `ordering` what is shown of
them, `quality` and `proposals` unusable cells, `near_copies` cells that show the same
picture.
"""
