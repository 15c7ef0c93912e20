"""JSON and arrays from files that may be broken: whatever is wrong is a ValueError."""

from __future__ import annotations

import json
import math
import tokenize
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

_FAULTS = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
)


def not_read(fault: OSError) -> tuple[str, str]:
    """Return what is wrong with a file that the system does not give, and a remedy."""
    return (
        f"it cannot be read ({fault.strerror or fault})",
        "check who may read it, and the disk it is on",
    )


def parse_json(text: str | bytes) -> Any:
    """Return what JSON says.

    Raises
    ------
    ValueError
        If it is none, nested too deeply to be read, holds a whole number beyond 64
        bits, which no arithmetic of ours takes, or a string that is no text.
    """
    try:
        content = json.loads(text, parse_int=_whole_number)
        raw = text.encode() if isinstance(text, str) else text
        if b"\\ud" in raw.lower():
            check_words(content)
    except RecursionError as fault:
        raise ValueError("it is nested too deeply") from fault
    return content


def check_words(content: object) -> None:
    """Raise a ValueError where a string holds half a pair of surrogates.

    An escape may name one; no file and no terminal takes it. Each object is looked at
    once, however often YAML's aliases name it.
    """
    ahead, seen = [content], set()
    while ahead:
        one = ahead.pop()
        if isinstance(one, str):
            one.encode()
        elif isinstance(one, dict | list) and id(one) not in seen:
            seen.add(id(one))
            ahead += [*one.keys(), *one.values()] if isinstance(one, dict) else one


def _whole_number(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the number {digits[:20]}... is beyond 64 bits")
    return number


def read_json(path: Path) -> Any:
    """Return what a JSON file says, UTF-8.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        As `parse_json`.
    """
    _check_regular(path)
    return parse_json(path.read_text(encoding="utf-8"))


def read_array(
    path: Path, mmap_mode: Literal["r", "c"] | None = None
) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, which holds as much as it declares.

    Nothing is allocated, and nothing in the file is run, before that is known.

    Parameters
    ----------
    mmap_mode
        Map it, read-only or to be copied on write; None reads it.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no array, cut short, or an array of Python objects.
    """
    _check_regular(path)
    try:
        with path.open("rb") as stream:
            start, declared = _declared(stream)
            if path.stat().st_size < start + declared:
                raise ValueError("the array is cut short")
        found = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        if found.dtype.kind == "U" and not _are_characters(found):
            raise ValueError("its strings are not text")
        return found
    except _FAULTS as fault:
        raise ValueError("it is not an array") from fault


def _check_regular(path: Path) -> None:
    """Refuse a pipe or a device, which may give bytes for ever, or none."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")


def _are_characters(words: npt.NDArray[np.str_]) -> bool:
    """Return whether words are made of characters that Unicode has."""
    codes = np.ascontiguousarray(words).view(np.uint32)
    surrogates = (codes >= 0xD800) & (codes < 0xE000)
    return not (surrogates | (codes > 0x10FFFF)).any()


def _declared(stream: BinaryIO) -> tuple[int, int]:
    """Return where the numbers of an array begin and how many bytes they take."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("it is not an array of a known version")
    read = npy.read_array_header_1_0 if version[0] == 1 else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError("it is not an array of numbers or words")
    return stream.tell(), math.prod(shape) * dtype.itemsize
