"""Agreement of two reviewers, and the cells on which they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from training.decisions.consensus import REJECTED, Settled, said, settle
from training.decisions.model import Decision

__all__ = [
    "PUBLISHED_KAPPA",
    "Agreement",
    "Kappa",
    "agreement_text",
    "compare",
    "disagreements",
    "kappa_interval",
    "kappa_of",
    "kappa_on_specimens",
    "kappa_text",
    "said",
]

PUBLISHED_KAPPA = 0.627
"""Two experts in each of three laboratories, 556 samples, one pattern of six:
Autoimmunity Reviews 2017, PII S1568997217302562."""

LEAST_SPECIMENS = 3
"""Fewer leave the width of an interval open."""

_ALIKE, _MOST = 1e-9, 0.999
"""Kappas that are the same; the largest of which Fisher's z is taken."""

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
        95 % over specimens; nan where they are not known, or tell no width.
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
        How many the intervals are over; None where they are not known.
    """

    overall: Kappa
    patterns: Kappa
    each: tuple[Kappa, ...]
    specimens: int | None


def compare(
    one: Mapping[str, Decision],
    other: Mapping[str, Decision],
    patterns: Mapping[str, str] | None = None,
    specimens: Mapping[str, str] | None = None,
) -> Agreement:
    """Compare two reviewers' standing decisions.

    Parameters
    ----------
    one, other
        By cell; only cells that both decided count.
    patterns
        The specimen's pattern of each cell, which *accepted* confirms. Without it
        *accepted* is a word of its own.
    specimens
        The specimen of each cell, as cells of one are alike; where one is not known,
        there is no interval.

    Notes
    -----
    Kappa is (p - q) / (1 - q), with p the share of cells decided alike and q the share
    expected if both decided at random with their own frequencies. Its interval is
    Student's about Fisher's z = artanh(kappa), whose standard error is that of leaving
    out one specimen at a time (the jackknife). Where leaving out a specimen changes
    nothing, or leaves kappa undefined, there is none.

    References
    ----------
    Cohen 1960, doi:10.1177/001316446002000104; Efron and Stein 1981,
    doi:10.1214/aos/1176345462
    """
    cells = [cell for cell in one if cell in other]
    pairs = [_pair(cell, one, other, patterns or {}) for cell in cells]
    kept = [k for k, pair in enumerate(pairs) if REJECTED not in pair]
    groups = _groups(cells, specimens)
    words = [
        word for word, _ in Counter(w for pair in pairs for w in pair).most_common()
    ]
    known = groups is not None
    table = _counts(pairs, words, groups)
    of_kept = [pairs[k] for k in kept]
    kept_groups = None if groups is None else groups[kept]
    return Agreement(
        _kappa("all", table, known),
        _kappa("patterns", _counts(of_kept, words, kept_groups), known),
        tuple(
            _kappa(word, _against_rest(table, k), known) for k, word in enumerate(words)
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
    over = (
        "No intervals: the specimens of the cells are not known."
        if found.specimens is None
        else f"Intervals: 95 %, over {found.specimens} specimens."
    )
    whole = (
        f"{reviewer} and {other}: {overall.alike} of {overall.n} cells alike "
        f"({overall.alike / overall.n:.0%}), Cohen's kappa {kappa_text(overall)}."
    )
    kept = (
        f"On the pattern, {patterns.n} cells: kappa {kappa_text(patterns)}; published "
        f"between laboratories, on samples: {PUBLISHED_KAPPA}."
    )
    each = [
        f"{one.of} against the rest: kappa {kappa_text(one)}." for one in found.each
    ]
    return [whole, kept, *each, over]


def kappa_text(one: Kappa) -> str:
    """Return kappa with its interval, as ``0.71 (0.52 to 0.83)``."""
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
    """Return (G, K, K), cells by group and by what both said; one group for None."""
    place = {word: k for k, word in enumerate(words)}
    index = np.array([(place[a], place[b]) for a, b in pairs], np.int64).reshape(-1, 2)
    group = np.zeros(len(pairs), np.int64)
    if groups is not None:
        group = np.unique(groups, return_inverse=True)[1]
    table = np.zeros((group.max(initial=0) + 1, len(words), len(words)))
    np.add.at(table, (group, index[:, 0], index[:, 1]), 1)
    return table


def _against_rest(table: _Counts, word: int) -> _Counts:
    """Return (..., 2, 2): the word, and all the others taken together."""
    hit = table[..., word, word]
    row = table[..., word, :].sum(axis=-1) - hit
    column = table[..., :, word].sum(axis=-1) - hit
    rest = table.sum(axis=(-2, -1)) - hit - row - column
    return np.stack([np.stack([hit, row], -1), np.stack([column, rest], -1)], -2)


def _kappa(
    of: str, table: _Counts, specimens_known: bool, apart: _Counts | None = None
) -> Kappa:
    """Return kappa of (G, K, K) counts, with its interval where G are specimens."""
    whole = table.sum(axis=0)
    low, high = kappa_interval(table, apart) if specimens_known else (np.nan, np.nan)
    n, alike = int(whole.sum()), int(np.trace(whole))
    return Kappa(of, n, alike, float(kappa_of(whole, apart)), low, high)


def kappa_on_specimens(
    of: str,
    pairs: Sequence[tuple[str, str]],
    words: Sequence[str],
    apart: _Counts | None = None,
) -> Kappa:
    """Return kappa of two words on each specimen, with its interval over them.

    Parameters
    ----------
    of
        What was compared.
    words
        All that can be said.
    apart
        As `kappa_of` takes it.
    """
    table = _counts(pairs, words, np.arange(len(pairs)))
    return _kappa(of, table, bool(pairs), apart)


def kappa_of(tables: _Counts, apart: _Counts | None = None) -> _Counts:
    """Return Cohen's kappa of (..., K, K) counts, nan where it is not defined.

    Parameters
    ----------
    apart : (K, K) float64
        How much each two words differ, 0 on the diagonal; weighted kappa. Without it
        every difference weighs the same.
    """
    weights = 1 - np.eye(tables.shape[-1]) if apart is None else apart
    chance = tables.sum(axis=-1)[..., :, None] * tables.sum(axis=-2)[..., None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (weights * tables).sum(axis=(-2, -1))
        expected = (weights * chance).sum(axis=(-2, -1)) / tables.sum(axis=(-2, -1))
        kappa = 1 - found / expected
    return np.asarray(np.where(expected > 0, kappa, np.nan))


def kappa_interval(
    tables: _Counts, apart: _Counts | None = None
) -> tuple[float, float]:
    """Return the 95 % interval of kappa over specimens, nan where there is none.

    Parameters
    ----------
    tables : (G, K, K) float64
        Cells of each specimen by what both reviewers said.
    apart
        As `kappa_of` takes it.
    """
    count, whole = len(tables), tables.sum(axis=0)
    left_out = kappa_of(whole - tables, apart)
    kappa = float(kappa_of(whole, apart))
    told = count >= LEAST_SPECIMENS and np.isfinite([*left_out, kappa]).all()
    if not told or np.ptp(left_out) < _ALIKE:
        return np.nan, np.nan
    z, left_out = (np.arctanh(np.clip(k, -_MOST, _MOST)) for k in (kappa, left_out))
    error = np.sqrt((count - 1) * left_out.var())
    low, high = np.tanh(z + stdtrit(count - 1, [0.025, 0.975]) * error)
    return float(low), float(high)
