"""Sheets as files: PNG or PDF, with the provenance inside, and read back."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PdfParser, PngImagePlugin

from training.config import SheetSettings
from training.errors import BadImageError, BadSettingError
from training.reports.pages import in_own_style
from training.reports.sheets.drawing import Page, Sheet, draw_page, lay_out
from training.storage.reading import parse_json
from training.storage.writing import write_bytes

PNG, PDF = ".png", ".pdf"
KEY = "Provenance"
"""Name of the text chunk of a PNG; a PDF has it among its key words."""
_PDF_KEY = "Keywords"
_A4_INCHES = 8.27


@dataclass(frozen=True)
class Written:
    """The files of a sheet, how many pages they have, and what is told of it."""

    files: tuple[Path, ...]
    pages: int
    provenance: dict[str, Any]


def check_name(path: Path) -> None:
    """Refuse a name of a sheet that ends neither in .png nor in .pdf.

    Raises
    ------
    BadSettingError
        If it does.
    """
    if path.suffix.lower() not in (PNG, PDF):
        raise BadSettingError(
            path.name, "a sheet is a PNG or a PDF", "end its name in .png or .pdf"
        )


def write_sheet(
    path: Path, sheet: Sheet, provenance: dict[str, Any], settings: SheetSettings
) -> Generator[float, None, Written]:
    """Write a sheet; the share done is yielded, the files are returned.

    Parameters
    ----------
    path
        Ends in ``.png``: one file a page, ``NAME-2.png`` and so on after the first.
        Ends in ``.pdf``: one file.
    provenance
        JSON content that goes into each file, with ``page``, ``pages`` and ``cells``
        (the ids on that page, in order; in a PDF of all pages).

    Raises
    ------
    BadSettingError
        If the name ends in something else.
    StorageError
        If it cannot be written.

    Notes
    -----
    Each file is written whole or not at all. What a pixel shows is stored without loss
    in both formats.
    """
    check_name(path)
    pages, done = lay_out(sheet, settings), 0
    files, drawn = [], _PdfPages()
    is_pdf = path.suffix.lower() == PDF
    for k, page in enumerate(pages):
        for picture in draw_page(sheet, page, (k + 1, len(pages)), settings):
            done += picture is None
            yield done / len(sheet.rows)
        assert picture is not None
        if is_pdf:
            drawn.add(picture)
            continue
        files.append(path if k == 0 else path.with_stem(f"{path.stem}-{k + 1}"))
        told = _told(provenance, sheet, [page], k + 1, len(pages))
        write_bytes(files[-1], _png(picture, told))
    if is_pdf:
        files = [path]
        told = _told(provenance, sheet, pages, 1, len(pages))
        write_bytes(path, drawn.content(sheet.title, told))
    return Written(tuple(files), len(pages), provenance)


def _told(
    provenance: dict[str, Any], sheet: Sheet, on: list[Page], page: int, pages: int
) -> str:
    cells = [sheet.tiles[index].cell for one in on for index in one.cells]
    content = {**provenance, "page": page, "pages": pages, "cells": cells}
    return json.dumps(content)


def _png(picture: Image.Image, told: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, told, zip=True)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def read_provenance(path: Path) -> dict[str, Any]:
    """Return what a sheet says of itself.

    Raises
    ------
    BadImageError
        If it is no sheet.
    """
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        content = path.read_bytes()
        is_pdf = content.startswith(b"%PDF-")
        told = _told_in_pdf(content) if is_pdf else _told_in_png(content)
        found: dict[str, Any] = parse_json(told)
    except (
        OSError,
        SyntaxError,
        ValueError,
        KeyError,
        zlib.error,
        PdfParser.PdfFormatError,
        Image.DecompressionBombError,
    ) as fault:
        raise BadImageError(
            path, "it is not a picture sheet of this program", "make the sheet again"
        ) from fault
    return found


def _told_in_png(content: bytes) -> str:
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        return str(image.info[KEY])


# -- PDF


class _PdfPages:
    """The pages of a PDF, each one picture, packed without loss by matplotlib."""

    def __init__(self) -> None:
        self._pages: list[npt.NDArray[np.uint8]] = []

    def add(self, picture: Image.Image) -> None:
        self._pages.append(np.asarray(picture.convert("RGB")))

    @in_own_style
    def content(self, title: str, told: str) -> bytes:
        """Return the file; the provenance stands among its key words."""
        from matplotlib.backends.backend_pdf import PdfPages
        from matplotlib.figure import Figure

        out = io.BytesIO()
        told_of = {"Title": title, "Creator": "napari-hep2", _PDF_KEY: told}
        with PdfPages(out, metadata=told_of) as pdf:
            for page in self._pages:
                height, width = page.shape[:2]
                dots = width / _A4_INCHES
                figure = Figure((_A4_INCHES, height / dots), dpi=dots)
                figure.figimage(page)
                pdf.savefig(figure, dpi=dots)
        return out.getvalue()


def _told_in_pdf(content: bytes) -> str:
    with PdfParser.PdfParser(buf=bytearray(content)) as pdf:
        return PdfParser.decode_text(bytes(pdf.info[_PDF_KEY.encode()]))
