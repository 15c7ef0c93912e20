"""The seal of this user: what bears it was written by them, not handed over.

A hash that anybody can compute tells a damaged file from a whole one, not mine from
yours. The seal is a hash under a secret of this user, which no file carries.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

_BYTES = 32


def seal_of(words: str) -> str:
    """Return the seal of some words, hexadecimal."""
    path = platformdirs.user_state_path("napari-hep2") / "seal.key"
    return hmac.new(_key(path), words.encode(), hashlib.sha256).hexdigest()


def is_sealed(words: str, seal: object) -> bool:
    """Return whether a seal, read from anywhere, is that of this user on the words."""
    return isinstance(seal, str) and hmac.compare_digest(
        seal_of(words).encode(), seal.encode()
    )


@cache
def _key(path: Path) -> bytes:
    """Return the secret, made where there is none yet.

    Where it can be neither read nor kept, it is of this process alone: a seal then
    ends with it, and what bears one is made again.
    """
    made = secrets.token_bytes(_BYTES)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(made)
            # A link, unlike a rename, leaves the key of another that was quicker.
            with suppress(FileExistsError):
                os.link(part, path)
            part.unlink()
        kept = path.read_bytes()
        return kept if len(kept) == _BYTES else made
    return made
