"""Has the cell folder under review follow a mask that was mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_hep2.jobs import Progress, Work
from training.errors import Hep2Error

if TYPE_CHECKING:
    from training.curation.review_set import ReviewSet
    from training.data.layouts import Collection

_OLDER = " The cell folder under review is out of date: write it again."
_FOLLOWS = " The cell folder under review is updated too."


def recutting(
    review: ReviewSet | None, collection: Collection | None
) -> Callable[[str], Work[tuple[ReviewSet | None, str]]]:
    """Return what cuts a frame of the cell folder under review anew, by its name.

    It gives the cells to go on with, or None, and what is to be told of them. The mend
    is saved before: a fault is told, and leaves both the mend and the folder whole.

    Parameters
    ----------
    review
        Nothing is done where it is no cell folder.
    collection
        The open folder of frames.
    """

    def recut(name: str) -> Work[tuple[ReviewSet | None, str]]:
        from training.curation.review_set import review_of_folder
        from training.data.cells.folder import read_cell_folder
        from training.data.cells.pending import pending_decisions, pending_text
        from training.data.cells.recut import recut_frame

        if review is None or not review.is_folder or review.store is None:
            return None, ""
        yield Progress("updating its cells in the cell folder")
        folder = review.store
        try:
            if collection is None or recut_frame(folder, collection, name) is None:
                return None, _OLDER
            waiting = pending_text(pending_decisions(folder))
            told = f"{_FOLLOWS} {waiting}".rstrip()
            return review_of_folder(folder, read_cell_folder(folder)), told
        except Hep2Error as fault:
            return None, f" The cell folder under review is out of date: {fault}"

    return recut
