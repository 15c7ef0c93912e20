"""A sheet of the cells of a review: what is drawn of them, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import SheetSettings
from training.curation.crop_measures import (
    descriptor_steps,
    distances,
    limit_steps,
    looks_steps,
)
from training.curation.filtering import (
    Choice,
    Said,
    choose,
    heading_count,
    heading_name,
)
from training.curation.ordering import (
    Heading,
    apart,
    own_patterns,
    votes_of,
)
from training.curation.review_set import ReviewSet, verdict_codes
from training.decisions.applied import STORE, hash_table
from training.decisions.model import REASONS
from training.decisions.store import Decision, DecisionStore, now
from training.errors import BadSettingError
from training.reports.sheets.drawing import BAD, CROSS, GOOD, TICK, Sheet, Tile
from training.reports.sheets.files import Written, check_name, write_sheet

PROGRAM = "napari-hep2"
USE = "research use only, not for diagnosis"
_NOBODY = "reviewer"
_CHUNK = 5000
CONTRASTS = {
    "cell": "each cell stretched between its percentiles 1 and 99.7",
    "specimen": "cells stretched between percentiles 1 and 99.7 of some cells of their "
    "specimen",
}


@dataclass(frozen=True)
class Shown:
    """Cells that a sheet shows.

    Attributes
    ----------
    choice
        By which `rows` were chosen and put in order.
    rows : (M,) int64
    headings
        Over the groups of `rows`; none where there is no group.
    limits : (specimens, 2) float64 or None
        Grey values shown black and white, in the order of the specimens; None
        stretches each cell by itself.
    reviewer, step
        Whose decisions stand on the cells, and after which step of the store.
    """

    said: Said
    choice: Choice
    rows: npt.NDArray[np.int64]
    headings: tuple[Heading, ...]
    limits: npt.NDArray[np.float64] | None
    reviewer: str
    step: int


def sheet_steps(
    path: Path,
    shown: Shown,
    settings: SheetSettings | None = None,
    clock: Callable[[], datetime] = now,
) -> Generator[float, None, Written]:
    """Write the sheet of some cells; the share done is yielded.

    Parameters
    ----------
    path
        PNG or PDF, see `training.reports.sheets.files.write_sheet`.

    Raises
    ------
    BadSettingError
        If there is no cell to show, or the file's name ends in something else.
    StorageError
        If it cannot be written.
    """
    check_name(path)
    if not len(shown.rows):
        words = shown.choice.filter_words(shown.said.review)
        raise BadSettingError(
            "sheet", f"no cell passes the filter ({words})", "choose others"
        )
    mark = yield from fingerprint_steps(shown.said.review)
    told = provenance(shown, mark, clock())
    sheet = make_sheet(shown, told)
    return (yield from write_sheet(path, sheet, told, settings or SheetSettings()))


def fingerprint_steps(review: ReviewSet) -> Generator[float, None, str]:
    """Return a hash of the crops and the table of some cells, before any decision."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{hash_table(review.table)} {review.crops.dtype.str}".encode())
    for start in range(0, len(review), _CHUNK):
        digest.update(review.crops[start : start + _CHUNK].tobytes())
        yield 0.0
    return digest.hexdigest()


def provenance(shown: Shown, mark: str, time: datetime) -> dict[str, Any]:
    """Return where the cells of a sheet came from, as JSON content.

    Names of folders are without their path, which may name a person.

    Parameters
    ----------
    mark
        As `fingerprint_steps` returns it.
    """
    review = shown.said.review
    return {
        "program": PROGRAM,
        "version": _version(),
        "made": time.isoformat(timespec="seconds"),
        "use": USE,
        "source": "cell folder" if review.is_folder else "frame",
        "name": review.title,
        "fingerprint": mark,
        "shown": len(shown.rows),
        "of": len(review),
        "filter": shown.choice.filter_words(review),
        "order": shown.choice.order_words(),
        "contrast": CONTRASTS["cell" if shown.limits is None else "specimen"],
        "decisions": _decision_words(shown),
        "reviewer": shown.reviewer,
        "step": shown.step,
        "choice": asdict(shown.choice),
    }


def _decision_words(shown: Shown) -> str:
    if not shown.step:
        return "none was made yet"
    stands = shown.said.decisions or shown.said.marks
    who = f"of {shown.reviewer}" if stands else f"none of {shown.reviewer}"
    return f"{who} after step {shown.step} of the store"


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "not installed"


def make_sheet(shown: Shown, told: dict[str, Any]) -> Sheet:
    """Return what is drawn, of the cells and of their `provenance`."""
    review, group = shown.said.review, shown.choice.group
    specimens = review.specimen_index[shown.rows]
    headings = [
        (
            one.start,
            f"{heading_name(review, group, one.key)}   {heading_count(group, one)}",
        )
        for one in shown.headings
    ]
    return Sheet(
        review.crops,
        shown.rows,
        [_tile(shown.said, int(row)) for row in shown.rows],
        headings,
        None if shown.limits is None else shown.limits[specimens],
        f"{told['shown']:,} of {told['of']:,} cells of {told['name']}: "
        f"{told['filter']}",
        _lines(told),
        review.vocabulary,
    )


def _lines(told: dict[str, Any]) -> list[str]:
    what = f"{told['shown']:,} of {told['of']:,} cells"
    source = f"{told['source']} {told['name']}, fingerprint {told['fingerprint']}"
    return [
        f"Cells: {what} of the {source}.",
        f"Filter: {told['filter']}. Order: {told['order']}.",
        f"Decisions: {told['decisions']}.",
        f"Contrast: {told['contrast']}, for display only.",
        f"Made by {told['program']} {told['version']}, {told['made']}.",
    ]


def _tile(said: Said, row: int) -> Tile:
    review = said.review
    cell, own = str(review.ids[row]), int(said.own[row])
    decision, mark = said.decisions.get(cell), said.marks.get(cell)
    words, letter, colour = _verdict(review, row, decision)
    rejected = letter == CROSS or (bool(review.dropped[row]) and not letter)
    return Tile(
        cell,
        review.specimen_names[review.specimen_index[row]],
        words,
        review.vocabulary[own] if own >= 0 else None,
        letter,
        colour,
        mark is not None and mark.flagged,
        rejected,
    )


def _verdict(
    review: ReviewSet, row: int, decision: Decision | None
) -> tuple[str, str, str]:
    """Return a decision in a word, its mark and the colour of that."""
    if decision is None or decision.verdict == "cleared":
        why = str(review.table["dropped"].iloc[row])
        return (f"dropped: {why}" if why else "undecided"), "", GOOD
    if decision.verdict == "rejected":
        why = decision.reason or ""
        return REASONS.get(why, why) or "rejected", CROSS, BAD
    if decision.verdict == "accepted":
        return "accepted", TICK, GOOD
    pattern = review.vocabulary[review.vocabulary.index(decision.pattern or "")]
    return f"given {pattern.name}", pattern.letter, pattern.colour


# -- from a cell folder


def read_said(
    review: ReviewSet, reviewer: str = "", step: int | None = None
) -> tuple[Said, str, int]:
    """Return what stands of the cells of a cell folder, whose it is and after what.

    Parameters
    ----------
    review
        The folder of its decisions is its `store`.
    reviewer
        May be left out where one alone has decided.
    step
        As it stood after this step; None takes it as it stands now.

    Raises
    ------
    BadSettingError
        If there are several reviewers and none is named, or no such step.
    """
    path = review.store / STORE if review.store else None
    if path is None or not path.is_file():
        if step:
            raise BadSettingError(
                f"step {step}", "there are no decisions yet", "omit it"
            )
        codes = np.zeros(len(review), np.int8)
        return Said(review, codes, {}, {}), reviewer or _NOBODY, 0
    with DecisionStore(path, reviewer or _NOBODY) as store:
        name = _who(store, reviewer)
        last = store.last_step
        if step is not None and not 0 <= step <= last:
            raise BadSettingError(
                f"step {step}", f"the last is {last}", "give that or less"
            )
        at = last if step is None else step
        others = [store.at(at, one) for one in store.reviewers() if one != name]
        decisions, marks = store.at(at, name), store.marks(name, at)
    codes = verdict_codes(review, decisions)
    own = own_patterns(review, codes, decisions)
    found = apart(review, codes, own, votes_of(review, others))
    return Said(review, codes, decisions, marks, found), name, at


def _who(store: DecisionStore, reviewer: str) -> str:
    names = store.reviewers()
    if not reviewer and len(names) > 1:
        known = ", ".join(names)
        raise BadSettingError(
            "sheet", f"there are {len(names)} reviewers", f"name one of {known}"
        )
    return reviewer or (names[0] if names else _NOBODY)


def shown_steps(
    review: ReviewSet,
    choice: Choice,
    contrast: str = "cell",
    reviewer: str = "",
    step: int | None = None,
) -> Generator[float, None, Shown]:
    """Choose cells of a cell folder as the gallery does; the share done is yielded.

    Parameters
    ----------
    contrast : {'cell', 'specimen'}
    reviewer, step
        As in `read_said`.

    Raises
    ------
    BadSettingError
        If the choice names what is not there, or an order that needs scores.
    """
    _check_choice(review, choice)
    said, name, at = read_said(review, reviewer, step)
    measures: dict[str, npt.NDArray[Any]] = {}
    if choice.sort in ("focus", "brightness"):
        measures |= yield from looks_steps(review.crops)
    elif choice.sort == "similarity":
        described = yield from descriptor_steps(review.crops)
        measures["similarity"] = distances(described, review.row_of[choice.like])
    limits = None
    if contrast == "specimen":
        limits = yield from limit_steps(review.crops, review.specimen_index)
    rows, headings = choose(said, choice, measures)
    return Shown(said, choice, rows, headings, limits, name, at)


def _check_choice(review: ReviewSet, choice: Choice) -> None:
    if choice.specimen and choice.specimen not in review.specimen_names:
        raise BadSettingError(
            f"specimen {choice.specimen}", f"{review.title} has no such", "check it"
        )
    if choice.sort == "similarity" and choice.like not in review.row_of:
        raise BadSettingError(
            f"cell {choice.like or 'without a name'}",
            f"{review.title} has no such",
            "name the cell that the others are compared with",
        )
    if choice.filter == "proposed" or choice.group == "reason":
        raise BadSettingError(
            "proposed rejections",
            "a cell folder does not have them",
            "list them with: hep2 quality CELLS",
        )
    if choice.sort in ("uncertainty", "suspicion"):
        raise BadSettingError(
            f"order by {choice.sort}",
            "it needs scores, which a cell folder does not have",
            "make this sheet in Review cells, where a run is loaded",
        )
