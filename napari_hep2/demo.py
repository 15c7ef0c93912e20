"""``python -m napari_hep2.demo``: a simulated specimen, cut, classified and judged."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.samples import SAMPLE_FRAME, sample_specimens
from napari_hep2.session import ViewerSession, session_of
from napari_hep2.specimen.widgets.widget import SpecimenWidget
from napari_hep2.trainer.widgets.widget import TrainerWidget
from napari_hep2.workers import worker_pool
from training.errors import Hep2Error
from training.inference.frames import export_prediction, verdict_content

"""The frame that is opened: a simulated specimen with centromere pattern."""

_WIDGETS = {
    "specimen": ("Specimen", SpecimenWidget),
    "review": ("Review cells", ReviewWidget),
    "trainer": ("LOSO trainer", TrainerWidget),
    "classify": ("Classify", ClassifyWidget),
}
_PATIENCE = 600.0


def main(words: Sequence[str] | None = None) -> int:
    """Run the demo; return 0, or 2 where it could not be shown."""
    wanted = _parser().parse_args(words)
    viewer = napari.Viewer(title="napari-hep2")
    viewer.window.resize(*wanted.size)
    docks = add_widgets(viewer)
    session = session_of(viewer)
    try:
        show_specimen(session, wanted.frame)
        docks["classify"].raise_()
        _settle(0.5)
        viewer.reset_view()
        if wanted.pictures:
            take_pictures(viewer, docks, wanted.pictures, wanted.run)
        elif wanted.picture:
            _tell(write_demo(viewer, session, wanted.out))
        else:
            napari.run()
    except Hep2Error as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    finally:
        if wanted.pictures or wanted.picture:
            viewer.close()
            worker_pool().end()
    return 0


def add_widgets(viewer: napari.Viewer) -> dict[str, Any]:
    """Dock the four widgets as tabs at the right; return their docks by name."""
    docks: dict[str, Any] = {}
    for name, (title, widget) in _WIDGETS.items():
        docks[name] = viewer.window.add_dock_widget(
            widget(viewer), name=title, area="right", tabify=bool(docks)
        )
    return docks


def show_specimen(session: ViewerSession, frame: str) -> None:
    """Open a sample frame, cut its cells and classify them, as the buttons do.

    Raises
    ------
    Hep2Error
        If a step fails; the sentence is the one the window shows.
    """
    state = session.state
    session.start(session.specimen.open_folder(sample_specimens(), frame))
    _wait(lambda: state.cells is not None or bool(state.fault))
    _refuse(state.fault)
    session.start(session.classify.classify())
    _wait(lambda: state.prediction is not None or bool(state.fault))
    _refuse(state.fault)


def _refuse(fault: str) -> None:
    """Raise a fault of the window, before the next step puts another in its place."""
    if fault:
        raise Hep2Error("the demo", fault.rstrip("."), "install it again")


def write_demo(
    viewer: napari.Viewer, session: ViewerSession, folder: Path
) -> list[Path]:
    """Write a picture of the whole window and a report of the specimen.

    Returns
    -------
    files
        The picture, the verdict, the table of cells and the overlay.
    """
    prediction = session.state.prediction
    if prediction is None:
        raise Hep2Error("the demo", "nothing was classified", "install it again")
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "window.png"
    _take_picture(viewer, picture)
    sys.stdout.write(json.dumps(verdict_content(prediction), indent=2) + "\n")
    return [picture, *export_prediction(prediction, folder)]


def take_pictures(
    viewer: napari.Viewer, docks: dict[str, Any], folder: Path, run: Path | None
) -> None:
    """Write a picture of the window with each widget in front.

    Parameters
    ----------
    run
        A run folder that the trainer's widget shows, or None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if run is not None:
        docks["trainer"].inner_widget().attach(run)
    review = docks["review"]
    for name, dock in docks.items():
        if dock is not review:
            dock.raise_()
            _take_picture(viewer, folder / f"{name}.png")
    session = session_of(viewer)
    with TemporaryDirectory() as decisions:
        review_some(session, Path(decisions))
        review.raise_()
        _take_picture(viewer, folder / "review.png")
        session.review.decision_session.close()


def review_some(session: ViewerSession, folder: Path) -> None:
    """Decide on the first kept cells, as a reviewer would, in a store of its own."""
    review, session.state.reviewer = session.review, "Anna"
    review.decision_session.use(folder)
    review.navigation.next_undecided()
    for decide in (
        review.decisions.accept,
        review.decisions.accept,
        partial(review.decisions.reject, "focus"),
        review.decisions.accept,
        partial(review.decisions.relabel, 2),
        review.decisions.accept,
    ):
        decide()


def _take_picture(viewer: napari.Viewer, path: Path) -> None:
    """Let the window settle, then write what it shows, without napari's notices."""
    _settle(1.0)
    for part in QApplication.allWidgets():
        if type(part).__name__ == "NapariQtNotification":
            part.close()
    _settle(0.5)
    viewer.screenshot(str(path), canvas_only=False, flash=False)


def _settle(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()


def _wait(done: Callable[[], bool]) -> None:
    """Serve the window until `done`, as a user would wait.

    Raises
    ------
    Hep2Error
        If it is not done after ten minutes; a busy machine without a GPU takes three.
    """
    end = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > end:
            raise Hep2Error("the demo", "it takes too long", "try it again")
        _settle(0.02)


def _tell(files: Sequence[Path]) -> None:
    for path in files:
        sys.stdout.write(f"written: {path}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame", default=SAMPLE_FRAME, help="sample frame to open")
    parser.add_argument(
        "--picture", action="store_true", help="write picture and report, then close"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for both"
    )
    parser.add_argument(
        "--pictures", type=Path, help="folder for a picture of each widget"
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(1560, 960),
        metavar=("WIDTH", "HEIGHT"),
        help="of the window",
    )
    parser.add_argument("--run", type=Path, help="run folder that the trainer shows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
