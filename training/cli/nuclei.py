"""Commands on nuclei: fit the network that finds them."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.app import app
from training.cli.options import Changes, Json, pairs
from training.cli.terminal import progress, tell


@app.command()
def fit_nuclei(
    fields: Annotated[
        Path, typer.Argument(help="Folder of NAME.png with NAME_labels.png.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, NAME.safetensors.")],
    origin: Annotated[
        str, typer.Option(help="Source and licence of the fields, for the card.")
    ] = "not stated",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Fit the network that finds nuclei, on given and on simulated fields.

    A third of the fields, and sizes of few fields, are held out; a sixth is for the
    choice of thresholds. `python tests/benchmarks/nuclei.py` measures on what is held
    out.
    """
    from training.config import NucleusFitSettings
    from training.config.commands import command_line
    from training.models.nuclei.making import fit_nuclei as fit
    from training.storage.reading import read_json

    settings = NucleusFitSettings.parse(pairs(changes))
    line = command_line(
        "fit-nuclei", fields.name, out=out.name, origin=origin, changed=[settings]
    )
    list(progress(fit(fields, out, settings, origin, line), settings.steps, "steps"))
    tell(read_json(out.with_suffix(".json")), as_json)
