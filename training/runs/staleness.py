"""Effect of later decisions on a run: stale folds, rescored metrics.

A decision that changes a cell touches the models of all folds that train on it, and of
the fold that holds it out only the metrics, which are measured again without training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.decisions.applied import (
    Reviewed,
    ReviewManifest,
    hash_table,
    review_cells,
)
from training.errors import BadRunError, Hep2Error
from training.evaluation.metrics import Metrics, measure
from training.evaluation.predictions import Predictions
from training.runs.folder import DATA, RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.runs.results import confusion_table, metrics_content, read_metrics
from training.storage.reading import read_json
from training.storage.writing import write_json, write_text

RESCORED, RESCORED_CONFUSION = "metrics-rescored.json", "confusion-rescored.csv"

State = Literal["current", "stale", "recut", "unknown"]


@dataclass(frozen=True)
class ChangedCell:
    """A cell that decisions made since have changed.

    Attributes
    ----------
    id, specimen
        As the run knows them.
    before, now
        Its pattern when the run was started and now; '' where it is left out.
    """

    id: str
    specimen: str
    before: str
    now: str


@dataclass(frozen=True)
class StaleFold:
    """Effect of changed cells on a fold.

    Attributes
    ----------
    trains_on
        Changed cells that it trains on: with any its model is stale. Where a fold
        draws some cells of a specimen, a changed one counts, for it changes the draw.
    holds_out
        Changed cells that it tests: these touch its metrics alone.
    """

    name: str
    trains_on: int
    holds_out: int

    @property
    def stale(self) -> bool:
        """Return whether the fold would give another model today."""
        return self.trains_on > 0


@dataclass(frozen=True)
class Staleness:
    """Changes of the decisions on a run's cells since it was started.

    Attributes
    ----------
    state
        ``current``: each cell is what it was. ``stale``: `cells` have changed.
        ``recut``: the cell folder was extracted anew, so that all folds are stale.
        ``unknown``: the state of the decisions at that time is not known.
    reason
        One sentence.
    cells
        In the order of the cell folder.
    folds
        Of the run, in its order.
    """

    run: str
    state: State
    reason: str
    cells: tuple[ChangedCell, ...] = ()
    folds: tuple[StaleFold, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return {
            "run": self.run,
            "state": self.state,
            "reason": self.reason,
            "cells": [vars(cell) for cell in self.cells],
            "folds": [{**vars(fold), "stale": fold.stale} for fold in self.folds],
        }


class _CannotTell(Exception):  # noqa: N818 - an answer, no fault
    """Why a run cannot be compared with the decisions of today."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state: State = state
        self.reason = reason


def find_stale(run: RunFolder) -> Staleness:
    """Return the cells and folds of a run that later decisions have changed.

    Raises
    ------
    BadRunError
        If the run folder is damaged.
    """
    try:
        manifests = recorded_reviews(run)
        if manifests is None:
            raise _CannotTell(
                "unknown", "it was started before runs recorded the state"
            )
        changed: list[tuple[ChangedCell, bool]] = []
        for manifest in manifests:
            changed += [(cell, manifest.extra) for cell in _changes(manifest)]
    except _CannotTell as answer:
        return Staleness(str(run.path), answer.state, answer.reason)
    except Hep2Error as fault:
        return Staleness(str(run.path), "unknown", str(fault).rstrip("."))
    if not manifests:
        reason = "its cells do not come from a cell folder, so no decision affects them"
        return Staleness(str(run.path), "current", reason)
    cells = tuple(cell for cell, _ in changed)
    folds = tuple(_fold_changes(run, changed))
    if not cells:
        reason = "no cell has changed since it was started"
        return Staleness(str(run.path), "current", reason, (), folds)
    stale = sum(fold.stale for fold in folds)
    reason = (
        f"{len(cells)} cells have changed: {stale} of {len(folds)} folds trained on "
        f"some, {sum(fold.holds_out > 0 for fold in folds)} hold some out"
    )
    return Staleness(str(run.path), "stale", reason, cells, folds)


def recorded_reviews(run: RunFolder) -> tuple[ReviewManifest, ...] | None:
    """Return the decisions that a run was started with, None where it kept none.

    Raises
    ------
    BadRunError
        If the file is damaged.
    """
    path = run.path / DATA
    if not path.is_file():
        return None
    try:
        reviews = map(ReviewManifest.from_content, read_json(path)["reviews"])
        config = run.config()
        return tuple(
            one.stored_in(config.extra if one.extra else config.data) for one in reviews
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadRunError(path, "the file is damaged", "start a new run") from fault


def _changes(manifest: ReviewManifest) -> list[ChangedCell]:
    """Return the cells of a cell folder that are not what the manifest says."""
    folder = Path(manifest.store).parent
    table = read_cell_folder(folder).table
    if hash_table(table) != manifest.table:
        raise _CannotTell(
            "recut", f"the cells of {folder} have been extracted again since"
        )
    then = review_cells(folder, table, manifest.rule, manifest.last_step)
    if then.manifest.decisions != manifest.decisions:
        reason = f"{manifest.store} is not the file of decisions that it read"
        raise _CannotTell("unknown", reason)
    before = then.outcomes()
    now = review_cells(folder, table, manifest.rule).outcomes()
    specimens = dict(zip(table["id"], table["specimen"], strict=True))
    prefix = "extra/" if manifest.extra else ""
    return [
        ChangedCell(prefix + cell, prefix + specimens[cell], before[cell], now[cell])
        for cell in before
        if before[cell] != now[cell]
    ]


def _fold_changes(
    run: RunFolder, changed: list[tuple[ChangedCell, bool]]
) -> Iterator[StaleFold]:
    """Count the changed cells that each fold trains on and holds out."""
    state = run.state()
    held = _held_by_cell(run) if state.leaky else None
    for fold in state.folds.values():
        specimens = set(fold.specimens)
        own = [cell for cell, extra in changed if not extra]
        if held is None:
            holds_out = sum(cell.specimen in specimens for cell in own)
        else:
            holds_out = sum(held.get(cell.id) == fold.name for cell in own)
        yield StaleFold(fold.name, len(changed) - holds_out, holds_out)


def _held_by_cell(run: RunFolder) -> dict[str, str]:
    """Return the fold of each held-out cell, where specimens do not tell it."""
    if not run.is_finished:
        return {}
    said = read_predictions(run)
    return dict(zip(said.ids.tolist(), said.folds.tolist(), strict=True))


def reviewed_now(config: RunConfig) -> Reviewed | None:
    """Return a run's own cells as decided now, or None: they are in no cell folder.

    Raises
    ------
    BadCellsError
        If the cell folder or its store is damaged.
    """
    folder = Path(config.data)
    if not is_cell_folder(folder):
        return None
    table = read_cell_folder(folder).table
    return review_cells(folder, table, config.training_set.reviewed)


def relabelled_predictions(run: RunFolder, said: Predictions) -> Predictions:
    """Return a run's predictions with the labels as they stand now.

    Cells that are left out by now are gone; where the cells come from no cell folder
    the labels are those that the run had.

    Raises
    ------
    BadRunError
        If the cells were extracted anew since.
    """
    now = reviewed_now(run.config())
    if now is None:
        return said
    outcomes = now.outcomes()
    if not set(said.ids.tolist()) <= set(outcomes):
        raise BadRunError(
            run.path, "its cells have been extracted again since", "start a new run"
        )
    index = {name: k for k, name in enumerate(said.patterns)}
    truth = np.array([index.get(outcomes[cell], -1) for cell in said.ids], np.int64)
    return replace(said, truth=truth).take(truth >= 0)


def rescore(run: RunFolder) -> tuple[Metrics, dict[str, Any]]:
    """Measure a run's held-out cells again with the labels as they stand now.

    Nothing is trained: the scores are those that the run gave, of models that never
    saw the specimen. What was measured stays as it is; `metrics-rescored.json` and
    `confusion-rescored.csv` are written beside it, over those of an earlier call.

    Returns
    -------
    metrics, content
        What was measured, and the content of `metrics-rescored.json`.

    Raises
    ------
    BadRunError
        If the run is not finished, its cells come from no cell folder, were extracted
        anew since, or are all left out by now.
    StorageError
        If the files cannot be written.
    """
    measured = read_metrics(run)
    said = read_predictions(run)
    now = reviewed_now(run.config())
    if now is None:
        raise BadRunError(
            run.path,
            "its cells do not come from a cell folder, so no decision affects them",
            "train on a cell folder, which can be reviewed",
        )
    stale = find_stale(run)
    if stale.state == "recut":
        raise BadRunError(run.path, stale.reason, "start a new run")
    labelled = relabelled_predictions(run, said)
    if not len(labelled.ids):
        raise BadRunError(run.path, "no cell is left to measure", "accept some cells")
    metrics = measure(
        labelled.truth,
        labelled.predicted,
        labelled.specimens,
        len(labelled.patterns),
    )
    kept = np.isin(said.ids, labelled.ids)
    content = {
        **{key: measured[key] for key in ("protocol", "leaky", "folds", "folds_done")},
        "patterns": list(said.patterns),
        **metrics_content(metrics, said.patterns),
        "measured": {
            key: measured[key] for key in ("n", "mean_class_accuracy", "interval")
        },
        "held_out_specimens": len(np.unique(labelled.specimens)),
        "relabelled": int((said.truth[kept] != labelled.truth).sum()),
        "left_out": int((~kept).sum()),
        "not_scored": _not_scored(now, said),
        "stale": stale.state,
        "stale_folds": sum(fold.stale for fold in stale.folds),
        "decisions": now.manifest.content(),
    }
    write_json(run.path / RESCORED, content)
    table = confusion_table(metrics, said.patterns)
    write_text(run.path / RESCORED_CONFUSION, table)
    return metrics, content


def _not_scored(now: Reviewed, said: Predictions) -> int:
    """Count the cells in use now of which the run has no scores."""
    used = {cell for cell, pattern in now.outcomes().items() if pattern}
    return len(used - set(said.ids.tolist()))
