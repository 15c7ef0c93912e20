"""Commands on experiments and their runs: list, run, resume, status, report."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from training.cli.app import BAD_INPUT, app
from training.cli.options import (
    Changes,
    Data,
    Device,
    DeviceOption,
    EngineOption,
    Epochs,
    Extra,
    Json,
    Layout,
    Pilot,
    Protocol,
    Simulated,
    Workers,
    pairs,
)
from training.cli.terminal import (
    console,
    print_comparison,
    print_metrics,
    remark,
    run_progress,
    show_line,
    show_table,
    tell,
)
from training.errors import BadSettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.runs.execution import Prepared
    from training.runs.folder import RunFolder
    from training.runs.summary import RunSummary


@app.command("list")
def list_experiments(as_json: Json = False) -> None:
    """List the experiments, with their data and their cost on the whole of Task-1."""
    from training.runs.experiments import EXPERIMENTS, paper_cost

    rows = []
    name = Column("experiment", no_wrap=True)
    table = Table(
        name, "what", "needs", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False
    )
    for title in ("paper", "folds", "images", "hours"):
        table.add_column(title, justify="right", no_wrap=True)
    for experiment in EXPERIMENTS.values():
        cost = paper_cost(experiment)
        rows.append(
            {
                "experiment": experiment.name,
                "title": experiment.title,
                "needs": experiment.needs,
                "paper_mca": experiment.paper_mca,
                "folds": cost.folds,
                "image_steps": cost.image_steps,
                "core_hours": round(cost.core_hours, 1),
            }
        )
        table.add_row(
            experiment.name,
            experiment.title,
            experiment.needs,
            f"{experiment.paper_mca:.2f}" if experiment.paper_mca else "",
            str(cost.folds),
            f"{cost.image_steps / 1e6:,.0f} M",
            f"{cost.core_hours:,.0f}",
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    show_table(table)
    show_line(
        "On the official data. Images: training images processed in all folds and "
        "epochs."
    )
    show_line(
        "Hours: on one CPU core, roughly. Paper: mean class accuracy in per cent."
    )
    show_line("Cost on this machine: hep2 run EXPERIMENT ... --forecast")


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="Experiment; see hep2 list.")],
    data: Data,
    extra: Extra = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to create.")] = None,
    protocol: Annotated[
        Protocol | None, typer.Option(help="How cells are divided into folds.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Number of folds; not for loso.")
    ] = None,
    pilot: Pilot = None,
    simulated: Simulated = None,
    epochs: Epochs = None,
    device: DeviceOption = Device.auto,
    workers: Workers = 0,
    engine: EngineOption = "local",
    layout: Layout = "auto",
    changes: Changes = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Only estimate the cost on this machine.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train every fold of an experiment and evaluate it on held-out specimens."""
    from training.runs.execution import prepare, run_forecast, start_run
    from training.runs.experiments import configure, forecast_content, pilot_offer

    given = pairs(changes)
    options = {
        "protocol": protocol,
        "folds": folds,
        "epochs": epochs,
        "pilot": pilot,
        "simulated": simulated,
    }
    given |= {key: str(value) for key, value in options.items() if value is not None}
    config = configure(
        experiment,
        str(data),
        extra=str(extra) if extra else "",
        layout=layout,
        device=device.value,
        workers=workers,
        engine=engine,
        changes=given,
    )
    if forecast:
        tell(forecast_content(run_forecast(config)), as_json)
        return
    if out is None:
        raise BadSettingError("--out", "it is missing", "name the run folder to create")
    prepared = prepare(config)
    started = start_run(out, config, prepared)
    if offer := pilot_offer(run_forecast(config, prepared)):
        console.print(offer)
    _follow(started, as_json, prepared=prepared)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="As for run; default: the one you started the run with.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Continue a run that was stopped or killed."""
    from training.runs.folder import RunFolder

    _follow(RunFolder.open(run), as_json, engine)


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="Run folder.")], as_json: Json = False
) -> None:
    """Show the progress of a run."""
    from dataclasses import asdict

    from training.runs.folder import RunFolder

    opened = RunFolder.open(run)
    opened.config()  # a folder that no trainer can use has no state to tell
    tell(asdict(opened.status()), as_json)


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="Folder of runs, or a run.")],
    as_json: Json = False,
) -> None:
    """List the runs in a folder, the newest first, with their accuracy.

    Those that are damaged are told, and the exit code is 2.
    """
    from training.evaluation.intervals import percent_range
    from training.runs.search import find_runs
    from training.runs.summary import newest_first, summarise_run, summary_content

    found = newest_first([summarise_run(run) for run in find_runs(folder)])
    if as_json:
        tell([summary_content(one) for one in found], as_json)
        _end_with_faults(found)
        return
    table = Table("run", "started", "experiment", "protocol", "state", "%", "95 %")
    for one in found:
        mean = one.mean_class_accuracy
        table.add_row(
            one.path.name,
            f"{one.started.astimezone():%Y-%m-%d %H:%M}" if one.started else "",
            one.experiment,
            one.protocol + (" (optimistic)" if one.leaky else ""),
            one.state
            if one.fault
            else f"{one.state}, {one.folds_done} of {one.folds} folds",
            "" if mean is None else f"{100 * mean:.1f}",
            percent_range(one.interval) if one.interval else "",
        )
    show_table(table)
    _end_with_faults(found)


def _end_with_faults(found: "Sequence[RunSummary]") -> None:
    faults = [one.fault for one in found if one.fault]
    remark(*faults)
    if faults:
        raise typer.Exit(BAD_INPUT)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    as_json: Json = False,
) -> None:
    """Write report.html into each run folder; compare the other runs with the first."""
    from training.evaluation.comparison import comparison_content, together
    from training.reports.run_report import write_report
    from training.runs.figures import compare_runs, measured_sentence
    from training.runs.folder import RunFolder

    opened = [RunFolder.open(path) for path in runs]
    compared = together([compare_runs(opened[0], other) for other in opened[1:]])
    written = [str(write_report(one)) for one in opened]
    figures = [measured_sentence(one) for one in opened]
    if as_json:
        rows = [comparison_content(one) for one in compared]
        tell({"reports": written, "figures": figures, "compared": rows}, as_json)
        return
    tell(dict(zip(written, figures, strict=True)), as_json)
    for run, one in zip(opened[1:], compared, strict=True):
        print_comparison(f"{run.path} against {opened[0].path}", one)


@app.command()
def changes(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Finished runs; differences are from the first."),
    ],
    as_json: Json = False,
) -> None:
    """Print the effect of each change of a recipe, as a table in Markdown."""
    from training.runs.folder import RunFolder
    from training.runs.predictions import read_predictions
    from training.studies.change_table import (
        change_content,
        change_table,
        markdown_table,
    )

    opened = [RunFolder.open(path) for path in runs]
    rows = change_table(opened)
    if as_json:
        tell([change_content(row) for row in rows], as_json)
        return
    for line in markdown_table(rows, read_predictions(opened[0]).patterns).split("\n"):
        show_line(line)


def _follow(
    run: "RunFolder",
    as_json: bool,
    engine: str | None = None,
    prepared: "Prepared | None" = None,
) -> None:
    """Drain a run's events, draw its progress, print what it measured."""
    from training.reports.run_report import write_report
    from training.runs.execution import execute
    from training.runs.figures import load_metrics
    from training.runs.folder import METRICS
    from training.storage.reading import read_json

    with run_progress() as show, closing(execute(run, engine, prepared)) as events:
        for event in events:
            show(event)
    write_report(run)
    metrics, patterns = load_metrics(run)
    if as_json:
        tell(read_json(run.path / METRICS), as_json)
        return
    print_metrics(metrics, patterns)
    show_line(f"report: {run.path / 'report.html'}")
