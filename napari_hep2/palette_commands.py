"""Commands of napari's palette: each opens its dock, or raises it, and acts there.

napari gives them its viewer, by the type of the parameter.
"""

import napari.viewer

from napari_hep2.common.docks import opened_widget
from napari_hep2.session import ViewerSession, session_of


def open_folder(viewer: napari.viewer.Viewer) -> None:
    """Ask for a folder of specimens and open it."""
    opened_widget(viewer, "Specimen").open.click()


def classify_cells(viewer: napari.viewer.Viewer) -> None:
    """Classify the cells of the open frame."""
    session = _opened(viewer, "Classify")
    session.start(session.classify.classify())


def next_doubtful(viewer: napari.viewer.Viewer) -> None:
    """Go to the next doubtful cell of the open frame."""
    opened_widget(viewer, "Classify").doubt.next_cell.click()


def worklist(viewer: napari.viewer.Viewer) -> None:
    """Show the worklist of specimens."""
    opened_widget(viewer, "Classify").show_worklist()


def next_undecided(viewer: napari.viewer.Viewer) -> None:
    """Go to the next cell under review without a decision."""
    _opened(viewer, "Review cells").review.navigation.next_undecided()


def score_all(viewer: napari.viewer.Viewer) -> None:
    """Score every cell under review by the model of *Classify*."""
    opened_widget(viewer, "Review cells").choosers.score_all()


def show_proposed(viewer: napari.viewer.Viewer) -> None:
    """Show the cells under review whose rejection is proposed."""
    session = _opened(viewer, "Review cells")
    session.start(session.quality.show_proposed())


def large_gallery(viewer: napari.viewer.Viewer) -> None:
    """Give the gallery the middle of the window, or take it back."""
    opened_widget(viewer, "Review cells").middle.turn()


def compare_runs(viewer: napari.viewer.Viewer) -> None:
    """Show the runs of a folder."""
    opened_widget(viewer, "LOSO trainer").show_runs()


def _opened(viewer: napari.viewer.Viewer, title: str) -> ViewerSession:
    """Return the session of a viewer, with one of its docks in front."""
    opened_widget(viewer, title)
    return session_of(viewer)
