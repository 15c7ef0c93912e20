"""The header of a safetensors file, read and checked before any weight is.

A safetensors file is the length of a JSON header (8 bytes), the header, and raw
numbers. What the header claims is compared with what a network has, so that a broken or
hostile file makes nothing large; where the numbers lie is checked by safetensors
itself when it opens the file.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import BadModelError

_MAX_HEADER = 1_000_000


@dataclass(frozen=True)
class StoredTensor:
    """Description of one tensor in a header.

    Attributes
    ----------
    dtype
        F32, F16, BF16, I64 or another name of safetensors.
    shape
        Lengths of its axes, 0 or more.
    """

    dtype: str
    shape: tuple[int, ...]


def read_header(
    path: Path, remedy: str = "copy the file again"
) -> dict[str, StoredTensor]:
    """Return what a safetensors file says it holds, by name.

    Parameters
    ----------
    path
        The file; at most 1 MB of it is read.
    remedy
        What to do about a file that is damaged or cannot be read.

    Raises
    ------
    BadModelError
        If there is no such file, or its header cannot be read.
    """
    damaged = BadModelError(path, "the weights are damaged", remedy)
    if not path.is_file():
        raise BadModelError(
            path, "there is no such model", "choose a .safetensors file"
        )
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER:
                raise damaged
            header = json.loads(stream.read(length), object_pairs_hook=_once)
        header.pop("__metadata__", None)
        return {name: _entry(claim) for name, claim in header.items()}
    except OSError as fault:
        raise BadModelError(path, "the file cannot be read", remedy) from fault
    except (ValueError, AttributeError, KeyError, TypeError) as fault:
        raise damaged from fault
    except (struct.error, RecursionError) as fault:
        raise damaged from fault


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice: readers differ in which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _entry(claim: dict[str, Any]) -> StoredTensor:
    dtype, shape = claim["dtype"], tuple(claim["shape"])
    if type(dtype) is not str or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("no dtype or no shape")
    return StoredTensor(dtype, shape)
