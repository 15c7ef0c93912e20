"""A study: the experiments of the paper that the data allow, one run each, resumable.

The folder of a study holds `study.json`, a run folder for each experiment in `runs/`,
and what `training.studies.reproduction.page` writes. A study that was stopped goes on
with the same command: finished runs are kept, the others are resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config import LOCAL, SimulationSettings
from training.data.simulation import simulate, simulated_specimens
from training.errors import (
    BadRunError,
    BadSettingError,
    Hep2Error,
    InterruptedRunError,
)
from training.runs.events import Event, RunFailed
from training.runs.execution import execute, start_run
from training.runs.experiments import EXPERIMENTS, configure, find_experiment
from training.runs.folder import RunConfig, RunFolder
from training.storage.paths import own_path
from training.storage.writing import write_json

TRAINING_SETS = (
    "set-1",
    "set-2",
    "set-3",
    "pooled",
    "pooled-augmented",
    "set-1-k-fold",
)
"""The rows of the paper's table of training sets."""

SYSTEMS = ("lenet", "shape-index", "local-patterns", "scale-space", "imagenet")
"""The systems that stand beside the paper's network."""

CHANGES = (
    "set-1-literal",
    "set-1-normalised",
    "set-1-batch-norm",
    "set-1-turned",
    "set-1-jittered",
)
"""The paper's network with one modern change each."""

SIMULATED_SEEDS = (11, 12)
"""Seeds of the simulated Task-1 and Task-2: no specimen stands in both."""


@dataclass(frozen=True)
class Study:
    """Plan of a reproduction.

    Attributes
    ----------
    configs
        The configuration of each run, by experiment.
    left_out
        Experiments that are not run, each with the reason.
    simulated
        Whether the cells are simulated.
    """

    configs: dict[str, RunConfig]
    left_out: dict[str, str] = field(default_factory=dict)
    simulated: bool = False


def plan_study(
    data: str,
    extra: str,
    *,
    changes: Mapping[str, str],
    only: tuple[str, ...] = (),
    layout: str = "auto",
    device: str = "auto",
    workers: int = 0,
    engine: str = LOCAL,
    simulated: bool = False,
) -> Study:
    """Return the runs that the data allow.

    Parameters
    ----------
    data, extra
        Folders of the cells; without `extra` the rows that need Task-2 are left out.
    changes
        Settings by name for every experiment that has them, or by
        ``EXPERIMENT.NAME`` for one.
    only
        Experiments to run; all by default.
    layout, device, workers, engine
        As `training.runs.folder.RunConfig` has them.
    simulated
        Whether the cells are simulated.

    Raises
    ------
    BadSettingError
        If a name is unknown or a value out of range.
    """
    wanted = {find_experiment(name).name for name in only} or set(EXPERIMENTS)
    chosen = [name for name in EXPERIMENTS if name in wanted]
    configs, left_out = {}, {}
    _check_names(changes)
    for name in chosen:
        own = _changes_of(name, changes)
        if reason := _obstacle(name, extra, own):
            left_out[name] = reason
            continue
        configs[name] = configure(
            name,
            data,
            extra=extra if EXPERIMENTS[name].training_set.use_extra else "",
            layout=layout,
            device=device,
            workers=workers,
            engine=engine,
            changes=own,
        )
    return Study(configs, left_out, simulated)


def task_folders(folder: Path) -> tuple[Path, Path]:
    """Return where a study keeps what stands for Task-1 and Task-2."""
    task_1, task_2 = (own_path(folder, "simulated", f"task-{n}") for n in (1, 2))
    return task_1, task_2


def simulate_tasks(folder: Path, *specimens: int) -> None:
    """Simulate so many specimens in place of Task-1, and in place of Task-2.

    A folder that is complete is taken as it is, another is made anew.
    """
    for path, seed, count in zip(
        task_folders(folder), SIMULATED_SEEDS, specimens, strict=True
    ):
        if simulated_specimens(path) != count:
            shutil.rmtree(path, ignore_errors=True)
            list(simulate(path, SimulationSettings(specimens=count, seed=seed)))


def run_study(folder: Path, study: Study) -> Generator[tuple[str, Event], None, None]:
    """Run what is not finished; yield each event with its experiment.

    A run that fails does not end the study: an event ``run-failed`` tells it.

    Raises
    ------
    InterruptedRunError
        If it was asked to stop; the same command goes on.
    BadRunError
        If the folder holds runs of other settings.
    Hep2Error
        The first fault, where no run could be finished.
    """
    write_json(folder / "study.json", _content(study))
    faults: list[Hep2Error] = []
    for name, config in study.configs.items():
        run = _open(folder, name, config)
        if run is not None and run.is_finished:
            continue
        try:
            run = run or start_run(run_path(folder, name), config)
            with closing(execute(run, config.engine)) as events:
                for event in events:
                    yield name, event
        except InterruptedRunError as stop:
            raise InterruptedRunError(
                folder, "it was stopped", "repeat the command to continue"
            ) from stop
        except Hep2Error as fault:
            faults.append(fault)
            yield name, RunFailed(kind="run-failed", message=str(fault))
    if faults and not finished_runs(folder, study):
        raise faults[0]


def run_path(folder: Path, name: str) -> Path:
    """Return the run folder of an experiment of a study."""
    return own_path(folder, "runs", name)


def finished_runs(folder: Path, study: Study) -> dict[str, RunFolder]:
    """Return the runs of a study that are finished, by experiment."""
    paths = {name: run_path(folder, name) for name in study.configs}
    return {
        name: RunFolder.open(path)
        for name, path in paths.items()
        if RunFolder(path).is_finished
    }


def _open(folder: Path, name: str, config: RunConfig) -> RunFolder | None:
    path = run_path(folder, name)
    if not RunFolder.is_at(path):
        return None
    run = RunFolder.open(path)
    found = run.config()
    free = {name: getattr(config, name) for name in ("workers", "device", "engine")}
    if found.model_copy(update=free) != config:
        raise BadRunError(
            path,
            "it was started with other settings or data",
            "give those, or another --out folder",
        )
    return run


def _changes_of(name: str, changes: Mapping[str, str]) -> dict[str, str]:
    known = _settings_of(name)
    if EXPERIMENTS[name].protocol.protocol == "k-fold":
        known -= {"protocol"}  # the row that shows the optimism stays what it is
    own = {key: value for key, value in changes.items() if key in known}
    start = f"{name}."
    return own | {
        key.removeprefix(start): value
        for key, value in changes.items()
        if key.startswith(start)
    }


def _check_names(changes: Mapping[str, str]) -> None:
    everybody = {key for name in EXPERIMENTS for key in _settings_of(name)}
    for change in changes:
        experiment, dot, setting = change.rpartition(".")
        known = _settings_of(experiment) if experiment in EXPERIMENTS else set()
        if setting not in (known if dot else everybody):
            raise BadSettingError(
                change, "no experiment has this setting", "see: hep2 list"
            )


def _settings_of(name: str) -> set[str]:
    one = EXPERIMENTS[name]
    parts = (one.classifier, one.training_set, one.protocol)
    return {key for part in parts for key in type(part).changeable()}


def _obstacle(name: str, extra: str, changes: Mapping[str, str]) -> str:
    experiment = EXPERIMENTS[name]
    if experiment.training_set.use_extra and not extra:
        return "needs the cells of Task-2 (--extra)"
    if name == "imagenet" and not changes.get("weights"):
        return "needs a file of ImageNet weights (--set imagenet.weights=FILE)"
    return ""


def _content(study: Study) -> dict[str, Any]:
    return {
        "simulated": study.simulated,
        "experiments": list(study.configs),
        "left_out": study.left_out,
    }
