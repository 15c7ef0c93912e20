"""Executes a run in its folder: folds, proof, training, metrics, from start or resumed.

A generator of events: a terminal, a dock and a test drain the same one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.checkpoints import has_result, read_result
from training.config import NetworkSettings, known_engine
from training.data.cells import CellSet
from training.data.packed_cells import load_packed
from training.engines import (
    Engine,
    Event,
    FoldTask,
    default_workers,
    measure_speed,
    open_engine,
)
from training.engines.base import fold_done
from training.engines.spool import clear_spools
from training.errors import BadRunError, Hep2Error, InterruptedRunError
from training.experiments import CORE_SECONDS, Forecast
from training.protocols import FoldPlan, image_keys, make_folds, prove_no_leak
from training.results import (
    measure_held_out,
    metrics_content,
    pool_folds,
    write_results,
)
from training.runs import RunConfig, RunFolder
from training.sampling import choose_samples
from training.systems import build_classifier, needs_masks


def start_run(path: Path, config: RunConfig) -> RunFolder:
    """Load the data and make the run folder.

    Raises
    ------
    Hep2Error
        If the data cannot be read, no folds can be made, the folder is in use, or
        the engine does not answer; nothing is written then.
    """
    with open_engine(config.engine, config.device, config.workers):
        pass
    cells, _ = load_cells(config)
    make_folds(cells, config.protocol)
    return RunFolder.create(path, config, cells.fingerprint)


def execute(run: RunFolder, engine: str | None = None) -> Iterator[Event]:
    """Train all unfinished folds of a run.

    Parameters
    ----------
    run
        Its folder.
    engine
        Where folds run this time; None takes the engine it was started with.

    Yields
    ------
    event
        Each as it was appended to ``events.jsonl``.

    Raises
    ------
    RunLockedError
        If another trainer works in the folder.
    BadRunError
        If the data are not those the run was started with.
    EngineError
        If the engine does not answer or its workers cannot train.
    InterruptedRunError
        If the run was asked to stop; it can be resumed.
    """
    config = run.config()
    if engine is not None:
        config = config.model_copy(update={"engine": known_engine(engine)})
    cells, packed = load_cells(config)
    _same_data(run, cells)
    plan = make_folds(cells, config.protocol)
    with run.lock():
        try:
            clear_spools(run.path)
            with open_engine(config.engine, config.device, config.workers) as where:
                where.check(run.path, packed)
                yield from _train(run, config, cells, packed, plan, where)
        except InterruptedRunError:
            run.append("stopped")
            raise
        except Hep2Error as fault:
            run.append("run-failed", message=str(fault))
            raise


def load_cells(config: RunConfig) -> tuple[CellSet, Path]:
    """Load the cells of a run, and those that it only trains on; see `load_packed`."""
    return load_packed(
        Path(config.data),
        config.classifier.input_size,
        config.layout,
        extra=Path(config.extra) if config.extra else None,
        masks=needs_masks(config.classifier),
    )


def run_forecast(config: RunConfig) -> Forecast:
    """Load the data and return what the run will cost.

    A few training steps of a network are timed; what is not trained in steps is
    forecast from figures of another machine.
    """
    cells, _ = load_cells(config)
    plan = make_folds(cells, config.protocol)
    seed = config.protocol.seed
    samples = sum(
        len(choose_samples(cells, fold.train, config.training_set, seed))
        for fold in plan.folds
    )
    workers = min(config.workers or default_workers(config.device), len(plan.folds))
    settings, count = config.classifier, len(cells.vocabulary)
    timed = isinstance(settings, NetworkSettings)
    speed = (
        measure_speed(settings, count, config.device)
        if isinstance(settings, NetworkSettings)
        else 1 / CORE_SECONDS[settings.name]
    )
    return Forecast(len(plan.folds), samples * settings.epochs, workers * speed, timed)


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
) -> Iterator[Event]:
    started = time.monotonic()
    resumed = bool(run.events())
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
        notes=[*cells.notes, *plan.notes],
        folds=_describe_folds(run, cells, plan),
    )
    if resumed:
        yield from _tell_unheard(run, cells, plan)
        yield from _pooled(run, cells, plan)
    if needs_masks(config.classifier):
        views = config.training_set.views
        build_classifier(config.classifier, cells, config.device).prepare(views)
    failure = ""
    for event in engine.run(_tasks(run, config, packed, plan)):
        written = run.append(event.pop("kind"), **event)
        yield written
        if written["kind"] == "fold-failed":
            failure = failure or written["message"]
        if written["kind"] == "fold-done":
            yield from _pooled(run, cells, plan)
    yield from _finish(run, cells, plan, time.monotonic() - started, failure)


def _tell_unheard(run: RunFolder, cells: CellSet, plan: FoldPlan) -> Iterator[Event]:
    """Tell the folds that workers finished while nobody was there to write it down."""
    told = {event["fold"] for event in run.events() if event["kind"] == "fold-done"}
    for fold in plan.folds:
        folder = run.fold_folder(fold.name)
        if fold.name not in told and has_result(folder):
            event = fold_done(fold.name, cells, read_result(folder))
            yield run.append(event.pop("kind"), **event)


def _finish(
    run: RunFolder, cells: CellSet, plan: FoldPlan, seconds: float, failure: str
) -> Iterator[Event]:
    held_out = pool_folds(run, plan, len(cells.vocabulary))
    if not held_out.results:
        raise BadRunError(
            run.path, f"no fold could be trained ({failure})", "mend that and resume"
        )
    write_results(run, cells, plan, held_out)
    missing = len(plan.folds) - len(held_out.results)
    yield run.append("run-done", seconds=round(seconds, 1), folds_failed=missing)


def _pooled(run: RunFolder, cells: CellSet, plan: FoldPlan) -> Iterator[Event]:
    held_out = pool_folds(run, plan, len(cells.vocabulary))
    if held_out.results:
        metrics = measure_held_out(cells, held_out)
        yield run.append(
            "metrics",
            folds_done=len(held_out.results),
            folds=len(plan.folds),
            **metrics_content(metrics, cells.vocabulary.names),
        )


def _describe_folds(run: RunFolder, cells: CellSet, plan: FoldPlan) -> list[Event]:
    keys = image_keys(cells)
    described = []
    for fold in plan.folds:
        if not plan.leaky:
            prove_no_leak(cells, fold, keys)
        names = np.asarray(cells.vocabulary.names)
        described.append(
            {
                "name": fold.name,
                "specimens": np.unique(cells.specimens[fold.test]).tolist(),
                "patterns": np.unique(names[cells.patterns[fold.test]]).tolist(),
                "n_train": len(fold.train),
                "n_test": len(fold.test),
                "done": has_result(run.fold_folder(fold.name)),
            }
        )
    return described


def _tasks(
    run: RunFolder, config: RunConfig, packed: Path, plan: FoldPlan
) -> list[FoldTask]:
    """Return the unfinished folds; workers elsewhere start in folders of their own."""
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
            stop_file=run.path.absolute() / "stop",
        )
        for number, fold in enumerate(plan.folds)
        if not has_result(run.fold_folder(fold.name))
    ]


def fold_seed(seed: int, number: int) -> int:
    """Return the seed of a fold; epochs add theirs without meeting another fold's."""
    return seed * 1_000_003 + number * 1009
