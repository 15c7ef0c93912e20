"""The command that draws cells of a cell folder on a picture sheet: sheet."""

from collections.abc import Collection, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from training.cli.app import app
from training.cli.options import Changes, Json, pairs
from training.cli.terminal import progress, tell
from training.errors import BadSettingError

if TYPE_CHECKING:
    from training.curation.review_set import ReviewSet
    from training.reports.sheets.files import Written

T = TypeVar("T")


@app.command()
def sheet(
    cells: Annotated[Path, typer.Argument(help="A cell folder.")],
    *,
    out: Annotated[Path, typer.Option(help="Picture to write: .png or .pdf.")],
    which: Annotated[
        str,
        typer.Option(
            "--filter",
            help="all, undecided, mine (decided by the reviewer), disagreed (no "
            "consensus), settled (consensus), flagged, accepted, rejected, relabelled "
            "or dropped.",
        ),
    ] = "all",
    pattern: Annotated[str, typer.Option(help="Only cells of this pattern.")] = "",
    specimen: Annotated[str, typer.Option(help="Only cells of this specimen.")] = "",
    reason: Annotated[
        str,
        typer.Option(
            help="Only cells rejected for this reason: focus, merged, cut, mitotic, "
            "debris, dim or other."
        ),
    ] = "",
    sort: Annotated[
        str, typer.Option(help="Sort by order, size, focus, brightness or similarity.")
    ] = "order",
    like: Annotated[
        str, typer.Option(help="Id of the cell to sort by similarity to.")
    ] = "",
    descending: Annotated[
        bool, typer.Option("--descending", help="Reverse the order.")
    ] = False,
    group: Annotated[
        str, typer.Option(help="Group by none, specimen, pattern or decision.")
    ] = "none",
    contrast: Annotated[
        str, typer.Option(help="Stretch the contrast for display per cell or specimen.")
    ] = "cell",
    reviewer: Annotated[
        str, typer.Option(help="Reviewer of the decisions; required where several are.")
    ] = "",
    as_of: Annotated[
        int | None, typer.Option(min=0, help="Show the decisions as of this step.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Folder of the decisions; default: the cell folder."),
    ] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Draw the cells that pass a filter, with captions and provenance.

    The provenance is printed below the cells and stored in the file. More than about
    500 cells take several pages: one PDF, or one PNG a page.
    """
    from training.config import SheetSettings
    from training.curation.filtering import FILTERS, GROUPS, SORTS, Choice
    from training.decisions.model import REASONS
    from training.reports.sheets.files import check_name
    from training.reports.sheets.making import CONTRASTS, sheet_steps, shown_steps

    settings = SheetSettings.parse(pairs(changes))
    check_name(out)
    review = _review(cells, decisions or cells)
    choice = Choice(
        _one_of("filter", which, FILTERS),
        _pattern(review.vocabulary.index(pattern, "--pattern")) if pattern else None,
        specimen,
        _one_of("reason", reason, REASONS) if reason else "",
        _one_of("sort", sort, SORTS),
        descending,
        _one_of("group", group, GROUPS),
        like,
    )
    contrast = _one_of("contrast", contrast, CONTRASTS)
    steps = shown_steps(review, choice, contrast, reviewer, as_of)
    shown = _drawn(steps, "% of cells read")
    made = _drawn(sheet_steps(out, shown, settings), "% of cells drawn")
    _tell_sheet(made, review.ids[shown.rows].tolist(), as_json)


def _review(cells: Path, decisions: Path) -> "ReviewSet":
    """Return the cells of a folder under review, with the decisions of another."""
    from training.curation.review_set import review_of_folder
    from training.data.cells.folder import read_cell_folder

    review = review_of_folder(cells, read_cell_folder(cells))
    return replace(review, store=decisions)


def _tell_sheet(made: "Written", cells: list[str], as_json: bool) -> None:
    """Print what was written and where it came from."""
    told = {**made.provenance, "pages": made.pages}
    if as_json:
        files = [str(path) for path in made.files]
        tell({"sheet": files, **told, "cells": cells}, as_json)
        return
    words = ("shown", "of", "filter", "order", "contrast", "decisions", "pages")
    answer: dict[str, Any] = {"sheet": ", ".join(map(str, made.files))}
    tell(answer | {word: told[word] for word in words}, as_json)


def _pattern(index: int) -> Any:
    from training.curation.ordering import PatternChoice

    return PatternChoice("own", index)


def _one_of(option: str, word: str, known: Collection[str]) -> Any:
    if word not in known:
        raise BadSettingError(
            f"--{option} {word}",
            "there is no such choice",
            f"use one of {', '.join(known)}",
        )
    return word


def _drawn(steps: Generator[float, None, T], unit: str) -> T:
    """Exhaust steps that yield the share done, draw it, and return what they do."""
    result: list[T] = []

    def percents() -> Generator[int, None, None]:
        at = 0
        while True:
            try:
                reached = int(100 * next(steps))
            except StopIteration as end:
                result.append(end.value)
                return
            yield from range(at, reached)
            at = max(at, reached)

    for _ in progress(percents(), 100, unit):
        pass
    return result[0]
