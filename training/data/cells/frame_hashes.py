"""Hashes of the frames that cells are cut from, by which a seen specimen is known."""

from __future__ import annotations

from pathlib import Path

from training.data.cells.files import SOURCE, current, read_source
from training.data.cells.folder import is_cell_folder
from training.data.layouts import read_collection
from training.storage.fingerprints import sha256_of

DIGITS = 16
"""Of a SHA-256 that are kept: enough to tell any two frames apart."""


def frame_hashes(path: Path, layout: str = "auto") -> tuple[str, ...]:
    """Return the hash of each file that the cells of a folder are cut from.

    Parameters
    ----------
    path, layout
        Of the cells, as `training.data.cells.loading.load_packed` takes them.

    Returns
    -------
    hashes
        The first digits, in rising order; none where the data are cells already cut.
    """
    if is_cell_folder(path):
        files = read_source(current(path, SOURCE))["files"]
        found = {str(one["sha256"]) for one in files if one["sha256"]}
    else:
        found = {
            sha256_of(image)
            for specimen in read_collection(path, layout).specimens
            if specimen.pattern is not None
            for frame in specimen.frames
            for image in frame.images
        }
    return tuple(sorted(one[:DIGITS] for one in found))
