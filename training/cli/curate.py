"""Commands for the curator: quality, copies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.app import app
from training.cli.options import Changes, Json, Layout, pairs
from training.terminal import console, progress, tell

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
    """Measure the quality of every cell, and propose which to reject and why.

    Nothing is decided: the proposals are reviewed in the window.
    """
    from training.config import QualitySettings
    from training.data.cell_folder import read_cell_folder
    from training.data.nucleus_masks import nucleus_masks
    from training.data.proposals import propose_rejections
    from training.data.quality import measure_quality_parts

    limits = QualitySettings.parse(pairs(changes))
    folder = read_cell_folder(cells)
    layout = folder.source["layout"]
    masks = nucleus_masks(folder.crops, folder.table, folder.root, layout)
    steps = measure_quality_parts(folder.crops, masks, folder.table)
    measured = _joined(_drawn(steps, "% of cells measured"))
    proposed = propose_rejections(measured, limits, folder.table)
    if masks.made:
        console.print(f"{masks.made} masks were made from the crops", highlight=False)
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
    data: Annotated[Path, typer.Argument(help="A cell folder, or any layout.")],
    out: Out = None,
    within: Annotated[
        bool, typer.Option("--within", help="Look inside specimens too.")
    ] = False,
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """List pairs of cells of two specimens that show nearly the same picture.

    In any of the eight rotations and mirrors, moved by a few pixels, brighter or
    dimmer. Cells are looked at as training packs them.
    """
    from training.config import NearCopySettings
    from training.data.near_copies import VIEWS, in_order, near_copies_parts
    from training.data.packed_cells import load_cell_set
    from training.errors import SpecimensError

    limits = NearCopySettings.parse(pairs(changes))
    cells = load_cell_set(data, layout=layout)
    if not (within or cells.has_specimens):
        raise SpecimensError(
            data, "some cells have no specimen", "name them, or look with --within"
        )
    for note in cells.notes:
        console.print(note, highlight=False)
    steps = near_copies_parts(cells.images, None if within else cells.specimens, limits)
    found = in_order(_drawn(steps, "% of pairs looked at"))
    first, second = found["first"].to_numpy(), found["second"].to_numpy()
    table = found.assign(
        first=cells.ids[first],
        second=cells.ids[second],
        first_specimen=cells.specimens[first],
        second_specimen=cells.specimens[second],
        view=[VIEWS[view] for view in found["view"]],
    )
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
        print(
            f"{pair.first} of {pair.first_specimen} and {pair.second} of "
            f"{pair.second_specimen}: {pair.correlation:.3f}, {pair.view}"
        )


def _drawn(steps: Any, unit: str) -> "list[pd.DataFrame]":
    """Exhaust (share, part) and draw the share; return the parts."""
    parts, at = [], 0

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
    """Write a CSV that a spreadsheet takes for words and numbers."""
    from training.data.images import write_text
    from training.data.layouts.tables import safe_word

    safe = table.copy()
    for name in safe.select_dtypes(exclude="number"):
        safe[name] = safe[name].fillna("").map(safe_word)
    write_text(path, safe.to_csv(index=False, float_format="%.6g"))
