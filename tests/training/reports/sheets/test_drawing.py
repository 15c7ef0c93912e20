"""Where tiles stand on pages, and what is drawn there."""

import numpy as np
import pytest

from training.config import SheetSettings
from training.curation.crop_measures import stretched
from training.patterns import I3A
from training.reports.sheets.drawing import (
    BAD,
    CROSS,
    Sheet,
    Tile,
    draw_page,
    font,
    lay_out,
    scale_of,
    shortened,
)


def sheet(n, headings=(), side=77, limits=None, **tile):
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 200, (n, side, side)).astype(np.uint8)
    tiles = [Tile(f"c{k}", "1", "undecided", I3A[k % 6], **tile) for k in range(n)]
    rows = np.arange(n)[::-1].copy()
    return Sheet(crops, rows, tiles, headings, limits, "title", ["a line"], I3A)


def drawn(one, settings, page=0):
    pages = lay_out(one, settings)
    steps = list(draw_page(one, pages[page], (page + 1, len(pages)), settings))
    return pages[page], np.asarray(steps[-1])


def test_500_cells_are_one_page_and_more_are_several():
    settings = SheetSettings()
    assert len(lay_out(sheet(500), settings)) == 1
    pages = lay_out(sheet(1201), settings)
    assert len(pages) == 3
    assert [cell for page in pages for cell in page.cells] == list(range(1201))


def test_no_page_is_higher_than_it_may_be_and_no_tile_leaves_it():
    settings = SheetSettings(width=700, height=900, scale=1)
    groups = [(0, "A"), (3, "B"), (40, "C"), (41, "D")]
    one = sheet(60, groups)
    pages = lay_out(one, settings)
    assert [cell for page in pages for cell in page.cells] == list(range(60))
    for k in range(len(pages)):
        _, picture = drawn(one, settings, k)
        assert picture.shape[0] <= 900
        assert picture.shape[1] == 700
        for place in pages[k].places:
            assert place.index < 0 or place.x + 77 <= 700


def test_a_group_begins_a_line_and_goes_on_under_its_heading():
    settings = SheetSettings(width=700, height=700, scale=1)
    pages = lay_out(sheet(60, [(0, "A"), (2, "B")]), settings)
    texts = [place.text for page in pages for place in page.places if place.text]
    assert texts[:2] == ["A", "B"]
    assert set(texts[2:]) == {"B (continued)"}
    places = [place for place in pages[0].places if place.index in (1, 2)]
    assert places[1].y > places[0].y
    assert places[1].x < places[0].x


@pytest.mark.parametrize("scale", [1, 2])
def test_a_tile_shows_each_pixel_of_its_crop_stretched(scale):
    one, settings = sheet(3), SheetSettings(scale=scale)
    page, picture = drawn(one, settings)
    place = page.places[1]
    top = np.flatnonzero((picture[:, place.x] != 255).any(axis=1) & True)
    expected = np.kron(stretched(one.crops[1]), np.ones((scale, scale), np.uint8))
    side = 77 * scale
    found = [
        y
        for y in top
        if np.array_equal(picture[y : y + side, place.x : place.x + side, 0], expected)
    ]
    assert len(found) == 1


def test_limits_of_the_specimen_are_used():
    limits = np.array([[0.0, 1000.0]] * 3)
    _, dark = drawn(sheet(3, limits=limits), SheetSettings(scale=1))
    _, bright = drawn(sheet(3), SheetSettings(scale=1))
    where = np.s_[100:140, 30:90]
    assert dark[where].mean() < bright[where].mean() / 2


def test_a_mark_has_its_colour_and_a_rejected_cell_is_dimmer():
    plain = drawn(sheet(1), SheetSettings())[1]
    one = sheet(1, mark=CROSS, mark_colour=BAD, veiled=True)
    page, marked = drawn(one, SheetSettings())
    colour = tuple(int(BAD[k : k + 2], 16) for k in (1, 3, 5))
    place = page.places[0]
    side = 77 * scale_of(one, SheetSettings())
    band = (marked[:, place.x : place.x + side] == colour).all(axis=(1, 2))
    assert band.sum() == 3
    y = int(np.flatnonzero(band)[-1]) + 30
    some = np.s_[y : y + 60, place.x + 5 : place.x + 60]
    assert marked[some].mean() == pytest.approx(0.45 * plain[some].mean(), rel=0.05)


def test_few_cells_are_drawn_larger():
    assert [scale_of(sheet(n), SheetSettings()) for n in (100, 101)] == [2, 1]
    assert scale_of(sheet(2), SheetSettings(scale=3)) == 3


def test_a_long_text_is_cut_to_its_room():
    small = font(10)
    assert shortened("short", 90, small) == "short"
    cut = shortened("a rather long name of a cell", 90, small)
    assert cut.endswith("\u2026")
    assert small.getlength(cut) <= 90
