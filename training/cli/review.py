"""Commands from review to experiment and back.

What decisions made later did to a run, which labels its models doubt, and whether more
specimens or more cells would help.
"""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from training.cli.app import app
from training.cli.options import (
    Changes,
    Device,
    DeviceOption,
    Epochs,
    Json,
    Layout,
    Workers,
    pairs,
)
from training.cli.terminal import (
    console,
    print_metrics,
    run_progress,
    show_line,
    show_table,
    tell,
)

if TYPE_CHECKING:
    from training.runs.staleness import Staleness
    from training.studies.learning_curves import CurveStudy


@app.command()
def stale(
    runs: Annotated[list[Path], typer.Argument(help="Runs, or folders of runs.")],
    as_json: Json = False,
) -> None:
    """List cells whose labels changed after a run, and the folds affected.

    A fold that trains on a changed cell is stale. For the fold that holds it out only
    the metrics change: rescore updates them without training.
    """
    from training.runs.search import find_runs, find_stale_runs

    opened = [run for path in runs for run in find_runs(path)]
    found = [one for _, one in find_stale_runs(opened)]
    if as_json:
        tell([one.content() for one in found], as_json)
        return
    for one in found:
        _print_stale(one)


_SHOWN = 20


def _print_stale(one: "Staleness") -> None:
    show_line(f"{one.run}: {one.state}; {one.reason}.")
    if not one.cells:
        return
    table = Table("cell", "specimen", "before", "now", box=SIMPLE_HEAD)
    for cell in one.cells[:_SHOWN]:
        words = (cell.before or "left out", cell.now or "left out")
        table.add_row(cell.id, cell.specimen, *words)
    show_table(table)
    if len(one.cells) > _SHOWN:
        show_line(f"and {len(one.cells) - _SHOWN} more; --json has them all")
    folds = Table("fold", "trained on", "holds out", "", box=SIMPLE_HEAD)
    for fold in one.folds:
        word = "stale" if fold.stale else "only its metrics" if fold.holds_out else ""
        folds.add_row(fold.name, str(fold.trains_on), str(fold.holds_out), word)
    show_table(folds)


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="Run folder.")], as_json: Json = False
) -> None:
    """Measure a run's held-out cells again with the current labels, without training.

    Writes metrics-rescored.json and confusion-rescored.csv beside the original ones.
    """
    from training.evaluation.intervals import percent_range
    from training.runs import staleness
    from training.runs.folder import RunFolder

    metrics, content = staleness.rescore(RunFolder.open(run))
    if as_json:
        tell(content, as_json)
        return
    print_metrics(metrics, content["patterns"])
    measured = content["measured"]
    before, bounds = 100 * measured["mean_class_accuracy"], measured["interval"]
    words = f" (95 % {percent_range(bounds)})" if bounds else ""
    show_line(f"with the labels it was trained on: {before:.2f} %{words}")
    show_line(
        f"{content['relabelled']} cells have another label, {content['left_out']} are "
        f"left out, {content['not_scored']} have no score; "
        f"{content['stale_folds']} of {content['folds']} folds trained on old labels"
    )


@app.command("label-errors")
def label_errors(
    run: Annotated[Path, typer.Argument(help="Finished run folder.")],
    top: Annotated[int, typer.Option(min=1, help="Number of cells to list.")] = 20,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model that also scores these cells in eight orientations: "
            "NAME.safetensors."
        ),
    ] = None,
    device: DeviceOption = Device.auto,
    as_json: Json = False,
) -> None:
    """Rank held-out cells by how strongly models contradict their label.

    The models never saw the specimen. Nothing changes: relabel or reject in the review.
    """
    from training.inference.orientation_spread import scores_in_views
    from training.inference.scorers import load_scorer
    from training.runs.folder import RunFolder
    from training.studies.label_errors import crops_of, find_label_errors

    opened = RunFolder.open(run)
    queue = find_label_errors(opened)
    rows = queue.rows(top)
    if model is not None:
        scorer = load_scorer(model, device=device.value)
        crops = crops_of(opened, queue.ids[: len(rows)])
        seen = set(scorer.card.specimens)
        spread = scores_in_views(scorer, crops).spread
        for row, value in zip(rows, spread, strict=True):
            row["view_spread"] = round(float(value), 4)
            row["model_saw_specimen"] = row["specimen"] in seen
    if as_json:
        content = {
            "run": str(run),
            "cells": len(queue.ids),
            "candidates": int(queue.candidate.sum()),
            "queue": rows,
        }
        tell(content, as_json)
        return
    _print_queue(rows)
    show_line(
        f"{int(queue.candidate.sum())} of {len(queue.ids)} held-out cells are "
        "candidates (*); 'of specimen' is their share of its cells"
    )


def _print_queue(rows: list[dict[str, Any]]) -> None:
    """Print a line a cell: a table of so many columns needs a wide screen."""
    for row in rows:
        words = [
            f"suspicion {row['suspicion']:.2f}{'*' if row['candidate'] else ''}",
            f"votes differ {row['disagreement']:.2f}",
            f"of specimen {100 * row['of_specimen']:.0f} %",
        ]
        if "view_spread" in row:
            words.append(f"orientations differ {row['view_spread']:.2f}")
        show_line(
            f"{row['id']} (specimen {row['specimen']}): "
            f"{row['label']} {row['label_score']:.2f} or "
            f"{row['proposed']} {row['proposed_score']:.2f}; {', '.join(words)}"
        )


@app.command("learning-curve")
def learning_curve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Finished runs, or folders of runs; default: plan runs on --data."
        ),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option(help="Folder of the page; an existing one is continued.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Data folder: an official layout, a cell folder or a plain folder.",
        ),
    ] = None,
    experiment: Annotated[
        str, typer.Option(help="Experiment to train; see hep2 list.")
    ] = "shape-index",
    shares: Annotated[
        str, typer.Option(help="Shares of the specimens, and of the cells of each.")
    ] = "0.25,0.5,1",
    seeds: Annotated[
        int, typer.Option(min=1, max=20, help="Random draws of each share.")
    ] = 2,
    folds: Annotated[
        int, typer.Option(min=2, help="Number of groups of specimens.")
    ] = 4,
    epochs: Epochs = None,
    device: DeviceOption = Device.auto,
    workers: Workers = 0,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Estimate whether more specimens or more cells of each would help accuracy more.

    The same held-out cells are scored by models trained on a share of the specimens,
    and by models trained on a share of the cells of each specimen.
    """
    from training.errors import BadSettingError
    from training.runs.search import find_runs
    from training.studies.curve_page import write_curves
    from training.studies.curve_runs import plan_curves
    from training.studies.learning_curves import study_runs

    if bool(runs) == (data is not None):
        raise BadSettingError(
            "learning-curve", "it takes runs or --data", "give one of the two"
        )
    if runs:
        study = study_runs([run for path in runs for run in find_runs(path)])
    else:
        given = pairs(changes) | {"protocol": "group-k", "folds": str(folds)}
        given |= {"epochs": str(epochs)} if epochs else {}
        planned = plan_curves(
            str(data),
            experiment,
            shares=shares,
            seeds=seeds,
            changes=given,
            layout=layout,
            device=device.value,
            workers=workers,
        )
        study = _run_planned(out, planned)
    page = write_curves(out, study)
    content = study.content()
    if as_json:
        tell({"page": str(page), **content}, as_json)
        return
    _print_points(content["points"])
    show_line(content["sentence"])
    show_line(f"page: {page}")


def _run_planned(out: Path, planned: dict[str, Any]) -> "CurveStudy":
    from training.runs.folder import RunFolder
    from training.studies.curve_runs import run_planned
    from training.studies.learning_curves import study_runs

    with run_progress() as show, closing(run_planned(out, planned)) as events:
        running = ""
        for name, event in events:
            if name != running:
                running = name
                console.print(name)
            show(event)
    return study_runs([RunFolder.open(out / "runs" / name) for name in planned])


def _print_points(points: list[dict[str, Any]]) -> None:
    from training.evaluation.intervals import percent_range

    table = Table("curve", "specimens", "cells", "right %", "95 %", box=SIMPLE_HEAD)
    for point in points:
        interval = point["interval"]
        table.add_row(
            point["curve"],
            f"{point['specimens']:.0f}",
            f"{point['cells']:.0f}",
            f"{100 * point['mean_class_accuracy']:.1f}",
            percent_range(interval) if interval else "too few specimens",
        )
    show_table(table)
