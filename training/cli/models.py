"""Commands on models: fit, predict."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.app import app
from training.cli.options import (
    Changes,
    Data,
    Device,
    DeviceOption,
    Epochs,
    Extra,
    Json,
    Layout,
    cutting,
    pairs,
)
from training.errors import BadSettingError
from training.terminal import progress, tell


@app.command()
def fit(
    experiment: Annotated[str, typer.Argument(help="See: python -m training list.")],
    data: Data,
    extra: Extra = None,
    *,
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
    from training.config import NetworkSettings
    from training.execution import load_cells
    from training.experiments import configure
    from training.models import fit_model
    from training.reports import measured_sentence
    from training.runs import RunFolder

    given = pairs(changes) | ({"epochs": str(epochs)} if epochs else {})
    config = configure(
        experiment,
        str(data),
        extra=str(extra) if extra else "",
        layout=layout,
        changes=given,
    )
    if not isinstance(config.classifier, NetworkSettings):
        raise BadSettingError(
            experiment, "a model file holds networks only", "fit a network, as set-1"
        )
    cells, _ = load_cells(config)
    figures = (
        measured_sentence(RunFolder.open(measured)) if measured else "not measured"
    )
    records = fit_model(
        out.stem,
        cells,
        config.classifier,
        out,
        config.training_set,
        seed=config.protocol.seed,
        device=device.value,
        measured=figures,
    )
    list(progress(records, config.classifier.epochs, "epochs"))
    card = read_card(out.with_suffix(".json"))
    left_out = {"classifier", "training_set", "format"}
    tell(card.model_dump(mode="json", exclude=left_out), as_json)


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
    extraction, segmentation = cutting(changes)
    loaded = load_model(model, device.value)
    verdicts = []
    for image, its_mask in zip(images, masks, strict=True):
        frame = Frame(image.stem, image, its_mask)
        cells = extract_frame(frame, extraction, segmentation)
        prediction = classify_frame(cells, loaded)
        export_prediction(prediction, out)
        verdicts.append(verdict_content(prediction))
    tell(verdicts if as_json else {"verdicts": verdicts}, as_json)
