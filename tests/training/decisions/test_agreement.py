"""Kappa by hand, its interval over specimens, and the cells disagreed on."""

from datetime import UTC, datetime

import numpy as np
import pytest

from training.decisions.agreement import (
    PUBLISHED_KAPPA,
    agreement_text,
    compare,
    disagreements,
    kappa_interval,
    kappa_of,
)
from training.decisions.model import Decision


def said(**verdicts):
    """Decisions by cell: ``a="accepted"`` or ``a="Golgi"`` for another pattern."""
    plain = ("accepted", "rejected", "cleared")
    return {
        cell: Decision(
            cell,
            "r",
            verdict if verdict in plain else "relabelled",
            None if verdict in plain else verdict,
            None,
            datetime(2024, 1, 1, tzinfo=UTC),
        )
        for cell, verdict in verdicts.items()
    }


def made(*cases):
    """Return two readers' decisions: each case is what both said and of how many."""
    one, other = {}, {}
    for k, (first, second, n) in enumerate(cases):
        for i in range(n):
            one |= said(**{f"c{k}_{i}": first})
            other |= said(**{f"c{k}_{i}": second})
    return one, other


def test_only_cells_that_both_decided_count():
    one = said(a="accepted", b="rejected", c="accepted")
    other = said(a="accepted", b="accepted", e="accepted")
    found = compare(one, other).overall
    assert (found.n, found.alike) == (2, 1)


def test_kappa_by_hand():
    """Both accept 20, both reject 15, 5 and 10 split: p = 0.7, q = 0.5, kappa 0.4."""
    one, other = made(
        ("accepted", "accepted", 20),
        ("rejected", "rejected", 15),
        ("accepted", "rejected", 5),
        ("rejected", "accepted", 10),
    )
    found = compare(one, other)
    assert (found.overall.n, found.overall.alike) == (50, 35)
    assert found.overall.kappa == pytest.approx(0.4)
    assert np.isnan(found.overall.low), "specimens are not known"
    assert [each.kappa for each in found.each] == pytest.approx([0.4, 0.4])
    assert found.specimens is None


def test_each_pattern_against_the_rest_by_hand():
    """Golgi: both 4, one alone 1, other alone 1, neither 4: p 0.8, q 0.5, kappa 0.6."""
    one, other = made(
        ("Golgi", "Golgi", 4),
        ("Golgi", "Speckled", 1),
        ("Speckled", "Golgi", 1),
        ("Speckled", "Speckled", 2),
        ("rejected", "rejected", 2),
    )
    found = compare(one, other)
    by_word = {each.of: each for each in found.each}
    assert by_word["Golgi"].kappa == pytest.approx(0.6)
    assert by_word["rejected"].kappa == pytest.approx(1)
    assert by_word["Golgi"].n == 10
    # On the pattern: 8 cells, p = 6/8, q = (5/8)^2 + (3/8)^2.
    assert (found.patterns.n, found.patterns.alike) == (8, 6)
    chance = (25 + 9) / 64
    assert found.patterns.kappa == pytest.approx((0.75 - chance) / (1 - chance))


def test_accepted_confirms_the_pattern_of_the_specimen():
    patterns = {"a": "Golgi", "b": "Golgi"}
    one, other = said(a="accepted", b="accepted"), said(a="Golgi", b="Speckled")
    assert compare(one, other).overall.alike == 0
    assert compare(one, other, patterns).overall.alike == 1


def test_kappa_of_nothing_and_of_one_word_is_not_defined():
    assert np.isnan(compare({}, said(a="accepted")).overall.kappa)
    alike = compare(said(a="accepted"), said(a="accepted")).overall
    assert np.isnan(alike.kappa)
    assert np.isnan(kappa_of(np.zeros((2, 2))))
    assert kappa_of(np.array([[0, 1], [1, 0]])) == -1


def test_the_interval_is_over_whole_specimens():
    """Specimens that agree or not as a whole, of however many cells: a wide interval.

    Leaving out one of six equal specimens moves kappa from 0 to 0.2 or -0.2.
    """
    for cells in (6, 60):
        one, other, specimens = {}, {}, {}
        for s in range(6):
            for k in range(cells):
                cell = f"s{s}_{k}"
                first = ("Golgi", "Speckled")[k % 2]
                second = first if s % 2 else ("Speckled", "Golgi")[k % 2]
                one |= said(**{cell: first})
                other |= said(**{cell: second})
                specimens[cell] = f"s{s}"
        found = compare(one, other, specimens=specimens)
        assert found.specimens == 6
        assert found.overall.kappa == pytest.approx(0)
        reach = np.tanh(2.5706 * np.sqrt(5) * np.arctanh(0.2))
        ends = found.overall.low, found.overall.high
        assert ends == pytest.approx((-reach, reach), abs=1e-4)


def test_one_specimen_gives_no_interval():
    one, other = made(("Golgi", "Golgi", 5), ("Speckled", "Golgi", 5))
    specimens = dict.fromkeys(one, "s")
    found = compare(one, other, specimens=specimens)
    assert found.specimens == 1
    assert np.isnan(found.overall.low)
    assert "(no interval)" in agreement_text("A", "B", found)[0]


def test_an_unknown_specimen_means_that_there_is_no_interval():
    one, other = made(
        ("Golgi", "Golgi", 4), ("Speckled", "Speckled", 4), ("Golgi", "Speckled", 2)
    )
    specimens = {cell: f"s{k}" for k, cell in enumerate(one)}
    assert not np.isnan(compare(one, other, specimens=specimens).patterns.low)
    specimens.popitem()
    found = compare(one, other, specimens=specimens)
    assert found.specimens is None
    assert np.isnan(found.patterns.low)


def test_specimens_that_are_all_alike_tell_no_width():
    tables = np.tile([[4.0, 1], [1, 4]], (8, 1, 1))
    assert np.isnan(kappa_interval(tables)).all()
    tables[0] = [[5, 0], [0, 5]]
    assert not np.isnan(kappa_interval(tables)).any()


def test_the_cells_disagreed_on():
    ann = said(a="accepted", b="rejected", c="Golgi", d="accepted")
    bob = said(a="accepted", b="accepted", c="accepted")
    standing = {c: (ann[c], *([bob[c]] if c in bob else [])) for c in ann}
    assert list(disagreements(standing)) == ["b", "c"]
    found = disagreements(standing, {"c": "Golgi"})
    assert {cell: one.together for cell, one in found.items()} == {"b": "open"}


def test_the_sentences():
    one, other = made(("accepted", "accepted", 2), ("rejected", "rejected", 2))
    lines = agreement_text("A", "B", compare(one, other))
    assert lines[0].startswith("A and B: 4 of 4 cells alike (100%), Cohen's kappa 1.00")
    assert str(PUBLISHED_KAPPA) in lines[1]
    assert lines[-1] == "No intervals: the specimens of the cells are not known."
    nothing = agreement_text("A", "B", compare({}, {}))
    assert nothing == ["A and B have no decided cell in common."]
