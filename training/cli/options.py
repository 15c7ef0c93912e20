"""The options that several commands share, and how ``--set KEY=VALUE`` is read."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.errors import BadSettingError

if TYPE_CHECKING:
    from training.config import ExtractionSettings, SegmentationSettings


class Protocol(StrEnum):
    """Protocols by which cells are divided into folds."""

    loso = "loso"
    group_k = "group-k"
    inner_k = "inner-k"
    k_fold = "k-fold"


class Device(StrEnum):
    """Devices to compute on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Backend(StrEnum):
    """Libraries that compute the scores of a model."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Data folder: an official layout, a cell folder or a plain folder.",
    ),
]
Layout = Annotated[
    str,
    typer.Option(help="Data layout: auto (detected), task1, task2, mivia or plain."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable."),
]
DeviceOption = Annotated[Device, typer.Option(help="Device to compute on.")]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="Where folds run: local, dask://HOST:PORT or slurm.",
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the training cells.")
]
Extra = Annotated[
    Path | None,
    typer.Option("--extra", help="Folder of extra cells, for training only."),
]
Simulated = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=1000,
        help="Train also on so many simulated specimens, which are never tested.",
    ),
]
Pilot = Annotated[
    int | None,
    typer.Option(min=1, help="Train only this many folds, drawn over all patterns."),
]
Workers = Annotated[
    int,
    typer.Option(min=0, help="Folds trained at once; 0: one per core, or 4 on a GPU."),
]


def pairs(changes: list[str] | None) -> dict[str, str]:
    """Return the settings of ``--set KEY=VALUE``, values as typed."""
    given = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadSettingError(f"--set {change}", "it has no '='", "write KEY=VALUE")
        experiment, dot, setting = key.rpartition(".")
        given[experiment + dot + setting.replace("-", "_")] = value
    return given


def cutting(
    changes: list[str] | None,
) -> "tuple[ExtractionSettings, SegmentationSettings]":
    """Return how cells are cut and masks are made, from KEY=VALUE of either."""
    from training.config import (
        ExtractionSettings,
        SegmentationSettings,
        parse_together,
    )

    extraction, segmentation = parse_together(
        pairs(changes), ExtractionSettings(), SegmentationSettings()
    )
    return extraction, segmentation
