"""Executes a run in its folder: folds, proof, training, metrics, from start or resumed.

A generator of events: a terminal, a dock and a test drain the same one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import (
    KernelRidgeSettings,
    NetworkSettings,
    ShapeIndexSettings,
    SimulationSettings,
    TrainingSetSettings,
)
from training.data.cells.cell_set import CellSet
from training.data.cells.loading import load_packed
from training.data.simulation import PROPORTIONS
from training.errors import BadRunError, Hep2Error, InterruptedRunError
from training.models.networks.checkpoint_files import drop_checkpoints
from training.runs.classifiers import build_classifier, needs_masks
from training.runs.deviations import changes_note
from training.runs.engines import (
    Engine,
    FoldTask,
    Message,
    default_workers,
    measure_fold,
    measure_speed,
    open_engine,
)
from training.runs.engines.base import fold_done, is_done, notes_on_origins
from training.runs.engines.spool import clear_spools
from training.runs.events import Event, PlannedFold
from training.runs.experiments import CORE_SECONDS, Forecast
from training.runs.fold_result import has_result, read_result
from training.runs.folder import DATA, RunConfig, RunFolder
from training.runs.results import (
    pool_folds,
    write_results,
)
from training.runs.running_metrics import RunningMetrics
from training.runs.verdicts import verdict_if_possible
from training.splits.duplicates import CellCodes
from training.splits.protocols import FoldPlan, make_folds, prove_no_leak
from training.splits.sampling import choose_samples, count_samples
from training.storage.shown_paths import shown_fault
from training.storage.writing import write_json


@dataclass(frozen=True)
class Prepared:
    """All that a run needs before it trains, read once.

    Attributes
    ----------
    cells
        The cell set.
    packed
        Its folder in the cache, which workers memory-map.
    codes
        Of the cells' pixels, by which duplicates are found.
    plan
        The folds, each proved to leak nothing.
    """

    cells: CellSet
    packed: Path
    codes: CellCodes
    plan: FoldPlan


def prepare(config: RunConfig) -> Prepared:
    """Load the cells of a run and make its folds.

    Raises
    ------
    Hep2Error
        If the data cannot be read or no folds can be made.
    """
    cells, packed = load_cells(config)
    codes = CellCodes.of(cells)
    return Prepared(cells, packed, codes, make_folds(cells, config.protocol, codes))


def start_run(
    path: Path, config: RunConfig, prepared: Prepared | None = None
) -> RunFolder:
    """Load the data, where they are not prepared, and make the run folder.

    Raises
    ------
    Hep2Error
        If the data cannot be read, no folds can be made, the folder is in use, or
        the engine does not answer; nothing is written then.
    """
    with _engine(config):
        pass
    cells = (prepared or prepare(config)).cells
    run = RunFolder.create(path, config, cells.fingerprint)
    record_data(run, cells)
    return run


def execute(
    run: RunFolder, engine: str | None = None, prepared: Prepared | None = None
) -> Generator[Event, None, None]:
    """Train all unfinished folds of a run.

    Parameters
    ----------
    run
        Its folder.
    engine
        Where folds run this time; None takes the engine that this user started it with.
    prepared
        Cells and folds, where `prepare` made them already.

    Yields
    ------
    event
        Each as it was appended to ``events.jsonl``. Close the generator where it is
        left before its end: the run is then stopped, and can be resumed.

    Raises
    ------
    RunLockedError
        If another process works in the folder.
    BadRunError
        If the data are not those the run was started with, or the engine is another's.
    EngineError
        If the engine does not answer or its workers cannot train.
    InterruptedRunError
        If the run was asked to stop; it can be resumed.
    """
    config = run.config().model_copy(update={"engine": run.engine(engine)})
    prepared = prepared or prepare(config)
    cells, packed, plan = prepared.cells, prepared.packed, prepared.plan
    _same_data(run, cells)
    record_data(run, cells)
    with run.lock():
        try:
            clear_spools(run.path)
            with _engine(config) as where:
                where.check(run.path, packed)
                folds = _describe_folds(run, cells, plan, prepared.codes)
                yield from _train(run, config, cells, packed, plan, where, folds)
        except InterruptedRunError as stop:
            run.append("stopped")
            remedy = stop.remedy.replace("RUN", str(run.path))
            raise InterruptedRunError(run.path, stop.fault, remedy) from stop
        except GeneratorExit:
            # Whoever drains the events was interrupted between two of them.
            run.append("stopped")
            raise
        except Hep2Error as fault:
            run.append("run-failed", message=shown_fault(fault))
            raise


def record_data(run: RunFolder, cells: CellSet) -> None:
    """Write what a run trains on into `data.json`, once: it names the decisions."""
    path = run.path / DATA
    if not path.is_file():
        content = {
            "source": cells.source,
            "cells": len(cells),
            "fingerprint": cells.fingerprint,
            "reviews": [review.content() for review in cells.reviews],
        }
        write_json(path, content)


def load_cells(config: RunConfig) -> tuple[CellSet, Path]:
    """Load the cells of a run, and those that it only trains on; see `load_packed`."""
    return load_packed(
        Path(config.data),
        config.classifier.input_size,
        config.layout,
        extra=Path(config.extra) if config.extra else None,
        masks=needs_masks(config.classifier),
        reviewed=config.training_set.reviewed,
        simulated=simulation_of(config.training_set),
    )


def simulation_of(settings: TrainingSetSettings) -> SimulationSettings | None:
    """Return what is simulated for training cells; None where nothing is.

    The patterns take turns: where real specimens are rare, most are needed.
    """
    if not settings.simulated:
        return None
    return SimulationSettings(
        specimens=settings.simulated,
        seed=settings.simulated_seed,
        patterns=tuple(PROPORTIONS),
        cells_max=90,
    )


def run_forecast(config: RunConfig, prepared: Prepared | None = None) -> Forecast:
    """Return what a run will cost, of its data where they are prepared.

    A few training steps of a network are timed, and a fold on some cells of what is
    fitted on features of the whole cell; other systems are forecast from figures of
    another machine.
    """
    prepared = prepared or prepare(config)
    cells, plan = prepared.cells, prepared.plan
    seed = config.protocol.seed
    if plan.leaky:
        samples = sum(
            len(choose_samples(cells, fold.train, config.training_set, seed))
            for fold in plan.folds
        )
    else:
        held = (fold.held for fold in plan.folds)
        samples = count_samples(cells, held, config.training_set, seed)
    settings, device = config.classifier, config.device
    workers = min(config.workers or default_workers(device, settings), len(plan.folds))
    steps, timed, once = samples * settings.epochs, True, 0.0
    if isinstance(settings, NetworkSettings):
        speed = measure_speed(settings, len(cells.vocabulary), device, workers)
    elif isinstance(settings, ShapeIndexSettings | KernelRidgeSettings):
        features, fold = measure_fold(settings, cells, plan.folds[0].train)
        once = features * len(cells)
        speed = steps * workers / (fold * len(plan.folds))
    else:
        speed, timed = workers / CORE_SECONDS[settings.name], False
    return Forecast(len(plan.folds), steps, speed, timed, cells.census, once)


def _engine(config: RunConfig) -> AbstractContextManager[Engine]:
    return open_engine(config.engine, config.device, config.workers, config.classifier)


def _same_data(run: RunFolder, cells: CellSet) -> None:
    if cells.fingerprint != run.description()["data_fingerprint"]:
        raise BadRunError(
            run.path,
            f"the cells of {cells.source} have changed since it was started",
            "start a new run, or put the old data back",
        )


def _train(
    run: RunFolder,
    config: RunConfig,
    cells: CellSet,
    packed: Path,
    plan: FoldPlan,
    engine: Engine,
    folds: list[PlannedFold],
) -> Iterator[Event]:
    started = time.monotonic()
    resumed = bool(run.events())
    tasks = fold_tasks(run, config, packed, plan, cells.fingerprint)
    waiting = [one for one in tasks if not is_done(one)]
    yield run.append(
        "run-started",
        experiment=config.experiment,
        protocol=plan.protocol,
        leaky=plan.leaky,
        epochs=config.classifier.epochs,
        patterns=list(cells.vocabulary.names),
        device=config.device,
        engine=config.engine,
        workers=engine.workers,
        resumed=resumed,
        cells=len(cells),
        source=cells.source,
        notes=[
            cells.census,
            *cells.notes,
            *plan.notes,
            *changes_note(config),
            *notes_on_origins(tasks),
        ],
        folds=folds,
    )
    awaited = np.unique([k for fold in plan.folds for k in cells.patterns[fold.test]])
    metrics = RunningMetrics(run, cells, len(plan.folds), awaited.tolist())
    if resumed:
        yield from _tell_unheard(run, cells, plan)
        for fold in plan.folds:
            folder = run.fold_folder(fold.name)
            if has_result(folder):
                drop_checkpoints(folder)
                metrics.add(fold.name)
        yield from metrics.tell()
    if needs_masks(config.classifier):
        views = config.training_set.views
        build_classifier(config.classifier, cells, config.device).prepare(views)
    failure, epochs = "", _ToldEpochs(run)
    for event in engine.run(waiting):
        yield from epochs.tell_kept(event["fold"], event.pop("history", ()))
        written = run.append(event.pop("kind"), **event)
        yield written
        epochs.add(written)
        if written["kind"] == "fold-failed":
            failure = failure or written["message"]
        if written["kind"] == "fold-done":
            metrics.add(written["fold"])
            if metrics.due():
                yield from metrics.tell()
    yield from metrics.tell()
    yield from _finish(run, cells, plan, time.monotonic() - started, failure)


def _tell_unheard(run: RunFolder, cells: CellSet, plan: FoldPlan) -> Iterator[Event]:
    """Tell the folds that workers finished while nobody was there to write it down."""
    told = {event["fold"] for event in run.events() if event["kind"] == "fold-done"}
    epochs = _ToldEpochs(run)
    for fold in plan.folds:
        folder = run.fold_folder(fold.name)
        if fold.name not in told and has_result(folder):
            result = read_result(folder, len(cells), len(cells.vocabulary))
            history = [vars(record) for record in result.history]
            yield from epochs.tell_kept(fold.name, history)
            event = fold_done(fold.name, cells, result)
            yield run.append(event.pop("kind"), **event)


class _ToldEpochs:
    """The epochs that stand in the events of a run.

    A trainer or worker that is killed may have kept an epoch and not told it.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._told: set[tuple[str, int]] = set()
        for event in run.events():
            self.add(event)

    def add(self, event: Event) -> None:
        """Note what has been told."""
        if event["kind"] == "epoch":
            self._told.add((event["fold"], event["epoch"]))

    def tell_kept(self, fold: str, history: Sequence[Message]) -> Iterator[Event]:
        """Report the epochs of a fold's checkpoint or result not yet reported."""
        for record in history:
            if (fold, record["epoch"]) not in self._told:
                event = self._run.append("epoch", fold=fold, **record)
                self.add(event)
                yield event


def _finish(
    run: RunFolder, cells: CellSet, plan: FoldPlan, seconds: float, failure: str
) -> Iterator[Event]:
    held_out = pool_folds(run, plan, len(cells.vocabulary))
    if not held_out.results:
        raise BadRunError(
            run.path, f"no fold could be trained ({failure})", "correct that and resume"
        )
    write_results(run, cells, plan, held_out)
    verdict_if_possible(run)
    missing = len(plan.folds) - len(held_out.results)
    yield run.append("run-done", seconds=round(seconds, 1), folds_failed=missing)


def _describe_folds(
    run: RunFolder, cells: CellSet, plan: FoldPlan, codes: CellCodes
) -> list[PlannedFold]:
    """Prove that no fold leaks, whoever made it, and say what it holds out."""
    described: list[PlannedFold] = []
    names = np.asarray(cells.vocabulary.names)
    for fold in plan.folds:
        if not plan.leaky:
            prove_no_leak(cells, fold, codes)
        described.append(
            {
                "name": fold.name,
                "specimens": np.unique(cells.specimens[fold.test]).tolist(),
                "patterns": np.unique(names[cells.patterns[fold.test]]).tolist(),
                "n_train": fold.n_train,
                "n_test": len(fold.test),
                "done": has_result(run.fold_folder(fold.name)),
            }
        )
    return described


def fold_tasks(
    run: RunFolder, config: RunConfig, packed: Path, plan: FoldPlan, data: str
) -> list[FoldTask]:
    """Return what workers are given of the folds of a run; `data` is a fingerprint.

    Workers elsewhere start in folders of their own, so that all paths are absolute.
    """
    return [
        FoldTask(
            fold=fold,
            folder=run.fold_folder(fold.name).absolute(),
            cells=packed.absolute(),
            classifier=config.classifier,
            training_set=config.training_set,
            seed=fold_seed(config.protocol.seed, number),
            draw_seed=config.protocol.seed,
            device=config.device,
            stop_file=run.stop_file,
            data=data,
        )
        for number, fold in enumerate(plan.folds)
    ]


def fold_seed(seed: int, number: int) -> int:
    """Return the seed of a fold; epochs add theirs without meeting another fold's."""
    return seed * 1_000_003 + number * 1009
