"""Pages of tiles with captions, headings, a legend and a footer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from training.config import SheetSettings
from training.curation.crop_measures import stretched
from training.patterns import Pattern, Vocabulary
from training.shown_words import shown

PAPER, INK, DIM, BOARD = "#ffffff", "#161616", "#5a5a5a", "#e4e6ea"
GOOD, BAD, FLAG = "#009e73", "#d55e00", "#f0e442"
TICK, CROSS = "\u2713", "\u2717"
_VEIL = 0.45
_MARGIN, _GAP, _HEADING = 24, 8, 30
_LINE, _CAPTION_LINES = 13, 3
_DARK_INK_FROM = 140
_CAPTION_MIN = 90
"""Width of a caption, which takes an id of 13 letters."""
_FEW = 100
"""Up to so many cells are drawn at twice their size."""


@dataclass(frozen=True)
class Tile:
    """Contents of one cell's tile, on and below the picture.

    Attributes
    ----------
    cell, specimen, words
        The lines below it: its id, its specimen, and its decision in words.
    pattern
        The pattern that the cell counts as, or None.
    mark
        A tick, a cross, or the letter of the pattern it was given; '' without one.
    mark_colour
        ``#rrggbb``.
    veiled
        Whether it is rejected or dropped, and drawn dimmer.
    """

    cell: str
    specimen: str
    words: str
    pattern: Pattern | None = None
    mark: str = ""
    mark_colour: str = GOOD
    flagged: bool = False
    veiled: bool = False


@dataclass(frozen=True)
class Sheet:
    """Cells to be drawn, in order, and all that is said of them together.

    Attributes
    ----------
    crops : (N, S, S) uint8 or uint16
        May be memory-mapped; `rows` tells which are drawn.
    rows : (M,) int64
    tiles
        One a row.
    headings
        Place of its first cell and text of each group; none for one without heading.
    limits : (M, 2) float64 or None
        Grey values shown black and white; None stretches each cell by itself.
    title
        What stands on top of every page.
    lines
        What the footer says: the provenance in words.
    """

    crops: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]
    tiles: Sequence[Tile]
    headings: Sequence[tuple[int, str]]
    limits: npt.NDArray[np.float64] | None
    title: str
    lines: Sequence[str]
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Place:
    """Position of a heading (`text`) or a tile (`index`) on a page, in pixels."""

    x: int
    y: int
    index: int = -1
    text: str = ""


@dataclass(frozen=True)
class Page:
    """One page: what stands on it, and the height that this takes."""

    places: tuple[Place, ...]
    height: int

    @property
    def cells(self) -> tuple[int, ...]:
        """The places in the sheet of the cells on this page."""
        return tuple(place.index for place in self.places if place.index >= 0)


def scale_of(sheet: Sheet, settings: SheetSettings) -> int:
    """Return how many pixels a pixel of a crop is wide."""
    return settings.scale or (2 if len(sheet.rows) <= _FEW else 1)


def lay_out(sheet: Sheet, settings: SheetSettings) -> list[Page]:
    """Lay the cells of a sheet out on pages, in reading order, groups on new lines."""
    side = sheet.crops.shape[1] * scale_of(sheet, settings)
    step = max(side, _CAPTION_MIN) + _GAP
    tall = side + _CAPTION_LINES * _LINE + _GAP
    columns = max(1, (settings.width - 2 * _MARGIN + _GAP) // step)
    room = settings.height - _above() - _below(sheet, settings)
    pages: list[Page] = []
    places: list[Place] = []
    y = 0

    def turn() -> None:
        nonlocal places, y
        pages.append(Page(tuple(places), y))
        places, y = [], 0

    starts = [*sheet.headings] or [(0, "")]
    ends = [start for start, _ in starts[1:]] + [len(sheet.rows)]
    for (start, text), end in zip(starts, ends, strict=True):
        above = _HEADING if text else 0
        if places and y + above + tall > room:
            turn()
        y = _head(places, y, text)
        for first in range(start, end, columns):
            if places and y + tall > room and first > start:
                turn()
                y = _head(places, y, f"{text} (continued)" if text else "")
            some = range(first, min(first + columns, end))
            places += [Place(_MARGIN + step * k, y, i) for k, i in enumerate(some)]
            y += tall
    turn()
    return pages


def _head(places: list[Place], y: int, text: str) -> int:
    """Put a heading at `y`, where there is one; return where the tiles begin."""
    if not text:
        return y
    places.append(Place(_MARGIN, y, text=text))
    return y + _HEADING


def draw_page(
    sheet: Sheet, page: Page, number: tuple[int, int], settings: SheetSettings
) -> Iterator[Image.Image | None]:
    """Draw one page, a tile a step: None for each, then the page.

    Parameters
    ----------
    number
        Of the page, from 1, and how many there are.
    """
    height = _above() + page.height + _below(sheet, settings)
    picture = Image.new("RGB", (settings.width, height), PAPER)
    pen = ImageDraw.Draw(picture)
    _draw_top(pen, sheet)
    scale = scale_of(sheet, settings)
    for place in page.places:
        x, y = place.x, place.y + _above()
        if place.index < 0:
            _draw_heading(pen, settings.width, y, place.text)
        else:
            _draw_tile(picture, pen, sheet, place.index, (x, y), scale)
            yield None
    _draw_footer(pen, sheet, _above() + page.height, number, settings)
    yield picture


# -- parts of a page


def _above() -> int:
    return _MARGIN + 30 + 28


def _draw_top(pen: ImageDraw.ImageDraw, sheet: Sheet) -> None:
    pen.text((_MARGIN, _MARGIN - 6), shown(sheet.title), INK, font(22, bold=True))
    x, y = _MARGIN, _MARGIN + 27
    for pattern in sheet.vocabulary:
        x = _legend(pen, x, y, pattern.letter, pattern.colour, pattern.title)
    x = _legend(pen, x + 12, y, TICK, GOOD, "accepted")
    x = _legend(pen, x, y, CROSS, BAD, "rejected")
    said = (
        "letter at the upper right: relabelled as that pattern; dimmed: rejected "
        "or dropped;"
    )
    pen.text((x, y), said, DIM, font(13))
    x += round(font(13).getlength(said)) + 10
    _draw_flag(pen, x, y)
    pen.text((x + 16, y), "flagged", DIM, font(13))


def _legend(
    pen: ImageDraw.ImageDraw, x: int, y: int, letter: str, colour: str, text: str
) -> int:
    _draw_chip(pen, (x, y), 16, letter, colour)
    pen.text((x + 21, y), text, DIM, font(13))
    return x + 21 + round(font(13).getlength(text)) + 14


def _draw_heading(pen: ImageDraw.ImageDraw, width: int, y: int, text: str) -> None:
    pen.rectangle((_MARGIN, y, width - _MARGIN, y + _HEADING - 7), BOARD)
    pen.text((_MARGIN + 8, y + 3), shown(text), INK, font(15, bold=True))


def _draw_tile(
    picture: Image.Image,
    pen: ImageDraw.ImageDraw,
    sheet: Sheet,
    index: int,
    at: tuple[int, int],
    scale: int,
) -> None:
    tile, (x, y) = sheet.tiles[index], at
    crop = sheet.crops[sheet.rows[index]]
    limits = None if sheet.limits is None else sheet.limits[index]
    grey = stretched(crop, None if limits is None else (limits[0], limits[1]))
    if tile.veiled:
        grey = (grey * _VEIL).astype(np.uint8)
    # No grey value is made up: a pixel becomes a square of pixels.
    picture.paste(Image.fromarray(np.kron(grey, np.ones((scale, scale), np.uint8))), at)
    side = crop.shape[0] * scale
    if tile.mark:
        pen.rectangle((x, y, x + side - 1, y + 2), tile.mark_colour)
        _draw_chip(pen, (x + side - 19, y + 4), 16, tile.mark, tile.mark_colour)
    if tile.flagged:
        _draw_flag(pen, x + 4, y + 5)
    _draw_caption(pen, tile, (x, y + side + 1), max(side, _CAPTION_MIN))


def _draw_caption(
    pen: ImageDraw.ImageDraw, tile: Tile, at: tuple[int, int], width: int
) -> None:
    x, y = at
    small = font(10)
    # The end of an id tells cells apart: what it has in common stands before.
    name = shortened(shown(tile.cell)[::-1], width, small)[::-1]
    specimen = shown(tile.specimen)
    pen.text((x, y), name, INK, small)
    indent = 0
    if tile.pattern is not None:
        _draw_chip(pen, (x, y + _LINE), 12, tile.pattern.letter, tile.pattern.colour)
        indent = 16
    words = shortened(f"specimen {specimen}", width - indent, small)
    if words.endswith("\u2026"):
        words = shortened(specimen, width - indent, small)
    pen.text((x + indent, y + _LINE), words, INK, small)
    pen.text((x, y + 2 * _LINE), shortened(shown(tile.words), width, small), DIM, small)


def _draw_chip(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], side: int, letter: str, colour: str
) -> None:
    x, y = at
    pen.rounded_rectangle((x, y, x + side, y + side), 3, colour)
    middle = (x + side / 2, y + side / 2)
    pen.text(middle, letter, _ink_on(colour), font(side - 4, bold=True), anchor="mm")


def _draw_flag(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    pen.rectangle((x, y, x + 11, y + 7), FLAG, INK)
    pen.rectangle((x, y, x + 2, y + 14), FLAG, INK)


def _ink_on(colour: str) -> str:
    """Return black or white, whichever is read better on ``#rrggbb``."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > _DARK_INK_FROM
    return INK if bright else PAPER


# -- the footer


def _footer_lines(sheet: Sheet, settings: SheetSettings) -> list[str]:
    room = int((settings.width - 2 * _MARGIN) / font(14).getlength("n"))
    return [part for line in sheet.lines for part in textwrap.wrap(shown(line), room)]


def _below(sheet: Sheet, settings: SheetSettings) -> int:
    return _MARGIN + 19 * (len(_footer_lines(sheet, settings)) + 1) + 12


def _draw_footer(
    pen: ImageDraw.ImageDraw,
    sheet: Sheet,
    y: int,
    number: tuple[int, int],
    settings: SheetSettings,
) -> None:
    pen.line((_MARGIN, y + 4, settings.width - _MARGIN, y + 4), DIM)
    y += 10
    for line in _footer_lines(sheet, settings):
        pen.text((_MARGIN, y), line, INK, font(14))
        y += 19
    page = "Page {} of {}. ".format(*number)
    words = f"{page}Research use only, not for diagnosis."
    pen.text((_MARGIN, y), words, INK, font(14, bold=True))


@lru_cache(16)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the sans serif that comes with matplotlib, which has many scripts."""
    import matplotlib as mpl

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/{name}", size)


@lru_cache(4096)
def shortened(text: str, width: int, small: ImageFont.FreeTypeFont) -> str:
    """Return a text that is at most `width` pixels wide, cut with an ellipsis."""
    if small.getlength(text) <= width:
        return text
    while text and small.getlength(f"{text}\u2026") > width:
        text = text[:-1]
    return f"{text}\u2026"
