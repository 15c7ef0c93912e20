"""Commands for the curator: quality, copies, views."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.app import app
from training.cli.options import Changes, Device, DeviceOption, Json, Layout, pairs
from training.cli.terminal import console, progress, show_line, tell

if TYPE_CHECKING:
    import pandas as pd

Out = Annotated[Path | None, typer.Option("--out", help="CSV file to write.")]


@app.command()
def quality(
    cells: Annotated[Path, typer.Argument(help="A cell folder.")],
    out: Out = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Measure the quality of every cell and propose rejections, with reasons.

    No decision is made: review the proposals in Review cells.
    """
    from training.config import QualitySettings
    from training.curation.proposals import propose_rejections
    from training.curation.quality import measure_quality_parts
    from training.data.cells.folder import read_cell_folder
    from training.data.cells.masks import nucleus_masks

    limits = QualitySettings.parse(pairs(changes))
    folder = read_cell_folder(cells)
    layout = str(folder.source.get("layout", "auto"))
    masks = nucleus_masks(folder.crops, folder.table, folder.root, layout)
    steps = measure_quality_parts(folder.crops, masks, folder.table)
    measured = _joined(_drawn(steps, "% of cells measured"))
    proposed = propose_rejections(measured, limits, folder.table)
    if masks.made:
        console.print(f"{masks.made} masks were made from the crops")
    names = folder.table[["id", "specimen", "frame", "dropped"]]
    if out is not None:
        wanted = proposed.set_index("row")[["reason", "why"]]
        _write_table(out, names.join(measured).join(wanted))
    answer: dict[str, Any] = {
        "cells": len(measured),
        "dropped": int((names["dropped"] != "").sum()),
        "masks_made": masks.made,
        "proposed": len(proposed),
        "reasons": proposed["reason"].value_counts().sort_index().to_dict(),
    }
    if as_json:
        ids = proposed["row"].map(names["id"])
        answer["proposals"] = proposed.assign(cell=ids).to_dict("records")
    tell(answer, as_json)


@app.command()
def copies(
    data: Annotated[
        Path, typer.Argument(help="Cell folder, or a data folder in any layout.")
    ],
    out: Out = None,
    within: Annotated[
        bool, typer.Option("--within", help="Also compare cells of the same specimen.")
    ] = False,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """List near copies: pairs of cells of two specimens with almost the same picture.

    Cells are compared in all eight orientations, shifted by a few pixels, brighter or
    dimmer. Only cells that training would use are compared.
    """
    from training.config import NearCopySettings
    from training.curation.named_copies import cells_to_compare, named_copies
    from training.curation.near_copies import VIEWS, in_order

    limits = NearCopySettings.parse(pairs(changes))
    cells = cells_to_compare(data, layout)
    for note in cells.notes:
        console.print(note)
    steps = named_copies(data, cells, within, limits)
    found = in_order(_drawn(steps, "% of pairs compared"))
    table = found.assign(view=[VIEWS[view] for view in found["view"]])
    if out is not None:
        _write_table(out, table)
    _tell_pairs(len(cells), table, as_json)


def _tell_pairs(cells: int, table: "pd.DataFrame", as_json: bool) -> None:
    answer = {"cells": cells, "pairs": len(table)}
    if as_json:
        tell({**answer, "copies": table.to_dict("records")}, as_json)
        return
    tell(answer, as_json)
    for pair in table.itertuples(index=False):
        show_line(
            f"{pair.first} of {pair.first_specimen} and {pair.second} of "
            f"{pair.second_specimen}: {pair.correlation:.3f}, {pair.view}"
        )


@app.command()
def views(
    cells: Annotated[Path, typer.Argument(help="A cell folder.")],
    model: Annotated[
        Path, typer.Option(help="Model that scores the cells: NAME.safetensors.")
    ],
    out: Out = None,
    top: Annotated[int, typer.Option(min=1, help="Number of cells to list.")] = 20,
    device: DeviceOption = Device.auto,
    as_json: Json = False,
) -> None:
    """Rank cells by how much a model's scores vary over their eight orientations.

    A cell has no up or down, so a reliable model scores all orientations alike.
    """
    from training.data.cells.folder import read_cell_folder
    from training.inference.orientation_spread import spread_in_views
    from training.inference.scorers import load_scorer

    folder = read_cell_folder(cells)
    scorer = load_scorer(model, device=device.value)
    specimens = folder.table["specimen"].fillna("").to_numpy(dtype=object)
    steps = spread_in_views(scorer, folder.crops, specimens)
    *_, found = _drawn(_with_last(steps), "% of cells scored")
    table = folder.table[["id", "specimen"]].assign(
        view_spread=found.spread, model_saw_specimen=found.seen
    )
    if out is not None:
        words = table["model_saw_specimen"].map({True: "yes", False: "no"})
        _write_table(out, table.assign(model_saw_specimen=words))
    table = table.sort_values("view_spread", ascending=False, kind="stable")
    if as_json:
        rows = table.head(top).to_dict("records")
        tell({"cells": len(table), "seen": int(found.seen.sum()), "queue": rows}, True)
        return
    for row in table.head(top).itertuples(index=False):
        show_line(
            f"{row.id} (specimen {row.specimen}): orientations differ "
            f"{row.view_spread:.2f}"
        )
    if found.seen.any():
        show_line(
            f"the model trained on the specimens of {int(found.seen.sum())} cells"
        )


def _with_last(steps: Any) -> Any:
    """Yield (share, result) of a generator of shares, the result once at its end."""
    while True:
        try:
            yield next(steps), None
        except StopIteration as end:
            yield 1.0, end.value
            return


def _drawn(steps: Any, unit: str) -> list[Any]:
    """Exhaust (share, part) and draw the share; return the parts."""
    parts: list[Any] = []
    at = 0

    def percents() -> Any:
        nonlocal at
        for share, part in steps:
            parts.append(part)
            reached = int(100 * share)
            yield from range(at, reached)
            at = reached

    for _ in progress(percents(), 100, unit):
        pass
    return parts


def _joined(parts: "list[pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(parts)


def _write_table(path: Path, table: "pd.DataFrame") -> None:
    from training.storage.csv_tables import csv_of
    from training.storage.writing import write_text

    write_text(path, csv_of(table))
