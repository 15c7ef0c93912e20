"""Whether cells are simulated: no model of them alone says anything about a patient."""

from __future__ import annotations

from pathlib import Path

from training.data.cells.files import SOURCE, current, read_source, source_root
from training.data.cells.folder import is_cell_folder
from training.data.simulation import simulated_specimens


def is_simulated(path: Path) -> bool:
    """Return whether the specimens of a folder were simulated.

    Parameters
    ----------
    path
        Of specimens, or of the cells that were cut from them.

    Raises
    ------
    BadCellsError
        If it is a damaged cell folder.
    """
    root: Path | None = path
    if is_cell_folder(path):
        root = source_root(path, read_source(current(path, SOURCE)))
    return root is not None and simulated_specimens(root) is not None
