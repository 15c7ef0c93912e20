"""The paper's recipes and ours, as data."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import NetworkSettings, ProtocolSettings, parse_together
from training.errors import BadSettingError
from training.paper import MEAN_CLASS_ACCURACY, TASK1_CELLS, TASK1_SPECIMENS
from training.runs import RunConfig


@dataclass(frozen=True)
class Experiment:
    """A named recipe.

    Attributes
    ----------
    title
        One line for people.
    paper_mca
        The paper's mean class accuracy in per cent, or None for a recipe of ours.
    needs
        The data it was made for.
    network, protocol
        Its settings, each of which can be changed at the command line.
    """

    name: str
    title: str
    network: NetworkSettings
    protocol: ProtocolSettings
    paper_mca: float | None = None
    needs: str = "cells with specimen ids (Task-1)"


_EXPERIMENTS = (
    Experiment(
        "set-1",
        "the paper's network on single cells",
        NetworkSettings(),
        ProtocolSettings(),
        MEAN_CLASS_ACCURACY["set-1"],
    ),
    Experiment(
        "set-2",
        "set-1 with each training cell in its eight rotations and mirrors",
        NetworkSettings(views=8),
        ProtocolSettings(),
        MEAN_CLASS_ACCURACY["set-2"],
    ),
    Experiment(
        "set-1-k-fold",
        "set-1 under k-fold that ignores specimens: shows the optimism",
        NetworkSettings(),
        ProtocolSettings(protocol="k-fold"),
        MEAN_CLASS_ACCURACY["set-1-k-fold"],
        needs="cells",
    ),
    Experiment(
        "set-1-normalised",
        "set-1, the intensity of each cell stretched between its percentiles",
        NetworkSettings(normalisation="cell"),
        ProtocolSettings(),
    ),
)

EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in _EXPERIMENTS}


def find_experiment(name: str) -> Experiment:
    """Return the experiment called `name`.

    Raises
    ------
    BadSettingError
        If there is none.
    """
    if name not in EXPERIMENTS:
        raise BadSettingError(
            name, "there is no such experiment", f"use one of {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def configure(
    name: str,
    data: str,
    *,
    layout: str = "auto",
    device: str = "auto",
    workers: int = 0,
    changes: dict[str, str] | None = None,
) -> RunConfig:
    """Return the configuration of a run.

    Parameters
    ----------
    name
        Of the experiment.
    data
        Folder of the cells.
    layout, device, workers
        As `RunConfig` has them.
    changes
        Settings of the network or the protocol by name, values as typed.

    Raises
    ------
    BadSettingError
        If a name is unknown or a value out of range.
    """
    experiment = find_experiment(name)
    network, protocol = parse_together(
        changes or {}, experiment.network, experiment.protocol
    )
    return RunConfig(
        experiment=name,
        data=data,
        layout=layout,
        network=network,
        protocol=protocol,
        device=device,
        workers=workers,
    )


@dataclass(frozen=True)
class Forecast:
    """What a run will cost.

    Attributes
    ----------
    folds
        Trainings.
    image_steps
        Training images met in all: folds x epochs x images of a fold.
    seconds
        Wall time at `images_per_second`.
    images_per_second
        Measured just now, all workers together, or given.
    """

    folds: int
    image_steps: int
    images_per_second: float

    @property
    def seconds(self) -> float:
        """Wall time in seconds."""
        return self.image_steps / self.images_per_second


def forecast(
    config: RunConfig, n_cells: int, n_folds: int, images_per_second: float
) -> Forecast:
    """Return the cost of a run over `n_cells` cells in `n_folds` folds."""
    seen = n_cells * (n_folds - 1) * config.network.views * config.network.epochs
    return Forecast(n_folds, seen, images_per_second)


def paper_forecast(config: RunConfig, images_per_second: float) -> Forecast:
    """Return the cost of a run on the whole of Task-1."""
    folds = TASK1_SPECIMENS
    if config.protocol.protocol != "loso":
        folds = config.protocol.folds
    return forecast(config, int(TASK1_CELLS.sum()), folds, images_per_second)
