"""Sheets as files: what goes in comes out again."""

import json
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PdfParser

from training.config import SheetSettings
from training.errors import BadImageError, BadSettingError, StorageError
from training.patterns import I3A
from training.reports.sheets.drawing import Sheet, Tile, draw_page, lay_out
from training.reports.sheets.files import read_provenance, write_sheet

TOLD = {"name": "Zell\u00e9n (1) \\ )(", "filter": "rejected", "step": 3}
SMALL = SheetSettings(width=400, height=600, scale=1)


@pytest.fixture
def sheet():
    crops = np.random.default_rng(0).integers(0, 255, (20, 21, 21)).astype(np.uint8)
    tiles = [Tile(f"c{k}", "\u03a9", "", I3A[0]) for k in range(20)]
    return Sheet(crops, np.arange(20), tiles, (), None, "T\u00e4tle", ["line"], I3A)


def written(path, sheet, settings=SMALL):
    steps, shares = write_sheet(path, sheet, TOLD, settings), []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            return end.value, shares


def pages_of(sheet, settings=SMALL):
    pages = lay_out(sheet, settings)
    return [
        list(draw_page(sheet, page, (k + 1, len(pages)), settings))[-1]
        for k, page in enumerate(pages)
    ]


def test_a_png_holds_the_picture_and_where_it_came_from(tmp_path, sheet):
    made, shares = written(tmp_path / "s.png", sheet, SheetSettings())
    assert made.files == (tmp_path / "s.png",)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    with Image.open(tmp_path / "s.png") as picture:
        (page,) = pages_of(sheet, SheetSettings())
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(page))
    told = read_provenance(tmp_path / "s.png")
    assert told == {
        **TOLD,
        "page": 1,
        "pages": 1,
        "cells": [f"c{k}" for k in range(20)],
    }
    assert list(tmp_path.iterdir()) == [tmp_path / "s.png"], "no part is left"


def test_each_page_is_a_png_with_its_own_cells(tmp_path, sheet):
    made, _ = written(tmp_path / "s.png", sheet)
    assert len(made.files) == made.pages > 1
    assert [path.name for path in made.files][:2] == ["s.png", "s-2.png"]
    told = [read_provenance(path) for path in made.files]
    assert [one["page"] for one in told] == list(range(1, made.pages + 1))
    assert [c for one in told for c in one["cells"]] == [f"c{k}" for k in range(20)]


def test_a_pdf_holds_every_page_without_loss(tmp_path, sheet):
    made, _ = written(tmp_path / "s.pdf", sheet)
    assert made.files == (tmp_path / "s.pdf",)
    told = read_provenance(tmp_path / "s.pdf")
    assert told["name"] == TOLD["name"]
    assert told["cells"] == [f"c{k}" for k in range(20)]
    with PdfParser.PdfParser(str(tmp_path / "s.pdf")) as pdf:
        assert len(pdf.pages) == made.pages
        assert pdf.info.Title == "T\u00e4tle"
        assert json.loads(pdf.info.Keywords) == told
    content = (tmp_path / "s.pdf").read_bytes()
    sizes = re.findall(rb"/Width (\d+) /Height (\d+)", content)
    found = [tuple(map(int, size)) for size in sizes]
    assert found == [page.size for page in pages_of(sheet)]
    assert set(re.findall(rb"/Filter /(\w+)", content)) == {b"FlateDecode"}


def test_another_ending_is_refused(tmp_path, sheet):
    with pytest.raises(BadSettingError, match=r"end its name in \.png or \.pdf"):
        written(tmp_path / "s.jpg", sheet)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, sheet):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        written(tmp_path / "file" / "s.png", sheet)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4\n", b"\x89PNG\r\n\x1a\n", b"x"])
def test_what_is_no_sheet_is_refused(tmp_path, content):
    path = tmp_path / "s.png"
    path.write_bytes(content)
    with pytest.raises(BadImageError, match="not a picture sheet"):
        read_provenance(path)


def test_another_picture_is_no_sheet(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "s.png")
    with pytest.raises(BadImageError, match="not a picture sheet"):
        read_provenance(tmp_path / "s.png")


def _header_of(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + (
        struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    )


@pytest.mark.parametrize("content", [_header_of(80_000, 80_000), b"%PDF-1.4", b""])
def test_what_is_no_sheet_is_told(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadImageError, match="it is not a picture sheet"):
        read_provenance(tmp_path / "a.png")
