"""Why a cell was given its pattern: where the network looked, what it resembles.

`maps` draws Grad-CAM over a crop, `views` tells whether the pattern lasts when the crop
is turned, `neighbours` finds training cells that the network sees alike, and `reasons`
brings the three together for some cells.
"""
