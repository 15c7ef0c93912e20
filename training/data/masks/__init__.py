"""Masks of nuclei: found in an image, described, edited by hand.

`segmentation` makes a mask where there is none, `nuclei` measures one, `editing`
changes one by a stroke, `history` keeps all edits beside the data.
"""
