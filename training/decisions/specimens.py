"""Reviewers' decisions on whole specimens: the result, with a name and a time.

The store is a second file of the kind of `training.decisions.store`, in which a
specimen stands where a cell does. A file of its own, because what is read to train, to
count and to compare reviewers is the other one: what is said of a specimen
changes no training cell, no count of decided cells, no agreement, and undoing a cell
never undoes a specimen. It is append-only, and exported and imported, as the other is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from training.decisions.applied import STORE
from training.decisions.model import GRADES, RESULTS, Decision, Result
from training.decisions.store import DecisionStore, now
from training.errors import BadSettingError
from training.icap import NEGATIVE_CODE, compartment_of, find, group_of, title_of

SPECIMENS = "specimens.sqlite"
"""Name of the file, beside `training.decisions.applied.STORE`."""

LONGEST_COMMENT = 1000
"""Characters of a comment."""

_READER = "reading"
_OR_RESULTS = ", ".join(RESULTS)
_RESULT_OF: dict[str, Result] = {one: one for one in RESULTS}
_TITRE = re.compile(r"([<>]?)(?:1:)?([1-9]\d{0,6})|")


def specimen_store(place: Path) -> Path:
    """Return the file that belongs to a folder of decisions, or to their file."""
    return place / SPECIMENS if place.is_dir() else place.with_name(SPECIMENS)


@dataclass(frozen=True)
class Answer:
    """What a person says of a specimen as a whole.

    Attributes
    ----------
    result
        None in decisions of earlier programs, which asked for the pattern alone.
    patterns
        Codes of `training.icap`, the leading one first.
    grade
        One of `training.decisions.model.GRADES`, or '' where it was not given.
    titre
        As ``1:160``, or ''.
    comment
        In the person's words.
    """

    result: Result | None
    patterns: tuple[str, ...] = ()
    grade: str = ""
    titre: str = ""
    comment: str = ""

    @property
    def text(self) -> str:
        """All of it in words, as ``positive ++ 1:160: AC-3 Centromere (rare)``."""
        head = " ".join(filter(None, (self.result, self.grade, self.titre)))
        named = "; ".join(title_of(code) for code in self.patterns)
        text = ": ".join(filter(None, (head, named)))
        return (
            f"{text} ({self.comment})" if text and self.comment else text + self.comment
        )


def checked_answer(
    result: str,
    patterns: Iterable[str] = (),
    grade: str = "",
    titre: str = "",
    comment: str = "",
) -> Answer:
    """Return an answer from what a person typed.

    Parameters
    ----------
    result : {'negative', 'borderline', 'positive'}
    patterns
        Codes or names; AC-0 says no more than that the result is negative.
    grade
        Of a positive specimen alone.
    titre
        With or without its ``1:``, and perhaps a ``<`` or ``>`` before it.

    Raises
    ------
    BadSettingError, UnknownPatternError
        If it does not go together; the sentence says how.
    """
    known = next((one for one in RESULTS if one == result), None)
    if known is None:
        raise BadSettingError("result", f"'{result}' is none", f"use {_OR_RESULTS}")
    codes = tuple(dict.fromkeys(find(one) for one in patterns))
    if NEGATIVE_CODE in codes and (known != "negative" or len(codes) > 1):
        raise BadSettingError(
            NEGATIVE_CODE,
            "it goes with negative alone",
            "take out the one or the other",
        )
    codes = tuple(code for code in codes if code != NEGATIVE_CODE)
    if known == "negative" and codes:
        raise BadSettingError(
            "negative", "it goes with no pattern", "call it positive or borderline"
        )
    if grade and (known != "positive" or grade not in GRADES):
        raise BadSettingError(
            f"grade {grade}",
            "only positive has one",
            f"use {', '.join(GRADES)} with it",
        )
    words = " ".join(comment.split())
    if len(words) > LONGEST_COMMENT:
        raise BadSettingError(
            "comment",
            f"it has {len(words)} characters",
            f"use at most {LONGEST_COMMENT}",
        )
    return Answer(known, codes, grade, _titre(titre), words)


def _titre(text: str) -> str:
    found = _TITRE.fullmatch("".join(text.split()))
    if found is None:
        raise BadSettingError(f"titre {text}", "it is none", "write it as 1:160")
    return "" if found[2] is None else f"{found[1] or ''}1:{found[2]}"


def answer_of(said: Decision) -> Answer:
    """Return a decision on a specimen as an answer, of an earlier program too."""
    if said.verdict not in RESULTS:
        old = () if said.pattern is None else (group_of(said.pattern),)
        return Answer(None, old, comment=said.reason or "")
    codes = tuple(filter(None, (said.pattern or "").split("+")))
    words = said.grade or "", said.titre or "", said.reason or ""
    return Answer(_RESULT_OF[said.verdict], codes, *words)


def give_answer(
    folder: Path,
    specimen: str,
    reviewer: str,
    answer: Answer,
    clock: Callable[[], datetime] = now,
) -> None:
    """Record what a reviewer says of a specimen.

    What was said before stays in the file and no longer stands.

    Raises
    ------
    BadCellsError, StorageError
        If it could not be saved.
    ValueError
        If the answer has no result.
    """
    if answer.result is None:
        raise ValueError("an answer has a result")
    with DecisionStore(folder / SPECIMENS, reviewer, clock) as store:
        store.answer(
            specimen,
            answer.result,
            answer.patterns,
            answer.comment,
            answer.grade,
            answer.titre,
        )


def take_back(
    folder: Path,
    specimen: str,
    reviewer: str,
    clock: Callable[[], datetime] = now,
) -> None:
    """Record that what a reviewer said of a specimen no longer stands.

    Raises
    ------
    BadCellsError, StorageError
        If it could not be saved.
    """
    with DecisionStore(folder / SPECIMENS, reviewer, clock) as store:
        store.decide([specimen], "cleared")


def read_sayings(
    place: Path | None, specimens: Iterable[str] | None = None
) -> dict[str, tuple[Decision, ...]]:
    """Return what stands of each specimen, one a reviewer; nothing without a file.

    Parameters
    ----------
    place
        The folder of decisions, or their file.
    specimens
        Look at these alone.

    Raises
    ------
    BadCellsError, StorageError
        If the file is damaged or cannot be opened.
    """
    if place is None or not specimen_store(place).is_file():
        return {}
    asked = None if specimens is None else list(specimens)
    found: dict[str, tuple[Decision, ...]] = {}
    with DecisionStore(specimen_store(place), _READER) as store:
        for reviewer in store.reviewers():
            for name, said in store.current(reviewer, asked).items():
                found[name] = (*found.get(name, ()), said)
    return found


def known_answers(place: Path, reviewer: str) -> dict[str, Answer]:
    """Return what stands of each specimen by one reviewer; see `read_sayings`."""
    return {
        name: answer_of(one)
        for name, said in read_sayings(place).items()
        for one in said
        if one.reviewer == reviewer
    }


def first_answers(place: Path, reviewer: str) -> dict[str, Answer]:
    """Return what a reviewer said of each specimen at first, whatever came later.

    Raises
    ------
    BadCellsError, StorageError
        If the file is damaged or cannot be opened.
    """
    if not specimen_store(place).is_file():
        return {}
    found: dict[str, Answer] = {}
    with DecisionStore(specimen_store(place), _READER) as store:
        for record in store.records():
            for said in record.decisions if record.reviewer == reviewer else ():
                if said.verdict in RESULTS:
                    time = datetime.fromisoformat(record.time)
                    words = _RESULT_OF[said.verdict], said.pattern, said.reason, time
                    one = Decision(said.cell, reviewer, *words, *said[4:])
                    found.setdefault(said.cell, answer_of(one))
    return found


def has_decisions(place: Path) -> bool:
    """Return whether a folder, or that of a file, holds decisions of any kind."""
    cells = place / STORE if place.is_dir() else place
    return cells.is_file() or specimen_store(place).is_file()


def reported_result(answer: Answer, outside_nucleus: str) -> Result | None:
    """Return the result that a laboratory reports for an answer.

    Parameters
    ----------
    outside_nucleus : {'positive', 'negative'}
        What cytoplasmic and mitotic patterns are reported as; with a nuclear pattern
        beside them, or without any pattern, the result stays.
    """
    branches = {compartment_of(code) for code in answer.patterns}
    if branches and branches <= {"cytoplasmic", "mitotic"}:
        is_negative = outside_nucleus == "negative"
        return "negative" if is_negative else answer.result
    return answer.result


def told_text(told: dict[str, Any]) -> str:
    """Return an answer as reports hold it with its reviewer, as a line."""
    reported = told["reported"]
    differs = "" if reported == told["result"] else f", reported as {reported}"
    return f"{told['reviewer']}: {told['text']}{differs}"
