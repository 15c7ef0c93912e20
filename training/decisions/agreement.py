"""Agreement of two reviewers, and the cells on which they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.decisions.consensus import REJECTED, Settled, said, settle
from training.decisions.model import Decision

__all__ = [
    "PUBLISHED_KAPPA",
    "Agreement",
    "Kappa",
    "agreement_text",
    "compare",
    "disagreements",
    "kappa_of",
    "said",
]

PUBLISHED_KAPPA = 0.627
"""Two experts in each of three laboratories, 556 samples, one pattern of six:
Autoimmunity Reviews 2017, PII S1568997217302562."""

DRAWS = 2000
_CHUNK = 200
_Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa on some cells.

    Attributes
    ----------
    of
        What was compared: ``all``, ``patterns``, or a name against the rest.
    n, alike
        Cells that both decided, and those on which both said the same.
    kappa
        From -1 to 1; nan where it is not defined.
    low, high
        95 % of a bootstrap; nan where there are under two units to draw.
    """

    of: str
    n: int
    alike: int
    kappa: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Two reviewers' decisions on the cells that both decided.

    Attributes
    ----------
    overall
        Every word counts: a pattern, or rejected.
    patterns
        On the cells to which both gave a pattern; what the published figure is of.
    each
        Each word against the rest, the most frequent first.
    specimens
        How many were drawn from; None where cells were, as specimens are not known.
    """

    overall: Kappa
    patterns: Kappa
    each: tuple[Kappa, ...]
    specimens: int | None


def compare(
    one: Mapping[str, Decision],
    other: Mapping[str, Decision],
    rng: np.random.Generator,
    patterns: Mapping[str, str] | None = None,
    specimens: Mapping[str, str] | None = None,
) -> Agreement:
    """Compare two reviewers' standing decisions.

    Parameters
    ----------
    one, other
        By cell; only cells that both decided count.
    rng
        Draws the bootstrap.
    patterns
        The specimen's pattern of each cell, which *accepted* confirms. Without it
        *accepted* is a word of its own.
    specimens
        The specimen of each cell. Whole specimens are drawn, as cells of one are alike;
        where one is not known, cells are drawn and the interval is too narrow.

    Notes
    -----
    Kappa is (p - q) / (1 - q), with p the share of cells decided alike and q the share
    expected if both decided at random with their own frequencies.

    References
    ----------
    Cohen 1960, doi:10.1177/001316446002000104
    """
    cells = [cell for cell in one if cell in other]
    pairs = [_pair(cell, one, other, patterns or {}) for cell in cells]
    kept = [k for k, pair in enumerate(pairs) if REJECTED not in pair]
    groups = _groups(cells, specimens)
    words = [
        word for word, _ in Counter(w for pair in pairs for w in pair).most_common()
    ]
    table = _counts(pairs, words, groups)
    of_kept = [pairs[k] for k in kept]
    kept_groups = None if groups is None else groups[kept]
    return Agreement(
        _kappa("all", table, rng),
        _kappa("patterns", _counts(of_kept, words, kept_groups), rng),
        tuple(
            _kappa(word, _against_rest(table, k), rng) for k, word in enumerate(words)
        ),
        None if groups is None else len(np.unique(groups)),
    )


def disagreements(
    standing: Mapping[str, Sequence[Decision]],
    patterns: Mapping[str, str] | None = None,
) -> dict[str, Settled]:
    """Return the cells of which two reviewers or more said different things.

    Parameters
    ----------
    standing
        The standing decisions on each cell, one a reviewer.
    patterns
        As for `compare`: *accepted* and the same pattern given anew are no difference.

    Returns
    -------
    apart
        What the reviewers say together of each such cell: settled by most, or open.
    """
    known = patterns or {}
    found = {cell: settle(them, known.get(cell)) for cell, them in standing.items()}
    return {k: one for k, one in found.items() if one.together in ("settled", "open")}


def agreement_text(reviewer: str, other: str, found: Agreement) -> list[str]:
    """Return the agreement as sentences: overall, on the pattern, and each word."""
    if found.overall.n == 0:
        return [f"{reviewer} and {other} have no decided cell in common."]
    overall, patterns = found.overall, found.patterns
    unit = "cells" if found.specimens is None else f"{found.specimens} specimens"
    whole = (
        f"{reviewer} and {other}: {overall.alike} of {overall.n} cells alike "
        f"({overall.alike / overall.n:.0%}), Cohen's kappa {_figure(overall)}."
    )
    kept = (
        f"On the pattern, {patterns.n} cells: kappa {_figure(patterns)}; published "
        f"between laboratories, on samples: {PUBLISHED_KAPPA}."
    )
    each = [f"{one.of} against the rest: kappa {_figure(one)}." for one in found.each]
    return [whole, kept, *each, f"Intervals: 95 %, bootstrap over {unit}."]


def _figure(one: Kappa) -> str:
    if np.isnan(one.kappa):
        return "not defined"
    if np.isnan(one.low):
        return f"{one.kappa:.2f} (no interval)"
    return f"{one.kappa:.2f} ({one.low:.2f} to {one.high:.2f})"


def _pair(
    cell: str,
    one: Mapping[str, Decision],
    other: Mapping[str, Decision],
    patterns: Mapping[str, str],
) -> tuple[str, str]:
    pattern = patterns.get(cell)
    return said(one[cell], pattern), said(other[cell], pattern)


def _groups(
    cells: Sequence[str], specimens: Mapping[str, str] | None
) -> npt.NDArray[np.int64] | None:
    """Return (n,) int64, the specimen of each cell, or None where one is not known."""
    names = [(specimens or {}).get(cell, "") for cell in cells]
    if not all(names):
        return None
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _counts(
    pairs: Sequence[tuple[str, str]],
    words: Sequence[str],
    groups: npt.NDArray[np.int64] | None,
) -> _Counts:
    """Return (G, K, K), cells by group and by what both said; (K, K) for no groups."""
    place = {word: k for k, word in enumerate(words)}
    index = np.array([(place[a], place[b]) for a, b in pairs], np.int64).reshape(-1, 2)
    group = np.zeros(len(pairs), np.int64)
    n_groups = 0
    if groups is not None:
        names, group = np.unique(groups, return_inverse=True)
        n_groups = len(names)
    table = np.zeros((max(n_groups, 1), len(words), len(words)))
    np.add.at(table, (group, index[:, 0], index[:, 1]), 1)
    return table if n_groups else table[0]


def _against_rest(table: _Counts, word: int) -> _Counts:
    """Return (..., 2, 2): the word, and all the others taken together."""
    hit = table[..., word, word]
    row = table[..., word, :].sum(axis=-1) - hit
    column = table[..., :, word].sum(axis=-1) - hit
    rest = table.sum(axis=(-2, -1)) - hit - row - column
    return np.stack([np.stack([hit, row], -1), np.stack([column, rest], -1)], -2)


def _kappa(of: str, table: _Counts, rng: np.random.Generator) -> Kappa:
    """Return kappa with its interval; (G, K, K) draws groups, (K, K) draws cells."""
    whole = table if table.ndim == 2 else table.sum(axis=0)
    low, high = _interval(table, rng)
    n, alike = int(whole.sum()), int(np.trace(whole))
    return Kappa(of, n, alike, float(kappa_of(whole)), low, high)


def kappa_of(tables: _Counts) -> _Counts:
    """Return Cohen's kappa of (..., K, K) counts, nan where it is not defined."""
    n = tables.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.trace(tables, axis1=-2, axis2=-1) / n
        chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / n**2
        kappa = (alike - chance) / (1 - chance)
    return np.asarray(np.where(chance < 1, kappa, np.nan))


def _interval(table: _Counts, rng: np.random.Generator) -> tuple[float, float]:
    n = int(table.sum()) if table.ndim == 2 else len(table)
    if n < 2:
        return float("nan"), float("nan")
    starts = range(0, DRAWS, _CHUNK)
    drawn = np.concatenate([kappa_of(_drawn(table, n, rng)) for _ in starts])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _drawn(table: _Counts, n: int, rng: np.random.Generator) -> _Counts:
    """Return (_CHUNK, K, K) tables of units drawn with replacement."""
    if table.ndim == 2:
        drawn = rng.multinomial(n, table.ravel() / n, size=_CHUNK)
        return drawn.reshape(_CHUNK, *table.shape).astype(np.float64)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=_CHUNK)
    return np.tensordot(weights.astype(np.float64), table, axes=(1, 0))
