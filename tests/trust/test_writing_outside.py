"""Links in folders that are written to: none leads what is written to elsewhere."""

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from small_study import NETWORK, study, write_cells, write_specimens

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
)
from training.data.cells.cell_set import CellSet
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.loading import load_packed
from training.data.layouts import read_collection
from training.data.masks.changes import settle_labels
from training.data.masks.history import read_mends
from training.data.masks.history_writer import MendWriter
from training.errors import Hep2Error, InterruptedRunError
from training.patterns import I3A
from training.reports.specimens.plans import ReportRequest, plan_reports
from training.reports.specimens.stream import finish_worklist, report_specimens
from training.runs.engines.spool import Spool, clear_spools
from training.runs.execution import execute, start_run
from training.runs.final_fit import fit_model
from training.runs.folder import RunFolder
from training.studies.reproduction.study import simulate_tasks

SAMPLE = Path(__file__).parents[2] / "sample_data" / "model" / "simulated.safetensors"

pytestmark = [
    pytest.mark.promise("outside"),
    pytest.mark.skipif("sys.platform == 'win32'", reason="needs links"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of specimens, one of cells, a run that was begun, a report."""
    place = tmp_path_factory.mktemp("made")
    write_specimens(place / "specimens")
    _extract(place / "cells", place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEP2_CACHE", str(place / "cache"))
        start_run(place / "run", study(write_cells(place / "data")))
    (place / "model").mkdir()
    (place / "study").mkdir()
    _report(place / "reports", place)
    return place


def _extract(out, place):
    how = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(read_collection(place / "specimens"), out, *how))


def _train(out, _):
    run = RunFolder.open(out)
    with suppress(InterruptedRunError):
        for event in execute(run):
            if event["kind"] == "epoch":
                run.request_stop()


def _spool(out, _):
    clear_spools(out)
    Spool(out).remove()


def _fit(out, _):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 32, 32)).astype(np.uint8)
    ids = np.asarray(list("abcdef"))
    cells = CellSet(images, np.arange(6), ids, ids, I3A, source="drawn")
    network = NETWORK.model_copy(update={"epochs": 1, "vote_epochs": 1})
    list(fit_model("m", cells, network, out / "m.safetensors", device="cpu"))


def _report(out, place):
    plan, _ = plan_reports(
        ReportRequest(place / "specimens", SAMPLE, out, device="cpu")
    )
    with plan.lock():
        finish_worklist(plan, list(report_specimens(plan)))


def _edit(out, _):
    collection = read_collection(out)
    frame = collection.specimens[0].frames[0]
    labels = np.zeros((256, 256), np.int32)
    labels[100:130, 100:130] = 1
    change = settle_labels(np.zeros_like(labels), labels, 0)
    before = read_mends(out, frame.name)
    MendWriter(out, frame, "bob").save(before, change, "drawn")


def _simulate(out, _):
    simulate_tasks(out, 1, 1)


PLACES = {
    "run": (_train, ("events.jsonl", "folds", "folds/part-1", "lock", "stop", "spool")),
    "run by a cluster": (_spool, ("spool",)),
    "cells": (_extract, ("cells.csv", "crops.npy", "nuclei.runs", ".ready", "lock")),
    "model": (_fit, ("m.fit", "m.json", "m.json.new", "m.safetensors")),
    "reports": (_report, ("1", "worklist.html", "worklist.json", "lock")),
    "specimens": (_edit, ("mended", "mended/00001_p0")),
    "study": (_simulate, ("simulated", "simulated/task-1")),
}
_FOLDERS = ("folds", "part-1", "spool", ".ready", "m.fit", "1", "mended", "00001_p0")
_FOLDERS += ("simulated", "task-1")


def _contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        if path.is_file()
        else b""
        for path in sorted(folder.rglob("*"))
    }


def test_no_link_is_written_moved_or_removed_through(
    made, tmp_path, monkeypatch, promise
):
    monkeypatch.setenv("HEP2_CACHE", str(made / "cache"))
    followed, refused, tried = [], 0, 0
    for kind, (act, places) in PLACES.items():
        for place in places:
            tried += 1
            root = tmp_path / str(tried)
            folder = Path(shutil.copytree(made / kind.split()[0], root / "named"))
            outside = root / "outside"
            (outside / "part-1").mkdir(parents=True)
            for name in ("marker", "cells.csv", "crops.npy", ".notes.part"):
                (outside / name).write_text(name)
            link = folder / place
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_dir():
                shutil.rmtree(link)
            link.unlink(missing_ok=True)
            target = outside if link.name in _FOLDERS else outside / "marker"
            link.symlink_to(target)
            before = _contents(outside)
            try:
                act(folder, made)
            except Hep2Error:
                refused += 1
            if _contents(outside) != before:
                followed.append(f"{kind}: {place}")
    promise.reached(
        f"{tried} links in {len(PLACES)} kinds of folder: {len(followed)} followed "
        f"({refused} refused in a sentence, {tried - refused} replaced)"
        + "; ".join(["", *followed]),
        not followed,
    )


def test_dangling_links_and_files_of_others_are_left_aside(
    made, tmp_path, monkeypatch, promise
):
    """An editor's lock file is a link to nowhere, and somebody keeps notes there."""
    specimens = Path(shutil.copytree(made / "specimens", tmp_path / "specimens"))
    for folder in (specimens, specimens / "train"):
        (folder / ".#gt_train.csv").symlink_to("bob@host.1234:5678")
        (folder / ".#00001_p0.tif").symlink_to("bob@host.1234:5678")
    cells = tmp_path / "cells"
    cells.mkdir()
    (cells / ".notes.part").write_text("marker")
    (cells / ".#cells.csv").symlink_to("nowhere")
    (cells / ".part-of-mine").mkdir()
    _extract(cells, tmp_path)
    assert len(read_cell_folder(cells).table) > 0
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    for folder in (cells, specimens):
        assert len(load_packed(folder, 32)[0]) > 0
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / ".notes.part").write_text("marker")
    _report(reports, tmp_path)
    kept = [
        *(cells / name for name in (".notes.part", ".#cells.csv", ".part-of-mine")),
        reports / ".notes.part",
    ]
    gone = [path.name for path in kept if not (path.is_symlink() or path.exists())]
    promise.reached(
        f"5 links to nowhere: 0 tracebacks; {len(kept)} files of others: "
        f"{len(gone)} gone",
        not gone,
    )
