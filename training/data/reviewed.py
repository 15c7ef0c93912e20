"""What the decisions of reviewers change in the cells of a cell folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from training.data.curation import Decision, DecisionStore

STORE = "curation.sqlite"
"""Name of the store of decisions in a cell folder."""

_DISAGREED = "disagreed"


def standing_decisions(folder: Path) -> dict[str, tuple[Decision, ...]]:
    """Return the standing decisions on each decided cell, one a reviewer.

    Parameters
    ----------
    folder
        A cell folder; nothing was decided where it holds no store.
    """
    path = folder / STORE
    if not path.is_file():
        return {}
    found: dict[str, tuple[Decision, ...]] = {}
    with DecisionStore(path, "training") as store:
        for reviewer in store.reviewers():
            for cell, decision in store.current(reviewer).items():
                found[cell] = (*found.get(cell, ()), decision)
    return found


def apply_decisions(
    table: pd.DataFrame, decisions: dict[str, tuple[Decision, ...]]
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of a cell folder as its reviewers want it.

    A rejected cell is dropped, a relabelled one gets its new pattern, an accepted one
    is taken back if the extraction had dropped it. Where reviewers disagree the cell is
    dropped: no rule of ours decides between them.

    Parameters
    ----------
    table
        With the columns ``id``, ``pattern`` and ``dropped``; not changed.
    decisions
        As `standing_decisions` returns them.

    Returns
    -------
    table
        A changed copy.
    notes
        One sentence a kind of change, with its number of cells.
    """
    dropped, patterns = table["dropped"].tolist(), table["pattern"].tolist()
    counts: dict[str, int] = {}
    for row, cell in enumerate(table["id"]):
        said = {(one.verdict, one.pattern) for one in decisions.get(cell, ())}
        said.discard(("cleared", None))
        if not said:
            continue
        verdict, pattern = said.pop() if len(said) == 1 else (_DISAGREED, None)
        wanted = verdict in ("accepted", "relabelled")
        dropped[row] = "" if wanted else verdict
        patterns[row] = pattern or patterns[row]
        counts[verdict] = counts.get(verdict, 0) + 1
    notes = [f"{n} cells {_WORDS[verdict]}" for verdict, n in sorted(counts.items())]
    return table.assign(dropped=dropped, pattern=patterns), notes


_WORDS = {
    "accepted": "were accepted by reviewers",
    "rejected": "were rejected by reviewers and left out",
    "relabelled": "were given another pattern by reviewers",
    _DISAGREED: "were left out because reviewers disagree on them",
}
