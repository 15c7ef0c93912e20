"""How many specimens there are of each pattern, and what said which is which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence


def specimen_census(
    patterns: Mapping[str, str | None], order: Sequence[str], named_by: str
) -> str:
    """Return a sentence to be read before anything is trained.

    Parameters
    ----------
    patterns
        The pattern of each specimen, by its id; None where it is not known.
    order
        Names of the patterns in the order of the vocabulary.
    named_by
        As `training.data.layouts.Collection.specimens_from`.
    """
    if not patterns:
        return "the specimens are not known"
    n, counts = len(patterns), Counter(patterns.values())
    told = [f"{counts[name]} {name}" for name in order if counts[name]]
    told += [f"{counts[None]} without a pattern"] if counts[None] else []
    noun = "specimen" if n == 1 else "specimens"
    by = f" by {named_by}" if named_by else ""
    return f"{n} {noun}{by}: {', '.join(told)}"
