"""The readers of the product, each with the files of which one is damaged.

A reader is called as the commands and the window call it, with what they do next. It
may raise the product's own errors: then the user reads a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import Target
from seeds import MODEL, NETWORK

from napari_hep2.trainer.process import last_words
from training.curation.review_set import review_of_folder
from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.data.cells.loading import load_cell_set, read_cell_set
from training.data.cells.nuclei_file import read_nuclei as read_known
from training.data.cells.nuclei_file import write_nuclei
from training.data.cells.pending import pending_decisions
from training.data.layouts import read_collection
from training.data.layouts.edited_masks import edit_notes
from training.data.masks.files import read_mask, read_nuclei
from training.decisions.applied import last_step, review_cells, standing_decisions
from training.decisions.exchange import export_decisions, import_decisions
from training.decisions.store import DecisionStore
from training.errors import Hep2Error
from training.evaluation.verdict import specimen_verdict
from training.inference.cards import read_card
from training.inference.model_file import load_model
from training.inference.onnx_model import load_onnx_model
from training.inference.why.neighbours import index_path, read_index
from training.models.networks.checkpoints import load_checkpoint
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import begin, fit, held_out_vote
from training.patterns import I3A
from training.reports.run_report import write_report
from training.reports.sheets.files import read_provenance
from training.reports.specimens.plans import ReportRequest, plan_reports
from training.reports.specimens.stream import finish_worklist, report_specimens
from training.runs.execution import execute
from training.runs.experiments import configure
from training.runs.figures import figures_for_card, load_metrics
from training.runs.fold_result import has_result, read_result
from training.runs.folder import LOG, RunFolder
from training.runs.predictions import read_predictions
from training.runs.replay import RunState, replay
from training.runs.stacking import read_scores
from training.runs.staleness import find_stale, rescore
from training.runs.tail import EventTail
from training.runs.verdicts import read_verdict, write_verdict
from training.splits.samples import Samples
from training.storage.fingerprints import fingerprint
from training.storage.images import frame_size, read_frame, read_labels
from training.storage.zarr_metadata import label_folders
from training.studies.curve_runs import plan_curves


def each(calls: Iterable[Callable[[], Any]]) -> None:
    """Make all calls; one that ends in a sentence does not stop the others."""
    for call in calls:
        try:
            call()
        except Hep2Error as fault:
            _check_sentence(fault)


def _check_sentence(fault: Hep2Error) -> None:
    """Refuse a sentence that runs over lines or is endless: it is shown as one."""
    assert len(fault.fault) < 1000, f"a fault of {len(fault.fault)} characters"
    assert fault.remedy, "a fault without a remedy"


def _image(path: Path) -> None:
    def grey(**choice: str) -> None:
        pixels = read_frame(path, **choice).pixels
        assert pixels.ndim == 2, pixels.shape
        assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
        pixels.max()

    each([grey, partial(grey, plane="max"), partial(grey, plane="2", channel="1")])


def _container(path: Path) -> None:
    """Read the OME-Zarr that a file is in as a frame, with its labels as a mask."""
    folder = Path(*path.parts[:2])
    masks = label_folders(folder)
    each([partial(_image, folder), partial(frame_size, folder)])
    each([partial(read_nuclei, mask, (60, 50)) for mask in masks])
    each([partial(_layout, path), partial(fingerprint, folder.parent, folder)])


def _mask(path: Path) -> None:
    def labels(read: Callable[..., Any]) -> None:
        found = read(path, (60, 50))
        assert (found.shape, found.dtype) == ((60, 50), np.int32)

    each([partial(labels, read_mask), partial(labels, read_labels)])


def _outlines(path: Path) -> None:
    found = read_nuclei(path, (60, 50)).labels
    assert (found.shape, found.dtype) == ((60, 50), np.int32)


_CROPS = np.random.default_rng(0).integers(0, 255, (2, 77, 77), np.uint8)


def _check_scores(scores: Any) -> None:
    assert scores.shape == (2, len(I3A)), scores.shape


def _model(path: Path) -> None:
    model = load_model(path, "cpu")
    scores = model.scores(_CROPS)
    _check_scores(scores)
    specimen_verdict(scores, model.vocabulary, None, read_card(_card(path)).verdict)


def _card(path: Path) -> Path:
    return path.with_suffix(".json")


def _onnx(path: Path) -> None:
    _check_scores(load_onnx_model(path, threads=1).scores(_CROPS))


def _index(path: Path) -> None:
    index = read_index(index_path(MODEL), MODEL, I3A)
    index.nearest(index.embeddings[0])


def _cells(path: Path) -> None:
    folder = path.parent
    is_cell_folder(folder)

    def review() -> None:
        cells = read_cell_folder(folder)
        cells.stale()
        cells.stale(Path("task2"))
        review_of_folder(folder, cells)
        review_cells(folder, cells.table, "not-rejected")

    each([review, partial(load_cell_set, folder)])


def _nuclei(path: Path) -> None:
    """Read the nuclei that decisions follow, with what is asked of them."""
    folder = path.parent
    each([partial(read_known, path), partial(pending_decisions, folder)])
    each([lambda: write_nuclei(Path("again.runs"), read_known(path))])
    if Path("again.runs").exists():
        assert read_known(Path("again.runs")) == read_known(path)


def _packed(path: Path) -> None:
    cells = read_cell_set(path.parent)
    _ = cells.fingerprint, cells.patterns.max(), cells.images[:2].sum()


def _decisions(path: Path) -> None:
    with DecisionStore(Path("new.sqlite"), "Ann") as store:
        imported = import_decisions(store, path)
        assert imported.added == imported.steps
        _use_store(store)


def _store(path: Path) -> None:
    def read() -> None:
        with DecisionStore(path, "Ann") as store:
            each([partial(_use_store, store)])
            each([partial(store.decide, ["a", "b"], "accepted"), store.undo])
            each([store.undo, store.redo, partial(store.flag, ["a"], on=True)])

    folder = path.parent
    table = read_cell_folder(folder).table
    each([read, partial(last_step, folder), partial(standing_decisions, folder)])
    each([partial(review_cells, folder, table, "accepted")])


def _use_store(store: DecisionStore) -> None:
    names = store.reviewers()
    cells = {cell for name in names for cell in store.current(name)}
    each(
        [
            *(partial(store.history, cell) for cell in islice(cells, 5)),
            *(partial(_look, store, name) for name in names),
            partial(store.changed_since, 0),
            partial(store.news, 0),
            partial(store.turns, "undo"),
            partial(export_decisions, store, Path("out.csv")),
        ]
    )


def _look(store: DecisionStore, name: str) -> None:
    for decision in store.current(name).values():
        _ = decision.verdict, decision.pattern, decision.time
    store.marks(name)
    store.at(2, name)


def _layout(path: Path) -> None:
    def read(layout: str) -> None:
        collection = read_collection(Path(path.parts[0]), layout)
        edit_notes(collection)

    each([partial(read, word) for word in ("auto", "task1", "task2", "mivia", "plain")])
    each([partial(load_cell_set, Path(path.parts[0]))])


def _run(_path: Path) -> None:
    run = RunFolder.open(Path("run"))
    each(
        [
            run.description,
            run.config,
            run.events,
            run.status,
            partial(load_metrics, run),
            partial(figures_for_card, run, _config(), "other cells"),
            partial(read_predictions, run),
            partial(read_verdict, run),
        ]
    )


def _rescored(_path: Path) -> None:
    run = RunFolder.open(Path("run"))
    cells = load_cell_set(Path("cells"), NETWORK.input_size)
    each(
        [
            partial(find_stale, run),
            partial(rescore, run),
            partial(read_scores, run.path, cells),
        ]
    )


def _config() -> Any:
    changes = {"epochs": "2", "vote_epochs": "1", "batch_size": "16"}
    return configure("lenet", "cells", changes=changes)


def _report(_path: Path) -> None:
    run = RunFolder.open(Path("run"))
    each([partial(write_verdict, run), partial(write_report, run)])


def _resume(_path: Path) -> None:
    run = RunFolder.open(Path("run"))
    for _ in execute(run):
        pass


def _window(_path: Path) -> None:
    tail, state = EventTail(Path("run/events.jsonl")), RunState()
    while events := tail.read():
        state = replay(events, state)
    _ = state.title, state.work_done, state.seconds_left(1.8e9)
    for fold in state.folds.values():
        _ = fold.accuracy, fold.epochs_done, fold.share(state.epochs)
    RunFolder(Path("run")).is_running()
    last_words(Path("run", LOG))


def _reports(_path: Path) -> None:
    plan, _ = plan_reports(
        ReportRequest(Path("task2"), MODEL, Path("reports"), ("1",), Path("cells"))
    )
    finish_worklist(plan, list(report_specimens(plan)))


def _verdict(_path: Path) -> None:
    verdict = read_verdict(RunFolder.open(Path("run")))
    scores = np.full((5, 6), 1 / 6, np.float32)
    specimen_verdict(scores, I3A, None, verdict)


def _settings(path: Path) -> None:
    """Take any JSON for what was typed behind ``--set``, where all are words."""
    try:
        typed = json.loads(path.read_bytes())
        name, given = typed["experiment"], typed["set"].items()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return
    changes = {str(key): str(value) for key, value in given}
    each(
        [
            partial(configure, str(name), "cells", changes=changes),
            partial(plan_curves, "cells", str(name), changes=changes),
            partial(plan_curves, "cells", "set-1", shares=next(iter(changes), "")),
        ]
    )


def _checkpoint(path: Path) -> None:
    """Load a checkpoint and train on, as a run that is resumed does."""
    state = begin(NETWORK, len(I3A), 0)
    load_checkpoint(path.parent, state)
    rng = np.random.default_rng(0)
    side = NETWORK.input_size
    images = rng.integers(0, 255, (16, side, side), np.uint8)
    cells = ResidentCells.place(images, np.arange(16) % 6, torch.device("cpu"))
    rows = torch.arange(16)
    test = rows[:4].numpy()
    samples = Samples(rows[4:].numpy(), np.zeros(12, np.int64))
    each([lambda: list(fit(state, cells, samples, NETWORK, seed=0, test=test))])
    assert held_out_vote(state).scores.shape == (4, len(I3A))


def _fold(path: Path) -> None:
    if has_result(path.parent):
        read_result(path.parent)


_RUN = (
    *("config.yaml", "events.jsonl", "lock", "data.json"),
    *("metrics.json", "predictions.csv", "verdict.json"),
)
_REPORTS = ("reports", "task2", "model", "cells")
_LAYOUTS = ("task1", "task2", "mivia", "plain", "mended")

TARGETS = {
    target.name: target
    for target in (
        Target("image", ("images",), ("*",), _image),
        Target("container", ("containers",), ("*/**/*",), _container),
        Target("mask", ("masks",), ("*",), _mask),
        Target("outlines", ("outlines",), ("*",), _outlines),
        Target("model", ("model",), ("small.*s*",), _model),
        Target("onnx", ("model",), ("*.onnx",), _onnx),
        Target("index", ("model",), ("*.neighbours.safetensors",), _index),
        Target(
            "cells",
            ("cells", "task2"),
            ("c*.csv", "source.json", "crops.npy"),
            _cells,
        ),
        Target("nuclei", ("cells",), ("nuclei.runs",), _nuclei),
        Target("packed", ("packed",), ("*",), _packed),
        Target("decisions", ("tables",), ("*",), _decisions),
        Target("store", ("cells",), ("*.sqlite",), _store),
        Target(
            "layout",
            _LAYOUTS,
            (
                "*.csv",
                "*.json",
                "*.png",
                "train/*",
                "0*/*",
                "mended/*.json",
                "mended/*/*",
            ),
            _layout,
        ),
        Target("run", ("run",), _RUN, _run),
        Target("rescored", ("run", "cells"), _RUN, _rescored),
        Target("report", ("run", "cells"), _RUN, _report),
        Target("reports", _REPORTS, ("*/verdict.json", "*.csv", "*.json"), _reports),
        Target(
            "resume",
            ("run", "cells"),
            ("folds/*/*", "events.jsonl", "data.json"),
            _resume,
        ),
        Target("window", ("run",), ("events.jsonl", "lock", "*.log"), _window),
        Target("verdict", ("run",), ("verdict.json",), _verdict),
        Target("settings", ("settings",), ("*",), _settings),
        Target("checkpoint", ("checkpoint",), ("*",), _checkpoint),
        Target("fold", ("run",), ("folds/*/*",), _fold),
        Target(
            "sheet",
            ("sheets",),
            ("*",),
            lambda path: each([partial(read_provenance, path)]),
        ),
    )
}
