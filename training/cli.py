"""The command line: parse, call, print. Heavy modules are imported where they are used.

Exit codes: 0 done; 2 bad usage or input, told in one sentence; 3 interrupted and
resumable.
"""

import json
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.errors import BadSettingError, Hep2Error, InterruptedRunError
from training.terminal import console, print_metrics, progress, run_progress, tell

if TYPE_CHECKING:
    from training.config import ExtractionSettings, SegmentationSettings
    from training.runs import RunFolder

app = typer.Typer(
    name="python -m training",
    help="Specimen-honest training and evaluation of HEp-2 cell classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
BAD_INPUT = 2
INTERRUPTED = 3


class Protocol(StrEnum):
    """How folds are made."""

    loso = "loso"
    group_k = "group-k"
    k_fold = "k-fold"


class Device(StrEnum):
    """Where networks train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Data = Annotated[
    Path, typer.Option("--data", help="An official layout, a cell or a plain folder.")
]
Layout = Annotated[
    str, typer.Option(help="auto, task1, task2, mivia or plain; auto sniffs.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the cells.")]


def main() -> None:
    """Run the command line and turn expected faults into one sentence."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except InterruptedRunError as stop:
        print(stop, file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Hep2Error as fault:
        print(fault, file=sys.stderr)
        sys.exit(BAD_INPUT)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise InterruptedRunError(
        "python -m training",
        "it was interrupted",
        "a run goes on with: python -m training resume RUN",
    )


@app.command("list")
def list_experiments(as_json: Json = False) -> None:
    """List the experiments, with what each needs and costs on the whole of Task-1."""
    from training.experiments import EXPERIMENTS, configure, paper_forecast

    rows = []
    table = Table("experiment", "what", "needs", "paper %", "folds", "image-steps")
    for experiment in EXPERIMENTS.values():
        cost = paper_forecast(configure(experiment.name, ""), images_per_second=1.0)
        rows.append(
            {
                "experiment": experiment.name,
                "title": experiment.title,
                "needs": experiment.needs,
                "paper_mca": experiment.paper_mca,
                "folds": cost.folds,
                "image_steps": cost.image_steps,
            }
        )
        table.add_row(
            experiment.name,
            experiment.title,
            experiment.needs,
            f"{experiment.paper_mca:.2f}" if experiment.paper_mca else "-",
            str(cost.folds),
            f"{cost.image_steps / 1e6:,.0f} M",
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    Console().print(table)
    print("Image-steps: training images met in all folds on Task-1's 13,596 cells.")
    print("What a run costs here: python -m training run EXPERIMENT ... --forecast")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    specimens: Annotated[int, typer.Option(min=1, help="How many.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same pixels.")] = 0,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Make simulated specimens: frames, masks and the truth, in the Task-2 layout."""
    from training.config import SimulationSettings
    from training.data.simulation import simulate as make

    given = {"specimens": str(specimens), "seed": str(seed), **_pairs(changes)}
    settings = SimulationSettings.parse(given)
    made = list(progress(make(out, settings), specimens, "specimens"))
    tell({"folder": str(out), "specimens": len(made), "simulated": True}, as_json)


@app.command()
def extract(
    specimens: Annotated[Path, typer.Argument(help="Folder of specimens.")],
    out: Annotated[Path, typer.Option(help="Cell folder to make.")],
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Cut 77 x 77 crops out of every frame, with a reason for each cell dropped."""
    from training.data.cell_folder import write_cell_folder
    from training.data.layouts import read_collection

    extraction, segmentation = _cutting(changes)
    collection = read_collection(specimens, layout)
    steps = write_cell_folder(collection, out, extraction, segmentation)
    frames = sum(len(specimen.frames) for specimen in collection.specimens)
    done = list(progress(steps, frames, "frames"))
    faults = [str(step.fault) for step in done if step.fault]
    for note in (*collection.notes, *faults):
        console.print(note, highlight=False)
    tell(
        {
            "folder": str(out),
            "layout": collection.layout,
            "frames": len(done) - len(faults),
            "kept": sum(step.kept for step in done),
            "dropped": sum(step.dropped for step in done),
            "faults": faults,
        },
        as_json,
    )


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="See: python -m training list.")],
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Run folder to make.")] = None,
    protocol: Annotated[Protocol | None, typer.Option(help="How to fold.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Not for loso.")] = None,
    epochs: Epochs = None,
    device: DeviceOption = Device.auto,
    workers: Annotated[int, typer.Option(min=0, help="0: one a core.")] = 0,
    layout: Layout = "auto",
    changes: Changes = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Only tell what it would cost here.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train every fold of an experiment and measure it on held-out specimens."""
    from training.execution import measured_forecast, start_run
    from training.experiments import configure

    given = _pairs(changes)
    options = {"protocol": protocol, "folds": folds, "epochs": epochs}
    given |= {key: str(value) for key, value in options.items() if value is not None}
    config = configure(
        experiment,
        str(data),
        layout=layout,
        device=device.value,
        workers=workers,
        changes=given,
    )
    if forecast:
        cost = measured_forecast(config)
        tell(
            {
                "folds": cost.folds,
                "image_steps": cost.image_steps,
                "images_per_second": round(cost.images_per_second, 1),
                "hours": round(cost.seconds / 3600, 2),
            },
            as_json,
        )
        return
    if out is None:
        raise BadSettingError("--out", "it is missing", "name the run folder to make")
    _follow(start_run(out, config), as_json)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Run folder.")], as_json: Json = False
) -> None:
    """Go on with a run that was stopped or killed."""
    from training.runs import RunFolder

    _follow(RunFolder.open(run), as_json)


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="Run folder.")], as_json: Json = False
) -> None:
    """Tell where a run stands."""
    from dataclasses import asdict

    from training.runs import RunFolder

    tell(asdict(RunFolder.open(run).status()), as_json)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    as_json: Json = False,
) -> None:
    """Write report.html into each run folder and print its figures."""
    from training.reports import measured_sentence, write_report
    from training.runs import RunFolder

    opened = [RunFolder.open(path) for path in runs]
    written = [str(write_report(one)) for one in opened]
    figures = [measured_sentence(one) for one in opened]
    if as_json:
        tell({"reports": written, "figures": figures}, as_json)
        return
    tell(dict(zip(written, figures, strict=True)), as_json)


@app.command()
def fit(
    experiment: Annotated[str, typer.Argument(help="See: python -m training list.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Model to write, NAME.safetensors.")],
    epochs: Epochs = None,
    device: DeviceOption = Device.auto,
    measured: Annotated[
        Path | None, typer.Option(help="Run folder whose figures go on the card.")
    ] = None,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Fit one model on all cells, for the plugin and for predict."""
    from training.cards import read_card
    from training.data.cells import load_cell_set
    from training.experiments import configure
    from training.models import fit_model
    from training.reports import measured_sentence
    from training.runs import RunFolder

    given = _pairs(changes) | ({"epochs": str(epochs)} if epochs else {})
    config = configure(experiment, str(data), changes=given)
    cells = load_cell_set(data, config.network.input_size, layout)
    figures = (
        measured_sentence(RunFolder.open(measured)) if measured else "not measured"
    )
    records = fit_model(
        out.stem,
        cells,
        config.network,
        out,
        seed=config.protocol.seed,
        device=device.value,
        measured=figures,
    )
    list(progress(records, config.network.epochs, "epochs"))
    card = read_card(out.with_suffix(".json"))
    tell(card.model_dump(mode="json", exclude={"network", "format"}), as_json)


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Frames.")],
    model: Annotated[Path, typer.Option(help="NAME.safetensors.")],
    out: Annotated[Path, typer.Option(help="Folder for what is found.")],
    mask: Annotated[
        list[Path] | None,
        typer.Option(help="Mask of each frame, in order; none: made from the image."),
    ] = None,
    device: DeviceOption = Device.auto,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Classify every cell of frames and give each a verdict."""
    from training.data.extraction import extract_frame
    from training.data.layouts import Frame
    from training.models import load_model
    from training.prediction import classify_frame, export_prediction, verdict_content

    masks: list[Path | None] = [*mask] if mask else [None] * len(images)
    if len(masks) != len(images):
        raise BadSettingError(
            "--mask",
            f"{len(masks)} masks were given for {len(images)} images",
            "give one for each image, in the same order",
        )
    extraction, segmentation = _cutting(changes)
    loaded = load_model(model, device.value)
    verdicts = []
    for image, its_mask in zip(images, masks, strict=True):
        frame = Frame(image.stem, image, its_mask)
        cells = extract_frame(frame, extraction, segmentation)
        prediction = classify_frame(cells, loaded)
        export_prediction(prediction, out)
        verdicts.append(verdict_content(prediction))
    tell(verdicts if as_json else {"verdicts": verdicts}, as_json)


def _follow(run: "RunFolder", as_json: bool) -> None:
    """Drain a run's events, draw its progress, print what it measured."""
    from training.execution import execute
    from training.reports import load_metrics, write_report

    with run_progress() as show:
        for event in execute(run):
            show(event)
    write_report(run)
    metrics, patterns = load_metrics(run)
    if as_json:
        print((run.path / "metrics.json").read_text(encoding="utf-8"))
        return
    print_metrics(metrics, patterns)
    print(f"report: {run.path / 'report.html'}")


def _cutting(
    changes: list[str] | None,
) -> "tuple[ExtractionSettings, SegmentationSettings]":
    """Return how cells are cut and masks are made, from KEY=VALUE of either."""
    from training.config import (
        ExtractionSettings,
        SegmentationSettings,
        parse_together,
    )

    extraction, segmentation = parse_together(
        _pairs(changes), ExtractionSettings(), SegmentationSettings()
    )
    return extraction, segmentation


def _pairs(changes: list[str] | None) -> dict[str, str]:
    pairs = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadSettingError(f"--set {change}", "it has no '='", "write KEY=VALUE")
        pairs[key.replace("-", "_")] = value
    return pairs
