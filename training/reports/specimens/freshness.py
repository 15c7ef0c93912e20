"""Check of an earlier report: same data, same model, same decisions, made by this user.

A folder of reports may have been handed over, and whoever made it can write any hash:
a report is taken as it is only where it bears the seal of this user, over all of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.config import Settings
from training.data.layouts import Frame, Specimen
from training.errors import BadModelError
from training.storage.fingerprints import fingerprint, is_data, sha256_of, state_of
from training.storage.reading import read_json
from training.storage.seals import is_sealed

FORMAT = 4
REPORT, CELLS, VERDICT = "report.html", "cells.csv", "verdict.json"
FHIR = "fhir.json"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_DEVICES = re.compile(r"(?i)con|prn|aux|nul|(com|lpt)\d")


def folder_names(specimens: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each specimen that any system takes, all different.

    A name of letters, digits, ``_`` and ``-`` stays; another gets a hash behind what is
    left of it, as does one that differs from a second only in case.
    """
    ids = list(specimens)
    alike = Counter(name.casefold() for name in ids)
    return {name: _folder_name(name, alike[name.casefold()] > 1) for name in ids}


def _folder_name(name: str, shared: bool) -> str:
    plain = _PLAIN.fullmatch(name) and not _DEVICES.fullmatch(name)
    if plain and not shared:
        return name
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:40] or "specimen"
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def recipe_hash(files: Iterable[Path], settings: Iterable[Settings], words: str) -> str:
    """Return a hash of all that makes a report beside its data.

    Parameters
    ----------
    files
        Of the model and of its index; one that is not there counts as that.
    settings
        Of cutting and judging.
    words
        What else matters.

    Raises
    ------
    BadModelError
        If a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{FORMAT}\n{words}\n".encode())
    for file in files:
        try:
            digest.update((file_hash(file) or "none").encode())
        except OSError as fault:
            raise BadModelError(
                file, "the file cannot be read", "check who may read it"
            ) from fault
    for one in settings:
        content = one.model_dump(mode="json")
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None where there is none."""
    return sha256_of(path) if is_data(path) else None


def file_states(specimen: Specimen) -> list[dict[str, Any]]:
    """Return what tells later whether a file of a specimen has changed.

    Raises
    ------
    OSError
        If one is there and cannot be read.
    """
    return [_state(file) for frame in specimen.frames for file in _files(frame)]


def _files(frame: Frame) -> list[Path]:
    masks = (frame.mended or frame.mask,)
    return [*frame.images, *(mask for mask in masks if mask is not None)]


def _state(path: Path) -> dict[str, Any]:
    if not is_data(path):
        return {"name": path.name, "bytes": None, "modified": None, "sha256": None}
    return fingerprint(path.parent, path)


def sealed_words(content: dict[str, Any], folder: Path) -> str:
    """Return what is sealed: the content, and the other files beside it."""
    made_from = {k: v for k, v in content["made_from"].items() if k != "seal"}
    files = [file_hash(folder / name) for name in (REPORT, CELLS, FHIR)]
    return json.dumps([{**content, "made_from": made_from}, files], sort_keys=True)


def read_fresh(
    folder: Path, specimen: Specimen, recipe: str, decisions: str, series: str
) -> dict[str, Any] | None:
    """Return what was found before, or None where it has to be found again.

    Parameters
    ----------
    folder
        Of the specimen's report.
    specimen
        As it is now.
    recipe, decisions, series
        Hashes of how it would be made now, of the decisions on its cells, and of the
        series that it belongs to.
    """
    if not all((folder / name).is_file() for name in (REPORT, CELLS, FHIR, VERDICT)):
        return None
    try:
        content = read_json(folder / VERDICT)
        made = content["made_from"]
        same = (
            content["specimen"] == specimen.id
            and made["recipe"] == recipe
            and made["decisions"] == decisions
            and made["series"] == series
            and is_sealed(sealed_words(content, folder), made["seal"])
            and _unchanged(specimen, made["files"])
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return content if same else None


def _unchanged(specimen: Specimen, entries: list[dict[str, Any]]) -> bool:
    files = [file for frame in specimen.frames for file in _files(frame)]
    if [file.name for file in files] != [entry["name"] for entry in entries]:
        return False
    return all(map(_same, files, entries))


def _same(path: Path, entry: dict[str, Any]) -> bool:
    if not is_data(path):
        return entry["bytes"] is None
    size, modified = state_of(path)
    if size != entry["bytes"]:
        return False
    return modified == entry["modified"] or file_hash(path) == entry["sha256"]
