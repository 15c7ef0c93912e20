from datetime import UTC, datetime

import pytest

from napari_hep2.agreement import agreement_text, compare
from training.data.curation import Decision


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


def test_only_cells_that_both_decided_count():
    one = said(a="accepted", b="rejected", c="accepted", d="cleared")
    other = said(a="accepted", b="accepted", d="accepted", e="accepted")
    found = compare(one, other)
    assert (found.n, found.alike) == (2, 1)


def test_kappa_by_hand():
    """Both accept 20, both reject 15, 5 and 10 split: p = 0.7, q = 0.5, kappa 0.4."""
    one, other = {}, {}
    verdicts = (("accepted", "accepted", 20), ("rejected", "rejected", 15))
    splits = (("accepted", "rejected", 5), ("rejected", "accepted", 10))
    for k, (first, second, n) in enumerate((*verdicts, *splits)):
        for i in range(n):
            one |= said(**{f"c{k}_{i}": first})
            other |= said(**{f"c{k}_{i}": second})
    found = compare(one, other)
    assert (found.n, found.alike) == (50, 35)
    assert found.kappa == pytest.approx(0.4)


def test_another_pattern_is_another_word():
    assert compare(said(a="Golgi"), said(a="Speckled")).alike == 0
    assert compare(said(a="Golgi"), said(a="Golgi")).alike == 1


def test_the_sentence():
    found = compare(said(a="accepted", b="rejected"), said(a="accepted", b="rejected"))
    assert agreement_text("A", "B", found) == (
        "A and B: 2 of 2 cells alike (100%), Cohen's kappa 1.00."
    )
    none = compare({}, said(a="accepted"))
    assert agreement_text("A", "B", none) == "A and B have no decided cell in common."
    alike = compare(said(a="accepted"), said(a="accepted"))
    assert agreement_text("A", "B", alike).endswith("kappa not defined.")
