"""The vocabulary of staining patterns: data, not code.

A vocabulary names its patterns in a fixed order; every array of scores in the project
follows that order. Colours are Okabe and Ito's (2008), told apart by colour-blind
readers, and each comes with a letter and a shape, so that none rests on colour. ICAP
codes are given as *groups*: the labels of the public data sets cannot tell AC-2 from
AC-4 or AC-5 (https://anapatterns.org).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from training.errors import UnknownPatternError


@dataclass(frozen=True)
class Pattern:
    """One class of a vocabulary.

    Attributes
    ----------
    name
        As the official ground truth spells it, e.g. ``NuMem``.
    title
        As a person reads it, e.g. ``Nuclear membrane``.
    letter
        One capital letter, unique in its vocabulary.
    colour
        ``#rrggbb``.
    icap
        The group of ICAP codes that the labels support, e.g. ``AC-2/4/5``.
    aliases
        Other spellings, lower case without blanks.
    symbol
        A shape, unique in its vocabulary, told from afar: ``square``, ``disc``,
        ``triangle_up``, ``triangle_down``, ``diamond``, ``star`` or ``cross``.
    """

    name: str
    title: str
    letter: str
    colour: str
    icap: str
    aliases: tuple[str, ...] = ()
    symbol: str = "square"

    def spelled(self, text: str) -> bool:
        """Return whether `text` names this pattern, in any case, blanks ignored."""
        return _plain(text) in {_plain(self.name), _plain(self.title), *self.aliases}


@dataclass(frozen=True)
class Vocabulary:
    """The ordered patterns in use; index k of a score belongs to ``patterns[k]``."""

    name: str
    patterns: tuple[Pattern, ...]

    def __len__(self) -> int:
        return len(self.patterns)

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self.patterns)

    def __getitem__(self, index: int) -> Pattern:
        return self.patterns[index]

    @property
    def names(self) -> tuple[str, ...]:
        """The patterns' names, in order."""
        return tuple(pattern.name for pattern in self.patterns)

    def find(self, text: str) -> int | None:
        """Return the index of the pattern spelled `text`, or None."""
        for index, pattern in enumerate(self.patterns):
            if pattern.spelled(text):
                return index
        return None

    def index(self, text: str, where: object = "pattern") -> int:
        """Return the index of the pattern spelled `text`.

        Raises
        ------
        UnknownPatternError
            If no pattern is spelled so; `where` names the file in the sentence.
        """
        found = self.find(text)
        if found is None:
            raise UnknownPatternError(
                where,
                f"the pattern {text.strip()!r} is unknown",
                f"use one of {', '.join(self.names)}",
            )
        return found


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


_SIX = (
    Pattern("Homogeneous", "Homogeneous", "H", "#0072b2", "AC-1", ("hom",)),
    Pattern("Speckled", "Speckled", "S", "#e69f00", "AC-2/4/5", ("spe",), "disc"),
    Pattern(
        "Nucleolar", "Nucleolar", "N", "#009e73", "AC-8/9/10", ("nuc",), "triangle_up"
    ),
    Pattern("Centromere", "Centromere", "C", "#cc79a7", "AC-3", ("cen",), "diamond"),
    Pattern(
        "NuMem",
        "Nuclear membrane",
        "M",
        "#56b4e9",
        "AC-11/12",
        ("num", "nuclearmembranous", "membrane"),
        "triangle_down",
    ),
    Pattern("Golgi", "Golgi", "G", "#d55e00", "AC-22", ("gol",), "star"),
)

I3A = Vocabulary("i3a", _SIX)
"""The six patterns of I3A Task-1, which the paper uses throughout."""

I3A_TASK2 = Vocabulary(
    "i3a-task2",
    (
        *_SIX,
        Pattern(
            "MitSp",
            "Mitotic spindle",
            "P",
            "#f0e442",
            "AC-24/25",
            ("mitoticspindle",),
            "cross",
        ),
    ),
)
"""The seven patterns of I3A Task-2; the paper leaves the seventh out."""

MIVIA = Vocabulary(
    "mivia",
    (
        _SIX[0],
        Pattern("Fine speckled", "Fine speckled", "F", "#e69f00", "AC-4", (), "disc"),
        Pattern(
            "Coarse speckled", "Coarse speckled", "S", "#f0e442", "AC-5", (), "cross"
        ),
        _SIX[2],
        _SIX[3],
        Pattern(
            "Cytoplasmatic",
            "Cytoplasmic",
            "Y",
            "#d55e00",
            "AC-15 to AC-23",
            ("cytoplasmic",),
            "star",
        ),
    ),
)
"""The six patterns of the ICPR 2012 contest (MIVIA)."""

VOCABULARIES = {v.name: v for v in (I3A, I3A_TASK2, MIVIA)}


def vocabulary_for(names: Iterable[str], where: object) -> Vocabulary:
    """Return the first vocabulary that holds every name.

    Raises
    ------
    UnknownPatternError
        If none does; the sentence names the first name that I3A lacks.
    """
    wanted = list(names)
    for vocabulary in VOCABULARIES.values():
        if all(vocabulary.find(name) is not None for name in wanted):
            return vocabulary
    for name in wanted:
        I3A_TASK2.index(name, where)
    raise AssertionError("unreachable: some name is unknown to I3A_TASK2")
