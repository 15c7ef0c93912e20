"""Commands on models: fit, export, predict."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.app import BAD_INPUT, app, going_on
from training.cli.options import (
    Backend,
    Changes,
    Data,
    Device,
    DeviceOption,
    Epochs,
    Extra,
    Json,
    Layout,
    Simulated,
    cutting,
    pairs,
)
from training.cli.terminal import progress, remark, tell
from training.errors import BadSettingError


@app.command()
def fit(
    experiment: Annotated[str, typer.Argument(help="Experiment; see hep2 list.")],
    data: Data,
    extra: Extra = None,
    simulated: Simulated = None,
    *,
    out: Annotated[Path, typer.Option(help="Model to write, NAME.safetensors.")],
    epochs: Epochs = None,
    device: DeviceOption = Device.auto,
    measured: Annotated[
        Path | None,
        typer.Option(help="Run folder whose held-out figures go on the model card."),
    ] = None,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Train one model on all cells, for the plugin and for predict."""
    from training.config import KernelRidgeSettings, NetworkSettings
    from training.data.cells.frame_hashes import frame_hashes
    from training.data.cells.nucleus_share import nucleus_share
    from training.data.cells.simulated import is_simulated
    from training.inference.cards import add_verdict, read_card
    from training.runs.execution import load_cells
    from training.runs.experiments import configure
    from training.runs.figures import figures_for_card
    from training.runs.final_fit import fit_model
    from training.runs.folder import RunFolder
    from training.runs.verdicts import read_verdict

    given = pairs(changes)
    options = {"epochs": epochs, "simulated": simulated}
    given |= {key: str(value) for key, value in options.items() if value is not None}
    config = configure(
        experiment,
        str(data),
        extra=str(extra) if extra else "",
        layout=layout,
        changes=given,
    )
    settings = config.classifier
    if not isinstance(settings, NetworkSettings | KernelRidgeSettings):
        raise BadSettingError(
            experiment,
            "a model file holds networks and kernel ridge regressions only",
            "fit a network, as set-1, or kernel-ridge",
        )
    cells, _ = load_cells(config)
    figures, verdict = "not measured", None
    if measured:
        run = RunFolder.open(measured)
        figures = figures_for_card(run, config, cells.fingerprint)
        verdict = read_verdict(run)
    records = fit_model(
        out.stem,
        cells,
        settings,
        out,
        config.training_set,
        seed=config.protocol.seed,
        device=device.value,
        measured=figures,
        nucleus_share=nucleus_share(Path(config.data), config.layout),
        frames=frame_hashes(Path(config.data), config.layout),
        simulated=all(is_simulated(place) for place in (data, extra) if place),
    )
    with going_on(out, "repeat the command to continue from its last epoch"):
        list(progress(records, settings.epochs, "epochs"))
    card = read_card(out.with_suffix(".json"))
    if verdict is not None:
        card = add_verdict(out.with_suffix(".json"), verdict)
    left_out = {"classifier", "training_set", "format", "verdict"}
    tell(card.model_dump(mode="json", exclude=left_out), as_json)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="NAME.safetensors.")],
    out: Annotated[Path, typer.Option(help="File to write, NAME.onnx.")],
    as_json: Json = False,
) -> None:
    """Export a model with its card as ONNX, and check that it scores the same."""
    from training.inference.model_file import load_model
    from training.inference.onnx_export import export_onnx

    written = export_onnx(load_model(model, "cpu"), out)
    tell({"model": str(written), "bytes": written.stat().st_size}, as_json)


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Frames, or folders of frames.")],
    model: Annotated[Path, typer.Option(help="NAME.safetensors or NAME.onnx.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            help="Mask of each frame, in the same order; default: segment the nuclei."
        ),
    ] = None,
    backend: Annotated[
        Backend,
        typer.Option(help="Library that computes the scores; auto: by model file."),
    ] = Backend.auto,
    device: DeviceOption = Device.auto,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Classify the cells of frames and give each frame a verdict."""
    from training.inference.scorers import load_scorer
    from training.inference.stream import find_frames, predict_frames

    extraction, segmentation = cutting(changes)
    loaded = load_scorer(model, backend.value, device.value)
    frames = find_frames(images, mask or (), layout, remark)
    steps = predict_frames(frames, loaded, out, extraction, segmentation)
    if len(frames) > 1:
        steps = progress(steps, len(frames), "frames")
    done = []
    for step in steps:
        done.append(step)
        if step.fault:
            remark(step.fault)
    found = [step.content for step in done]
    tell(found if as_json else {"verdicts": found}, as_json)
    if any(step.fault for step in done):
        raise typer.Exit(BAD_INPUT)
