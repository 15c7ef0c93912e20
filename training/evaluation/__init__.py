"""What held-out scores are worth: rates, intervals, calibration, verdicts.

`metrics` pools folds and gives intervals over specimens, `comparison` sets two runs
side by side, `verdict` turns the scores of cells into one pattern of their specimen, or
none.
"""
