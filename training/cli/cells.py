"""Commands that make cells: simulate, extract."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from training.cli.app import BAD_INPUT, app
from training.cli.options import Changes, Json, Layout, cutting, pairs
from training.cli.terminal import console, progress, tell


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to create.")],
    specimens: Annotated[int, typer.Option(min=1, help="Number of specimens.")] = 24,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same pixels.")
    ] = 0,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Simulate specimens: frames, masks and ground truth, in the Task-2 layout."""
    from training.config import SimulationSettings
    from training.data.simulation import simulate as make

    given = {"specimens": str(specimens), "seed": str(seed), **pairs(changes)}
    settings = SimulationSettings.parse(given)
    made = list(progress(make(out, settings), specimens, "specimens"))
    tell({"folder": str(out), "specimens": len(made), "simulated": True}, as_json)


@app.command()
def extract(
    specimens: Annotated[Path, typer.Argument(help="Folder of specimens.")],
    out: Annotated[Path, typer.Option(help="Cell folder to create.")],
    layout: Layout = "auto",
    original_masks: Annotated[
        bool, typer.Option("--original-masks", help="Ignore edited masks.")
    ] = False,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Cut a 77 x 77 crop around each nucleus, with a reason for each cell dropped.

    Frames that cannot be read are named and left out; the exit code is then 2.
    """
    from training.data.cells.folder import write_cell_folder
    from training.data.layouts import read_collection

    extraction, segmentation = cutting(changes)
    collection = read_collection(specimens, layout)
    steps = write_cell_folder(
        collection, out, extraction, segmentation, original_masks=original_masks
    )
    frames = sum(len(specimen.frames) for specimen in collection.specimens)
    done = list(progress(steps, frames, "frames"))
    faults = [str(step.fault) for step in done if step.fault]
    left_aside = [f"{step.frame}: {step.note}" for step in done if step.note]
    census = f"{collection.census}."
    assumed = _counted(
        note for step in done for note in step.notes if note != step.note
    )
    for note in (census, *collection.notes, *left_aside, *assumed, *faults):
        console.print(note, highlight=False, soft_wrap=True, markup=False)
    tell(
        {
            "folder": str(out),
            "layout": collection.layout,
            "frames": len(done) - len(faults),
            "kept": sum(step.kept for step in done),
            "dropped": sum(step.dropped for step in done),
            "mended_masks": sum(step.mended for step in done),
            "faults": faults,
        },
        as_json,
    )
    if faults:
        raise typer.Exit(BAD_INPUT)


def _counted(notes: Iterable[str]) -> list[str]:
    """Return a line for each note, with the number of frames that it is said of."""
    counts = Counter(notes)
    return [f"{n} frame{'s' * (n > 1)}: {note}." for note, n in counts.items()]
