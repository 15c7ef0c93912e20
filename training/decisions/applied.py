"""Decisions of reviewers applied to the cells of a cell folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import TypeAdapter

from training.decisions.consensus import settle
from training.decisions.store import Decision, DecisionStore

STORE = "curation.sqlite"
"""Name of the store of decisions in a cell folder."""

Rule = Literal["not-rejected", "accepted"]
"""Which cells are used: all but those left out, or only those that were decided on."""

Decisions = dict[str, tuple[Decision, ...]]

_READER = "training"
_DISAGREED = "disagreed"
_UNDECIDED = "undecided"
_SETTLED = "settled"
_ABSENT = "absent"


@dataclass(frozen=True)
class ReviewManifest:
    """The exact state of a store that a cell set was made from.

    Attributes
    ----------
    store
        The file, in the folder as it was given.
    last_step
        Number of the last step that was read; 0 where nothing was ever decided.
    decisions
        Hash of the standing decisions, see `hash_decisions`.
    table
        Hash of the cells before any decision, see `hash_table`.
    reviewers
        Who has a standing decision, in order of the alphabet.
    rule
        Which cells were used.
    used
        Cells with a pattern that were not left out.
    accepted, rejected, relabelled
        Cells of which all who decided, or more than half of them, said so.
    disagreed
        Cells left out because reviewers disagree and no word has more than half.
    left_out
        Cells that are not used, for whatever reason: rejected, disagreed on, dropped
        by the extraction, without a pattern, or undecided under the rule ``accepted``.
    extra
        Whether the cells are trained on and never tested.
    settled
        Cells on which reviewers disagree and more than half say the same.
    """

    store: str
    last_step: int
    decisions: str
    table: str
    reviewers: tuple[str, ...]
    rule: Rule
    used: int
    accepted: int
    rejected: int
    relabelled: int
    disagreed: int
    left_out: int
    extra: bool = False
    settled: int = 0

    def content(self) -> dict[str, Any]:
        """Return it as JSON content; of the store's folder it has the name alone."""
        store = "/".join(Path(self.store).parts[-2:])
        return {**asdict(self), "store": store, "reviewers": list(self.reviewers)}

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> ReviewManifest:
        """Read what `content` returned; see `stored_in`.

        Raises
        ------
        ValueError
            If it is none.
        """
        return _manifests().validate_python(content)

    def stored_in(self, folder: Path | str) -> ReviewManifest:
        """Return it with the store in a cell folder, as that is called now."""
        return replace(self, store=str(Path(folder) / STORE))


@cache
def _manifests() -> TypeAdapter[ReviewManifest]:
    return TypeAdapter(ReviewManifest)


@dataclass(frozen=True)
class Reviewed:
    """The cells of a cell folder as its reviewers want them.

    Attributes
    ----------
    table
        The table of the folder with ``dropped`` and ``pattern`` as decided.
    notes
        One sentence a kind of change, with its number of cells.
    manifest
        The state of the store it was made from.
    """

    table: pd.DataFrame
    notes: list[str]
    manifest: ReviewManifest

    def outcomes(self) -> dict[str, str]:
        """Return the pattern of each cell by its id, '' where it is left out."""
        kept = self.table["pattern"].where(self.table["dropped"] == "", "")
        return dict(zip(self.table["id"].tolist(), kept.tolist(), strict=True))


def last_step(folder: Path) -> int:
    """Return the number of the last step in the store of a cell folder, 0 for none."""
    path = folder / STORE
    if not path.is_file():
        return 0
    with DecisionStore(path, _READER) as store:
        return store.last_step


def standing_decisions(folder: Path, step: int | None = None) -> Decisions:
    """Return the standing decisions on each decided cell, one a reviewer.

    Parameters
    ----------
    folder
        A cell folder; nothing was decided where it holds no store.
    step
        As they stood after this step; None takes them as they stand now.
    """
    path = folder / STORE
    if not path.is_file():
        return {}
    found: Decisions = {}
    with DecisionStore(path, _READER) as store:
        step = store.last_step if step is None else step
        for name in store.reviewers():
            for cell, decision in store.at(step, name).items():
                found[cell] = (*found.get(cell, ()), decision)
    return found


def review_cells(
    folder: Path, table: pd.DataFrame, rule: Rule, step: int | None = None
) -> Reviewed:
    """Return the cells of a cell folder as its reviewers want them, and say of when.

    Parameters
    ----------
    folder
        The cell folder.
    table
        Its table.
    rule
        Which cells are used.
    step
        As in `standing_decisions`.
    """
    step = last_step(folder) if step is None else step
    decisions = standing_decisions(folder, step)
    changed, notes = apply_decisions(table, decisions, rule)
    absent = len(decisions.keys() - set(table["id"].tolist()))
    if absent:
        notes.append(f"{absent} cells {_WORDS[_ABSENT]}")
    found = _together(table, decisions)
    said = Counter(verdict for verdict, _, _ in found)
    used = int(((changed["dropped"] == "") & (changed["pattern"] != "")).sum())
    manifest = ReviewManifest(
        str(folder / STORE),
        step,
        hash_decisions(decisions),
        hash_table(table),
        tuple(sorted({one.reviewer for them in decisions.values() for one in them})),
        rule,
        used,
        said["accepted"],
        said["rejected"],
        said["relabelled"],
        said[_DISAGREED],
        len(table) - used,
        settled=sum(by_most for _, _, by_most in found),
    )
    return Reviewed(changed, notes, manifest)


def hash_decisions(decisions: Decisions) -> str:
    """Return a hash of who said what of which cell; not of when or why."""
    return _hash(
        sorted(
            (cell, one.reviewer, one.verdict, one.pattern or "")
            for cell, them in decisions.items()
            for one in them
        )
    )


def hash_table(table: pd.DataFrame) -> str:
    """Return a hash of the ids of cells, their specimens, patterns and drops."""
    columns = table[["id", "specimen", "pattern", "dropped"]]
    return _hash(columns.itertuples(index=False, name=None))


def _hash(rows: Iterable[tuple[Any, ...]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def apply_decisions(
    table: pd.DataFrame, decisions: Decisions, rule: Rule = "not-rejected"
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of a cell folder as its reviewers want it.

    A rejected cell is dropped, a relabelled one gets its new pattern, an accepted one
    is taken back if the extraction had dropped it. Where reviewers disagree, what more
    than half of them say is taken, see `training.decisions.consensus`; without such a
    word the cell is dropped.

    Parameters
    ----------
    table
        With the columns ``id``, ``pattern`` and ``dropped``; not changed.
    decisions
        As `standing_decisions` returns them.
    rule : {'not-rejected', 'accepted'}
        ``accepted`` drops what nobody accepted or relabelled as well.

    Returns
    -------
    table
        A changed copy.
    notes
        One sentence a kind of change, with its number of cells.
    """
    dropped, patterns = table["dropped"].tolist(), table["pattern"].tolist()
    counts: Counter[str] = Counter()
    for row, (verdict, pattern, by_most) in enumerate(_together(table, decisions)):
        if verdict == _UNDECIDED and (rule != "accepted" or dropped[row]):
            continue
        wanted = verdict in ("accepted", "relabelled")
        dropped[row] = "" if wanted else verdict
        patterns[row] = pattern or patterns[row]
        counts[verdict] += 1
        counts[_SETTLED] += by_most
    notes = [
        f"{n} cells {_WORDS[verdict]}" for verdict, n in sorted(counts.items()) if n
    ]
    return table.assign(dropped=dropped, pattern=patterns), notes


def _together(
    table: pd.DataFrame, decisions: Decisions
) -> list[tuple[str, str | None, bool]]:
    """Return what the reviewers of each cell say together.

    That is the verdict, the pattern that they give, and whether they disagree and most
    of them settle it.
    """
    cells = zip(table["id"].tolist(), table["pattern"].tolist(), strict=True)
    return [_said(decisions.get(cell, ()), pattern) for cell, pattern in cells]


def _said(decisions: tuple[Decision, ...], own: str) -> tuple[str, str | None, bool]:
    found = settle(decisions, own)
    if found.decision is None:
        return (
            (_UNDECIDED if found.together == "undecided" else _DISAGREED),
            None,
            False,
        )
    one = found.decision
    return one.verdict, one.pattern, found.together == "settled"


_WORDS = {
    "accepted": "were accepted by reviewers",
    "rejected": "were rejected by reviewers and left out",
    "relabelled": "were relabelled by reviewers",
    _DISAGREED: "were left out because reviewers disagree without a consensus",
    _SETTLED: "that reviewers disagree on follow the consensus",
    _ABSENT: "were decided on that are no longer cut; `decisions pending` lists them",
    _UNDECIDED: "were left out because nobody accepted them",
}
