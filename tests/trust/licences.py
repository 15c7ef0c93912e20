"""What is installed with this project, by extra, and under which licence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PERMISSIVE = frozenset(
    {
        *("0BSD", "AFL", "Apache", "BSD", "BSL", "CC0", "HPND", "ISC", "MIT", "PSF"),
        *("LLVM-exception", "Python", "Unlicense", "Zlib", "any-OSI"),
    }
)
"""First words of licences that ask for no more than that they are named."""
BY_FILE = frozenset({"MPL", "Mozilla"})
"""Licences that bind changes of their own files alone."""

_FIELDS = ("License-Expression", "License")
_JOINTS = re.compile(r"\b(?:AND|OR|WITH)\b|[()/,;]|\bDual License\b")
_NOISE = re.compile(r"^(?:The|License|Modified|New|Simplified|[23]-Clause)\b\s*", re.I)
_NO_WORD = frozenset({"DFSG approved", "UNKNOWN", ""})


@dataclass(frozen=True)
class Installed:
    """One distribution and what it says of its licence.

    Attributes
    ----------
    name, version : as installed
    licences : the licences it names, none where it names none
    """

    name: str
    version: str
    licences: tuple[str, ...]

    def only(self, allowed: Iterable[str]) -> bool:
        """Whether it names licences, and each begins with one of these words."""
        words = tuple(allowed)
        return bool(self.licences) and all(
            one.lower().startswith(tuple(word.lower() for word in words))
            for one in self.licences
        )


def installed_with(name: str, extras: Iterable[str] = ()) -> dict[str, Installed]:
    """Return what a distribution needs, through all levels, and is installed here.

    Parameters
    ----------
    name : the distribution; it is not in the answer
    extras : of its extras, those that are taken

    Returns
    -------
    By canonical name. A requirement whose marker is not of this machine is left out.
    """
    found: dict[str, Installed] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        at, extra = waiting.pop()
        if (at, extra) in seen:
            continue
        seen.add((at, extra))
        dist = _find(at)
        if dist is None:
            continue
        found[canonicalize_name(at)] = Installed(at, dist.version, licences_of(dist))
        for text in dist.requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(need.name, one) for one in ("", *need.extras)]
    found.pop(canonicalize_name(name))
    return found


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def licences_of(dist: Distribution) -> tuple[str, ...]:
    """Return the licences that a distribution names, from the surest field it has."""
    held = dist.metadata
    listed = [
        one.rsplit("::", 1)[-1].strip()
        for one in held.get_all("Classifier", ())
        if one.startswith("License ::")
    ]
    expression, words = (str(held.get(field, "")) for field in _FIELDS)
    for said in ([expression], listed, words.strip().splitlines()[:1]):
        plain = [_plain(part) for text in said for part in _JOINTS.split(text)]
        named = tuple(part for part in plain if part not in _NO_WORD)
        if named:
            return named
    return ()


def _plain(text: str) -> str:
    return _NOISE.sub("", text.strip())
