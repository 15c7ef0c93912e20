"""A process that opens napari with the plugin and closes the window in mid-work.

`python closed_windows.py FOLDER MODEL SEED [NAME ...]` prints a line of JSON for each
window and ends as an application does, by the closing of its last window.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication

from napari_hep2.demo import add_widgets
from napari_hep2.jobs import Job, run_here
from napari_hep2.review.controllers.exchange import ExchangeController
from napari_hep2.review.controllers.sheets import SheetController
from napari_hep2.session import ViewerSession, session_of

faults: list[str] = []
"""What was raised or logged as an error, anywhere in the process."""


class _Faults(logging.Handler):
    """Keeps what is logged as an error."""

    def emit(self, record: logging.LogRecord) -> None:
        faults.append(self.format(record))


def _watch() -> None:
    """Keep what nobody caught, in the window's thread and in others."""

    def raised(kind: Any, value: Any, trace: Any) -> None:
        faults.append("".join(traceback.format_exception(kind, value, trace)))
        sys.__excepthook__(kind, value, trace)

    sys.excepthook = raised
    threading.excepthook = lambda args: raised(
        args.exc_type, args.exc_value, args.exc_traceback
    )
    logging.getLogger().addHandler(_Faults(logging.ERROR))


Verb = Callable[[ViewerSession], Job | None]


def works(folder: Path) -> dict[str, Verb]:
    """Return what can be under way, by name; `folder` holds specimens and cells."""
    specimens, cells, out = folder / "specimens", folder / "cells", folder / "out"
    return {
        "open a folder": lambda s: s.specimen.open_folder(specimens),
        "open a frame": lambda s: _with_frame(s, specimens).specimen.open_frame(1),
        "write cells": lambda s: _with_frame(s, specimens).specimen.write_cells(
            out / "cells"
        ),
        "classify": lambda s: _with_frame(s, specimens).classify.classify(),
        "export": lambda s: _classified(s, specimens).classify.export(out / "export"),
        "explain": lambda s: _classified(s, specimens).why.explain(),
        "worklist": lambda s: _with_worklist(s, specimens, out).worklist.run(),
        "report": lambda s: _with_worklist(
            _with_frame(s, specimens), specimens, out
        ).worklist.report(),
        "open cells": lambda s: s.review.open_cell_folder(cells),
        "decide on all": lambda s: _decide(_with_cells(s, cells)),
        "quality": lambda s: _with_cells(s, cells).quality.measure_job(),
        "near copies": lambda s: _with_cells(s, cells).copies.find_job(),
        "picture sheet": lambda s: _sheet(_with_cells(s, cells), out),
        "export decisions": lambda s: _decisions(_with_cells(s, cells), out),
        "apply a mend": lambda s: _mend(_with_frame(s, specimens)),
    }


def _with_frame(session: ViewerSession, folder: Path) -> ViewerSession:
    run_here(session.specimen.open_folder(folder))
    return session


def _with_cells(session: ViewerSession, folder: Path) -> ViewerSession:
    run_here(session.review.open_cell_folder(folder))
    return session


def _classified(session: ViewerSession, folder: Path) -> ViewerSession:
    run_here(_with_frame(session, folder).classify.classify())
    return session


def _with_worklist(session: ViewerSession, folder: Path, out: Path) -> ViewerSession:
    session.worklist.choose_folder(folder)
    session.worklist.choose_out(out / "worklist")
    return session


def _decide(session: ViewerSession) -> None:
    session.review.navigation.select_all()
    session.review.decisions.accept()


def _sheet(session: ViewerSession, out: Path) -> Job | None:
    sheets = SheetController(session.state, session.review)
    return sheets.sheet_job(out / "sheet.pdf")


def _decisions(session: ViewerSession, out: Path) -> Job | None:
    exchange = ExchangeController(session.state, session.review)
    return exchange.export_job(out / "decisions.csv")


def _mend(session: ViewerSession) -> Job | None:
    session.mending.begin()
    session.mending.remove([1])
    return session.mending.apply()


def _pass_time(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.001)


def close_in(name: str, verb: Verb, model: Path, seconds: float) -> None:
    """Open a window, begin the work, close the window after so long."""
    viewer = napari.Viewer(show=True)
    add_widgets(viewer)
    session = session_of(viewer)
    session.state.reviewer = "Anna"
    session.classify.choose_model(model)
    session.classify.choose_device("cpu")
    session.start(verb(session))
    _pass_time(seconds)
    running = session.runner.is_running
    viewer.close()
    del viewer, session
    _pass_time(0.05)
    print(json.dumps({"work": name, "running": running}), flush=True)


def main() -> None:
    """Close a window in each work, then leave by the last of them."""
    _watch()
    QDesktopServices.openUrl = lambda url: True
    folder, model, seed, *names = sys.argv[1:]
    rng = random.Random(int(seed))
    chosen = works(Path(folder))
    *others, last = names or list(chosen)
    for name in others:
        close_in(name, chosen[name], Path(model), rng.uniform(0, 0.25))
    close_in(last, chosen[last], Path(model), 0)
    print(json.dumps({"faults": faults}), flush=True)


if __name__ == "__main__":
    main()
    QApplication.instance().quit()
