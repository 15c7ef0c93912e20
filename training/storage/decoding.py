"""Decodes image files into pixels and what the file says of them.

A picture is a TIFF, PNG, JPEG, BMP, CZI, ND2 or LIF, told by its first bytes and never
by its name, or a folder of OME-Zarr. A declared size is checked before any pixel is
decoded. One decoder decides what the values are, packed or not: nothing is scaled, and
16 bits stay 16 bits.
"""

from __future__ import annotations

from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from training.errors import BadImageError
from training.storage.picture import DECODER_FAULTS, Picture, damaged
from training.storage.pillow_decoding import decode_by_pillow
from training.storage.reading import not_read

_MAGIC = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"BM": "bmp",
    b"ZISRAWFILE": "czi",
    b"\xda\xce\xbe\n": "nd2",
    b"p\0\0\0": "lif",
}
_LONGEST_MAGIC = max(map(len, _MAGIC))


def decode(path: Path) -> Picture:
    """Decode a picture.

    Raises
    ------
    BadImageError
        If the file is no image that is read, truncated, too large or packed in a way
        that is not read.
    """
    try:
        return _decode_folder(path) if _is_folder(path) else _decode_file(path)
    except BadImageError:
        raise
    except DECODER_FAULTS as fault:
        raise _unreadable(path, fault) from fault


def _decode_folder(path: Path) -> Picture:
    from training.storage.zarr_decoding import decode_zarr

    return decode_zarr(path)


def _decode_file(path: Path) -> Picture:
    """Decode a picture; what reads its kind is loaded where there is one."""
    with _opened(path) as stream:
        kind = _kind(path, stream)
        if kind == "tiff":
            from training.storage.tiff_decoding import decode_tiff

            return decode_tiff(path, stream)
    if kind in ("czi", "nd2", "lif"):
        from training.storage.bioio_decoding import decode_by_bioio

        return decode_by_bioio(path, kind)
    return decode_by_pillow(path, ("PNG", "JPEG", "BMP"))


def _unreadable(path: Path, fault: Exception) -> BadImageError:
    reason = str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__
    return damaged(path, f" ({reason})")


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; what is neither that nor a file is refused."""
    with suppress(OSError, ValueError):
        mode = path.stat().st_mode
        if S_ISREG(mode) or S_ISDIR(mode):
            return S_ISDIR(mode)
    raise BadImageError(path, "there is no such file", "check its name and folder")


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as fault:
        raise BadImageError(path, *not_read(fault)) from fault


def _kind(path: Path, stream: BufferedReader) -> str:
    """Return the kind of a file by its first bytes; it is left at its start."""
    start = stream.peek(_LONGEST_MAGIC)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    raise BadImageError(
        path,
        "this is not a TIFF, PNG, JPEG or BMP image, and no CZI, ND2 or LIF",
        "export the image in one of these formats",
    )
