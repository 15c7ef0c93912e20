"""The runs that learning curves are drawn through: planned, and done in turn."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from training.config import ProtocolSettings
from training.errors import BadRunError, BadSettingError
from training.runs.events import Event
from training.runs.execution import execute, start_run
from training.runs.experiments import configure
from training.runs.folder import RunConfig, RunFolder
from training.storage.paths import own_path


def plan_curves(
    data: str,
    experiment: str,
    *,
    shares: str = "0.25,0.5,1",
    seeds: int = 2,
    changes: dict[str, str] | None = None,
    layout: str = "auto",
    device: str = "auto",
    workers: int = 0,
) -> dict[str, RunConfig]:
    """Return the runs of both curves, by the name of their folder.

    Parameters
    ----------
    data, experiment, changes, layout, device, workers
        As `training.runs.experiments.configure` takes them.
    shares
        In 0..1, separated by commas; the whole set belongs to both curves.
    seeds
        Each decides folds and draws anew, alike for all shares.

    Raises
    ------
    BadSettingError
        If a share is none, or a setting is unknown.
    """
    wanted = _shares(shares)
    given = dict(changes or {})
    first = ProtocolSettings.parse({"seed": given.pop("seed", 0)}).seed
    planned = {}
    for seed in range(first, first + seeds):
        for share in wanted:
            for setting in ("specimen_share", "cell_share")[: 1 if share == 1 else 2]:
                curve = setting.removesuffix("_share")
                name = "all" if share == 1 else f"{curve}-{share:g}"
                planned[f"{name}-seed-{seed}"] = configure(
                    experiment,
                    data,
                    layout=layout,
                    device=device,
                    workers=workers,
                    changes={**given, setting: str(share), "seed": str(seed)},
                )
    return planned


def _shares(text: str) -> list[float]:
    try:
        shares = sorted({float(word) for word in text.split(",")} | {1.0})
    except ValueError:
        shares = []
    if len(shares) < 2 or shares[0] <= 0 or shares[-1] > 1:
        raise BadSettingError(
            f"--shares {text}", "these are not shares", "give some such as 0.25,0.5,1"
        )
    return shares


def run_planned(
    out: Path, planned: dict[str, RunConfig]
) -> Generator[tuple[str, Event], None, None]:
    """Do the planned runs in ``out/runs``; those that are finished are left alone.

    Yields
    ------
    name, event
        Of the run under way.

    Raises
    ------
    BadRunError
        If a run of that name in the folder has other settings.
    Hep2Error
        As `training.runs.execution.execute`.
    """
    for name, config in planned.items():
        path = own_path(out, "runs", name)
        if not RunFolder.is_at(path):
            run = start_run(path, config)
        else:
            run = RunFolder.open(path)
            if run.config() != config:
                raise BadRunError(
                    path, "it has other settings", "choose another folder for --out"
                )
        if not run.is_finished:
            with closing(execute(run)) as events:
                for event in events:
                    yield name, event
