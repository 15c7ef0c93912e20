"""The patterns that a person can name: the anti-cell (AC) codes of ICAP, AC-0 to AC-29.

Data, not code. The International Consensus on ANA Patterns numbers patterns AC-0
(negative) to AC-28 (2015, 2019) and AC-29 (2018). Levels and synonyms were not compared
with its present classification tree, which could not be opened. A *competent* reader
tells the groups, such as AC-4/5; an *expert* tells what they hold. Models know six or
seven groups (`training.patterns`), so that a code below them comes from a person only.

References
----------
Chan et al. 2015, doi:10.3389/fimmu.2015.00412; Andrade et al. 2018 (AC-29),
doi:10.1515/cclm-2018-0188; Damoiseaux et al. 2019,
doi:10.1136/annrheumdis-2018-214436; von Mühlen et al. 2021,
doi:10.1007/s12026-021-09233-0; https://anapatterns.org
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from training.errors import UnknownPatternError
from training.patterns import VOCABULARIES

Compartment = Literal["negative", "nuclear", "cytoplasmic", "mitotic"]

VERSION = "ICAP 2021, AC-0 to AC-29"
NEGATIVE_CODE = "AC-0"


@dataclass(frozen=True)
class CellPattern:
    """A pattern, or a group of patterns, as ICAP numbers it.

    Attributes
    ----------
    code
        As ``AC-1``, or ``AC-4/5`` for a group.
    name
        As a person reads it.
    compartment
        Branch of the tree.
    competent
        Whether a reader of the competent level tells it; others need an expert.
    synonyms
        Other words for it, and antigens by which it is known; lower case.
    """

    code: str
    name: str
    compartment: Compartment
    competent: bool
    synonyms: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Code and name, as ``AC-21 Cytoplasmic reticular``."""
        return f"{self.code} {self.name}"


def _rows(
    compartment: Compartment, competent: bool, *rows: tuple[str, ...]
) -> tuple[CellPattern, ...]:
    return tuple(
        CellPattern(f"AC-{number}", name, compartment, competent, tuple(words))
        for number, name, *words in rows
    )


PATTERNS = (
    *_rows("negative", True, ("0", "Negative", "no pattern")),
    *_rows(
        "nuclear",
        True,
        ("1", "Homogeneous", "diffuse", "dsdna", "histone"),
        ("2", "Dense fine speckled", "dfs70", "dfs", "ledgf"),
        ("3", "Centromere", "cenp-b", "acro"),
        ("4/5", "Speckled", "fine or coarse", "ena"),
        ("6/7", "Discrete nuclear dots", "nuclear bodies"),
        ("8/9/10", "Nucleolar"),
    ),
    *_rows(
        "cytoplasmic",
        True,
        ("15/16/17", "Cytoplasmic fibrillar", "filaments"),
        ("18/19/20", "Cytoplasmic speckled", "granular"),
        ("21", "Cytoplasmic reticular", "ama", "mitochondrial", "m2"),
        ("22", "Polar, Golgi-like", "golgi"),
        ("23", "Rods and rings", "impdh2"),
    ),
    *_rows(
        "nuclear",
        False,
        ("4", "Fine speckled", "ss-a", "ss-b", "ro", "la"),
        ("5", "Coarse speckled", "large speckled", "sm", "rnp"),
        ("6", "Multiple nuclear dots", "sp100"),
        ("7", "Few nuclear dots", "coilin", "smn"),
        ("8", "Homogeneous nucleolar", "pm-scl", "th/to"),
        ("9", "Clumpy nucleolar", "fibrillarin", "u3"),
        ("10", "Punctate nucleolar", "nor-90", "rna polymerase i"),
        ("11/12", "Nuclear envelope", "nuclear membrane", "rim"),
        ("11", "Smooth nuclear envelope", "nuclear membrane", "lamin", "rim"),
        (
            "12",
            "Punctate nuclear envelope",
            "nuclear membrane",
            "nuclear pore",
            "gp210",
        ),
        ("13/14", "Pleomorphic"),
        ("13", "PCNA-like", "pleomorphic"),
        ("14", "CENP-F-like", "pleomorphic", "msa-3"),
        ("29", "DNA topoisomerase I-like", "topo i", "scl-70"),
    ),
    *_rows(
        "cytoplasmic",
        False,
        ("15", "Linear cytoplasmic fibrillar", "actin", "stress fibres"),
        ("16", "Filamentous cytoplasmic fibrillar", "vimentin", "keratin", "tubulin"),
        ("17", "Segmental cytoplasmic fibrillar", "alpha-actinin", "vinculin"),
        ("18", "Discrete cytoplasmic dots", "gw bodies", "p bodies"),
        ("19", "Dense fine speckled cytoplasmic", "ribosomal p", "pl-7", "pl-12"),
        ("20", "Fine speckled cytoplasmic", "jo-1", "synthetase"),
    ),
    *_rows(
        "mitotic",
        False,
        ("24/25", "Mitotic spindle", "mitsp"),
        ("24", "Centrosome", "centriole", "pericentrin"),
        ("25", "Spindle fibres", "hseg5", "msa-2"),
        ("26", "NuMA-like", "numa", "msa-1"),
        ("27", "Intercellular bridge", "midbody", "stem body", "msa-2"),
        ("28", "Mitotic chromosomal", "chromosomal coat", "modified histone"),
    ),
)
"""Competent level first, then what an expert tells apart; each by number."""

_BY_CODE = {one.code: one for one in PATTERNS}
_GROUPS = {
    name: pattern.icap
    for vocabulary in VOCABULARIES.values()
    for pattern in vocabulary
    for name in (pattern.name, pattern.icap)
}
_TITLES = {
    pattern.icap: pattern.title
    for vocabulary in VOCABULARIES.values()
    for pattern in vocabulary
}


def search(words: str) -> tuple[CellPattern, ...]:
    """Return the patterns that each of some words is found in, competent level first.

    Before them are those of which the words are a whole name or synonym: *ro* is AC-4,
    though cent*ro*mere has it too.

    Parameters
    ----------
    words
        Parts of a code, a name, a synonym or a branch; without any, all patterns. A
        whole code, with or without ``AC-``, finds that one alone.
    """
    wanted = words.lower().split()
    exact = _BY_CODE.get("AC-" + "".join(wanted).removeprefix("ac-"))
    if exact is not None:
        return (exact,)
    found = [one for one in PATTERNS if all(word in _haystack(one) for word in wanted)]
    called = " ".join(wanted)
    return tuple(sorted(found, key=lambda one: called not in _names(one)))


def find(text: str) -> str:
    """Return the code of the pattern that a person typed: a code, or a whole name.

    Of several that have the name it is the group that holds the others.

    Raises
    ------
    UnknownPatternError
        If there is none, or several.
    """
    if text in _TITLES:
        return text
    plain = " ".join(text.lower().split())
    coded = [one for one in search(plain) if one.code.lower().endswith(plain)]
    named = [one for one in PATTERNS if plain in _names(one)]
    every = frozenset().union(*(numbers(one.code) for one in named))
    found = coded or [one for one in named if numbers(one.code) == every]
    if len(found) == 1:
        return found[0].code
    raise UnknownPatternError(
        "pattern",
        f"{text.strip()!r} is no code or name of {VERSION}",
        "search for its code with decisions patterns",
    )


def group_of(name: str) -> str:
    """Return the codes of a pattern that a model names, else the text as it is."""
    return _GROUPS.get(name, name)


def title_of(code: str) -> str:
    """Return code and name, as ``AC-3 Centromere``; an unknown code as it is."""
    if code in _BY_CODE:
        return _BY_CODE[code].text
    return f"{code} {_TITLES[code]}" if code in _TITLES else code


def compartment_of(code: str) -> Compartment | None:
    """Return the branch of a code, or of the first of a group; None for an unknown."""
    first = min(numbers(code), default=None)
    one = _BY_CODE.get(f"AC-{first}")
    return None if one is None else one.compartment


def numbers(code: str) -> frozenset[int]:
    """Return the numbers that a code or a group stands for; AC-4/5 gives 4 and 5."""
    found = [int(word) for word in re.findall(r"\d+", code)]
    if " to " in code and len(found) == 2:
        return frozenset(range(found[0], found[1] + 1))
    return frozenset(found)


def agree(one: Iterable[str], other: Iterable[str]) -> bool:
    """Return whether two lists of codes can be the same, one perhaps less precise."""
    mine, theirs = ([numbers(code) for code in codes] for codes in (one, other))
    return all(any(a & b for b in theirs) for a in mine) and all(
        any(a & b for b in mine) for a in theirs
    )


def _names(one: CellPattern) -> tuple[str, ...]:
    return (one.name.lower(), *one.synonyms)


def _haystack(one: CellPattern) -> str:
    level = "competent" if one.competent else "expert"
    return " ".join((one.text, one.compartment, level, *one.synonyms)).lower()
