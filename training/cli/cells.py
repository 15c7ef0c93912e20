"""Commands that make cells: simulate, extract."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.app import BAD_INPUT, app
from training.cli.options import Changes, Json, Layout, cutting, pairs
from training.cli.terminal import progress, remark, tell

if TYPE_CHECKING:
    from training.data.cells.folder import ExtractionProgress

NewFolder = Annotated[Path, typer.Argument(help="Folder to create.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same pixels.")]


@app.command()
def simulate(
    out: NewFolder,
    specimens: Annotated[int, typer.Option(min=1, help="Number of specimens.")] = 24,
    seed: Seed = 0,
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
def simulate_plates(
    out: NewFolder,
    plates: Annotated[int, typer.Option(min=1, help="Number of plates.")] = 1,
    seed: Seed = 0,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Simulate plates of patients and controls: frames, roles, and the truth.

    OUT/wells holds the frames and series.csv, as "specimens" reads them.
    """
    from training.config import PlateSettings
    from training.data.simulation.series import simulate_plates as make

    given = {"plates": str(plates), "seed": str(seed), **pairs(changes)}
    settings = PlateSettings.parse(given)
    steps = make(out, settings)
    made = list(progress(steps, settings.plates * settings.wells, "wells"))
    tell({"folder": str(out), "wells": len(made), "simulated": True}, as_json)


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

    Frames that cannot be read are named and left out; the exit code is then 2. In a
    folder with decisions these follow their nuclei; what does not is listed by
    "decisions pending".
    """
    from training.data.cells.folder import write_cell_folder
    from training.data.cells.pending import pending_decisions, pending_text
    from training.data.layouts import read_collection

    extraction, segmentation = cutting(changes)
    collection = read_collection(specimens, layout)
    remark(f"{collection.census}.", *collection.notes)
    steps = write_cell_folder(
        collection, out, extraction, segmentation, original_masks=original_masks
    )
    frames = sum(len(specimen.frames) for specimen in collection.specimens)
    done = list(progress(steps, frames, "frames"))
    faults = [str(step.fault) for step in done if step.fault]
    left_aside = [f"{step.frame}: {step.note}" for step in done if step.note]
    read_as = _read_as(done)
    pending = pending_decisions(out)
    waiting = [pending_text(pending)] if pending else []
    remark(*read_as, *left_aside, *faults, *waiting)
    tell(
        {
            "folder": str(out),
            "layout": collection.layout,
            "frames": len(done) - len(faults),
            "kept": sum(step.kept for step in done),
            "dropped": sum(step.dropped for step in done),
            "mended_masks": sum(step.mended for step in done),
            "read_as": read_as,
            "faults": faults,
            "held_back": [one.cell for one in pending if not one.is_asked],
            "asked": {
                one.cell: list(one.candidates) for one in pending if one.is_asked
            },
        },
        as_json,
    )
    if faults:
        raise typer.Exit(BAD_INPUT)


def _read_as(done: "list[ExtractionProgress]") -> list[str]:
    """Return what masks and frames were taken for, most frequent first."""
    from training.data.cells.extraction import in_one_line

    frames: Counter[tuple[str, ...]] = Counter()
    nuclei: Counter[tuple[str, ...]] = Counter()
    for step in done:
        if step.read_as and not step.fault:
            frames[step.read_as] += 1
            nuclei[step.read_as] += step.kept + step.dropped
    return [
        in_one_line(words, nuclei[words], number)
        for words, number in frames.most_common()
    ]
