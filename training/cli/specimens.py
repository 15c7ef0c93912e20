"""Commands on specimens: a report of each with a worklist; an index of neighbours."""

from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.app import BAD_INPUT, app, going_on
from training.cli.options import (
    Backend,
    Changes,
    Data,
    Device,
    DeviceOption,
    Extra,
    Json,
    Layout,
    pairs,
)
from training.cli.terminal import progress, remark, tell


@app.command()
def specimens(
    folder: Annotated[Path, typer.Argument(help="A folder of specimens.")],
    model: Annotated[Path, typer.Option(help="NAME.safetensors or NAME.onnx.")],
    out: Annotated[Path, typer.Option(help="Folder for the reports.")],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Report only this specimen; repeatable."),
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="Cell folder or file with the reviewers' decisions; default: the one "
            "in the folder of the specimens."
        ),
    ] = None,
    backend: Annotated[
        Backend,
        typer.Option(help="Library that computes the scores; auto: by model file."),
    ] = Backend.auto,
    device: DeviceOption = Device.auto,
    series: Annotated[
        Path | None,
        typer.Option(
            help="Table of specimens with their role and series; default: the one in "
            "the folder of the specimens."
        ),
    ] = None,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Write a report on each specimen and a worklist that ranks them by doubt.

    Reports that are up to date are not written again.
    """
    from training.config import (
        ExtractionSettings,
        IntensitySettings,
        SegmentationSettings,
        VerdictSettings,
        parse_together,
    )
    from training.reports.specimens.plans import ReportRequest, plan_reports
    from training.reports.specimens.stream import finish_worklist, report_specimens

    extraction, segmentation, verdict, intensity = parse_together(
        pairs(changes),
        ExtractionSettings(),
        SegmentationSettings(),
        VerdictSettings(),
        IntensitySettings(),
    )
    request = ReportRequest(
        folder,
        model,
        out,
        tuple(only or ()),
        decisions,
        backend.value,
        device.value,
        layout,
        extraction,
        segmentation,
        verdict,
        intensity,
        series,
    )
    plan, note = plan_reports(request)
    collection = plan.collection
    remark(f"{collection.census}.", *collection.notes, *([note] if note else []))
    remark(*plan.series.missing(one.id for one in collection.specimens))
    done = []
    remedy = "repeat the command: finished reports are kept"
    with going_on(out, remedy), plan.lock():
        for step in progress(report_specimens(plan), len(plan.chosen), "specimens"):
            done.append(step)
            remark(*step.faults)
        content = finish_worklist(plan, done)
    remark(*plan.judge.faults)
    _answer(content, sum(step.skipped for step in done), out, as_json)
    if any(step.faults for step in done):
        raise typer.Exit(BAD_INPUT)


@app.command()
def neighbours(
    model: Annotated[Path, typer.Argument(help="NAME.safetensors.")],
    data: Data,
    extra: Extra = None,
    per_specimen: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Maximum number of cells per specimen."),
    ] = 40,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of the drawn cells.")
    ] = 0,
    device: DeviceOption = Device.auto,
    layout: Layout = "auto",
    as_json: Json = False,
) -> None:
    """Index a model's training cells, to show the ones nearest to a cell.

    The index is stored beside the model and contains small pictures of training cells.
    """
    import numpy as np

    from training.data.cells.loading import load_packed
    from training.inference.scorers import load_scorer
    from training.inference.why.neighbours import build_index, index_path, write_index

    loaded = load_scorer(model, device=device.value)
    card = loaded.card
    cells, _ = load_packed(
        data,
        card.classifier.input_size,
        layout,
        extra=extra,
        reviewed=card.training_set.reviewed,
    )
    weights = model.with_suffix(".safetensors")
    rng = np.random.default_rng(seed)
    index = build_index(loaded, weights, cells, rng, per_specimen)
    path = index_path(weights)
    write_index(path, index)
    tell(
        {
            "index": str(path),
            "cells": len(index),
            "specimens": len(set(index.specimens.tolist())),
            "bytes": path.stat().st_size,
        },
        as_json,
    )


def _answer(content: dict[str, Any], skipped: int, out: Path, as_json: bool) -> None:
    if as_json:
        tell({**content, "skipped": skipped}, as_json)
        return
    tell(
        {
            "worklist": str(out / "worklist.html"),
            "specimens": len(content["specimens"]),
            "with verdict": content["with_verdict"],
            **{f"intensity {name}": n for name, n in content["results"].items() if n},
            "up to date": skipped,
            "frames left out": content["faults"],
        },
        as_json,
    )
