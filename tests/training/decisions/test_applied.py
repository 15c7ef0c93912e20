import pandas as pd
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import write_cell_folder
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.decisions.applied import (
    STORE,
    ReviewManifest,
    apply_decisions,
    review_cells,
    standing_decisions,
)
from training.decisions.store import DecisionStore


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "id": ["a", "b", "c", "d", "e"],
            "pattern": ["Golgi"] * 5,
            "dropped": ["", "", "", "border", ""],
        }
    )


@pytest.fixture
def decide(tmp_path):
    def write(reviewer, *decisions):
        with DecisionStore(tmp_path / STORE, reviewer) as store:
            for cell, verdict, pattern in decisions:
                store.decide([cell], verdict, pattern)

    return write


def test_without_decisions_nothing_changes(tmp_path, table):
    changed, notes = apply_decisions(table, standing_decisions(tmp_path))
    assert changed.equals(table)
    assert notes == []


def test_each_verdict(tmp_path, table, decide):
    decide(
        "ann",
        ("a", "rejected", None),
        ("b", "relabelled", "NuMem"),
        ("d", "accepted", None),
    )
    changed, notes = apply_decisions(table, standing_decisions(tmp_path))
    assert changed["dropped"].tolist() == ["rejected", "", "", "", ""]
    assert changed["pattern"].tolist() == ["Golgi", "NuMem", "Golgi", "Golgi", "Golgi"]
    assert table["dropped"].tolist() == ["", "", "", "border", ""]
    assert notes == [
        "1 cells were accepted by reviewers",
        "1 cells were rejected by reviewers and left out",
        "1 cells were relabelled by reviewers",
    ]


def test_a_decision_that_was_undone_does_not_count(tmp_path, table):
    with DecisionStore(tmp_path / STORE, "ann") as store:
        store.decide(["a"], "rejected")
        store.undo()
    changed, _ = apply_decisions(table, standing_decisions(tmp_path))
    assert changed["dropped"][0] == ""


def test_where_reviewers_disagree_the_cell_is_left_out(tmp_path, table, decide):
    decide("ann", ("a", "accepted", None), ("b", "accepted", None))
    decide("bob", ("a", "rejected", None), ("b", "accepted", None))
    changed, notes = apply_decisions(table, standing_decisions(tmp_path))
    assert changed["dropped"].tolist() == ["disagreed", "", "", "border", ""]
    assert (
        "1 cells were left out because reviewers disagree without a consensus" in notes
    )


def test_a_third_reviewer_settles_a_disagreement(tmp_path, table, decide):
    """What two of three say is taken; where all three differ the cell is left out."""
    table["specimen"] = "1"
    decide("ann", *((cell, "accepted", None) for cell in "abcde"))
    decide(
        "bob",
        ("a", "rejected", None),
        ("b", "rejected", None),
        ("c", "relabelled", "NuMem"),
        ("d", "rejected", None),
        ("e", "relabelled", "Golgi"),
    )
    changed, _ = apply_decisions(table, standing_decisions(tmp_path))
    assert changed["dropped"].tolist() == [*["disagreed"] * 4, ""]
    decide(
        "eva",
        ("a", "accepted", None),
        ("b", "rejected", None),
        ("c", "relabelled", "NuMem"),
        ("d", "relabelled", "NuMem"),
    )
    changed, notes = apply_decisions(table, standing_decisions(tmp_path))
    assert changed["dropped"].tolist() == ["", "rejected", "", "disagreed", ""]
    assert changed["pattern"].tolist() == ["Golgi", "Golgi", "NuMem", "Golgi", "Golgi"]
    assert "3 cells that reviewers disagree on follow the consensus" in notes
    manifest = review_cells(tmp_path, table, "not-rejected").manifest
    assert (manifest.settled, manifest.disagreed) == (3, 1)
    assert (manifest.accepted, manifest.rejected, manifest.relabelled) == (2, 1, 1)
    old = manifest.content()
    del old["settled"]
    assert ReviewManifest.from_content(old).settled == 0, "of an earlier version"


def test_training_follows_the_decisions(tmp_path, write_task2, monkeypatch):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "cells"
    list(
        write_cell_folder(
            read_collection(write_task2(tmp_path / "s")),
            out,
            ExtractionSettings(),
            SegmentationSettings(),
        )
    )
    before = load_cell_set(out)
    with DecisionStore(out / STORE, "ann") as store:
        store.decide([str(before.ids[0])], "rejected")
        store.decide([str(before.ids[1])], "relabelled", "NuMem")
    after = load_cell_set(out)
    assert len(after) == len(before) - 1
    assert before.ids[0] not in after.ids
    assert after.patterns[0] == after.vocabulary.index("NuMem")
