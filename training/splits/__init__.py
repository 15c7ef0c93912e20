"""Folds by specimen, and the proof that none leaks.

`protocols` makes the folds, `leaks` proves them, `duplicates` finds equal pixels in any
orientation, `sampling` and `samples` say what a fold trains on.
"""
