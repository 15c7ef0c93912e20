"""The words that name where folds run."""

from __future__ import annotations

import re
from typing import Literal

from training.errors import BadSettingError

LOCAL = "local"
"""This process, or workers of this machine."""

_DASK = re.compile(r"dask://(?P<host>[^/:\s]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})/?")


def engine_kind(word: str) -> Literal["local", "dask", "slurm"]:
    """Return the kind of engine that a word names.

    Raises
    ------
    BadSettingError
        If there is no such engine.
    """
    if word == "local":
        return "local"
    if word == "slurm":
        return "slurm"
    if _DASK.fullmatch(word):
        return "dask"
    raise BadSettingError(
        f"--engine {word}",
        "there is no such engine",
        "use local, dask://HOST:PORT or slurm",
    )


def known_engine(word: str) -> str:
    """Return the word of an engine as it is.

    Raises
    ------
    BadSettingError
        If there is no such engine.
    """
    engine_kind(word)
    return word
