"""The paper's printed tables, for tests and reports.

Li, Zhang, Zheng: "Deep CNNs for HEp-2 Cells Classification: A Cross-specimen Analysis"
(2016), arXiv:1604.05816. Every entry of Tables 4 and 5 is a whole number of cells over
the class totals of Task-1, to 0.01 %, so the integers can be recovered: the
protocol pools every held-out cell of all 83 folds, then averages the six rates.

All by pattern is in the order of `training.patterns.I3A`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TASK1_CELLS = np.array([2494, 2831, 2598, 2741, 2208, 724])
"""Cells of each pattern in Task-1."""

TASK1_SPECIMENS = 83

TASK2_CELLS: tuple[int | None, ...] = (None, None, None, None, 4363, 1501)
"""Cells cut out of Task-2 of each pattern, after the authors' selection (Table 1). The
first four were not readable to us, but for their sum, which the total leaves."""

TASK2_TOTAL = 48627
"""Cells cut out of Task-2, all six patterns (Table 1)."""

TASK2_FACTORS = np.array([2, 2, 2, 2, 4, 8])
"""Views taken of each Task-2 cell in the augmented set, as Table 1 counts them."""

TASK2_AUGMENTED: tuple[int | None, ...] = (None, None, None, None, 17452, 12008)
"""Samples of each pattern in augmented Task-2 (Table 1)."""

TASK2_AUGMENTED_TOTAL = 114986
"""Samples of augmented Task-2, all six patterns (Table 1)."""

TASK2_FACTORS_NOTE = (
    "The paper's text says that nuclear membrane and Golgi were taken eight times; its "
    "Table 1 counts nuclear membrane four times (17,452 = 4 x 4,363). The total of "
    "114,986 agrees with the table, which is followed here."
)
"""Where the paper disagrees with itself."""

CELLS_PER_SPECIMEN = 41
"""Cells that set-3 takes of each specimen: it divides all six counts of Table 2."""

SET3_CELLS = np.array([2829, 2788, 2706, 2747, 1476, 574])
"""Cells of each pattern in set-3 (Table 2)."""

SET3_SPECIMENS = np.array([69, 68, 66, 67, 36, 14])
"""Specimens of each pattern in set-3, Task-1 and Task-2 together: worked out from
`SET3_CELLS`, the paper prints none."""

TASK2_SPECIMENS = np.array([53, 52, 50, 51, 21, 10])
"""Specimens of each pattern in Task-2, without mitotic spindle. Recalled from the data
set's description, not read in it again; the sum is the paper's."""

TABLE_4 = np.array(
    [
        [86.16, 9.06, 0.56, 0.00, 4.21, 0.00],
        [12.86, 70.96, 8.72, 5.30, 2.01, 0.14],
        [2.61, 3.27, 86.87, 3.23, 2.54, 1.46],
        [0.00, 10.94, 4.85, 83.62, 0.36, 0.22],
        [5.48, 3.13, 0.68, 0.14, 85.42, 5.16],
        [11.88, 4.14, 7.73, 1.10, 13.39, 61.74],
    ]
)
"""Set-3 under LOSO, in per cent; rows are the truth."""

TABLE_5 = np.array(
    [
        [85.93, 8.02, 0.20, 0.00, 3.65, 2.21],
        [9.71, 79.97, 3.50, 5.58, 1.24, 0.00],
        [2.19, 3.66, 85.84, 6.66, 0.92, 0.73],
        [0.04, 10.58, 4.16, 84.93, 0.11, 0.18],
        [1.45, 1.18, 0.68, 0.09, 94.34, 2.26],
        [5.11, 5.52, 13.54, 0.97, 4.56, 70.30],
    ]
)
"""Task-1 with augmented Task-2 under LOSO, in per cent; rows are the truth."""

MEAN_CLASS_ACCURACY = {
    "set-1": 70.52,
    "set-2": 74.67,
    "set-3": 79.13,
    "pooled": 82.90,
    "pooled-augmented": 83.55,
    "set-1-k-fold": 91.16,
}
"""The paper's mean class accuracy of each experiment, in per cent."""

COMPARED_SYSTEMS = {
    "lenet": 71.88,
    "paper-network": 74.67,
    "shape-index": 78.70,
    "local-patterns": 81.10,
}
"""Mean class accuracy of the systems that the paper compares, on set-2 under LOSO, in
per cent, by the name of our classifier that follows each: Gao et al. (2015), the
paper's own, Larsen et al. (2014), Manivannan et al. (2016)."""


def integer_table(percentages: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the (6, 6) counts of cells behind a printed table."""
    counts = np.rint(percentages * TASK1_CELLS[:, None] / 100).astype(np.int64)
    return counts
