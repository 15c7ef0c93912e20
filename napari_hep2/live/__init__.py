"""*Live LOSO*: what the labels of the cells under review are worth, held out.

The panel stands in *Review cells* and in *LOSO trainer*; both show the same figures.
"""
