"""Why a cell was given its pattern: where the network looked, what it resembles.

`maps` draws Grad-CAM over a crop, `orientations` tells whether the pattern lasts when
the crop is turned, `embeddings` are what a model tells cells apart by, `neighbours`
finds training cells that are alike by them, and `reasons` brings it all together for
some cells.
"""
