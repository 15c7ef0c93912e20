"""What is said of specimens: append-only, and apart from what trains."""

import sqlite3
from datetime import UTC, datetime

import pytest

from training.decisions.applied import STORE, last_step, standing_decisions
from training.decisions.specimens import (
    NONE_OF_THESE,
    SPECIMENS,
    has_decisions,
    read_sayings,
    say_pattern,
    saying_text,
    specimen_store,
    take_back,
)
from training.decisions.store import DecisionStore
from training.errors import StorageError
from training.patterns import I3A

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def say(folder, specimen, reviewer, pattern):
    say_pattern(folder, specimen, reviewer, pattern, lambda: TIME)


def test_what_stands_of_each_specimen(tmp_path):
    say(tmp_path, "7", "anna", "Golgi")
    say(tmp_path, "7", "anna", "NuMem")
    say(tmp_path, "7", "bert", None)
    say(tmp_path, "8", "bert", "Golgi")
    found = read_sayings(tmp_path)
    assert {k: [(o.reviewer, o.pattern) for o in v] for k, v in found.items()} == {
        "7": [("anna", "NuMem"), ("bert", None)],
        "8": [("bert", "Golgi")],
    }
    assert set(read_sayings(tmp_path, ["8"])) == {"8"}
    assert found["7"][0].time == TIME
    assert [saying_text(one, I3A) for one in found["7"]] == [
        "Nuclear membrane",
        NONE_OF_THESE,
    ]


def test_what_is_taken_back_stays_in_the_history(tmp_path):
    say(tmp_path, "7", "anna", "Golgi")
    take_back(tmp_path, "7", "anna", lambda: TIME)
    assert read_sayings(tmp_path) == {}
    with DecisionStore(tmp_path / SPECIMENS, "anna") as store:
        history = [event.decision.verdict for event in store.history("7")]
    assert history == ["relabelled", "cleared"]
    db = sqlite3.connect(tmp_path / SPECIMENS)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        db.execute("UPDATE decisions SET pattern = 'NuMem'")
    db.close()


def test_training_reads_nothing_of_it(tmp_path):
    with DecisionStore(tmp_path / STORE, "anna") as store:
        store.decide(["1_p0_0001"], "rejected")
    before = (standing_decisions(tmp_path), last_step(tmp_path))
    say(tmp_path, "1", "anna", "Golgi")
    say(tmp_path, "1_p0_0001", "anna", "Golgi")
    assert (standing_decisions(tmp_path), last_step(tmp_path)) == before


def test_where_it_lies(tmp_path):
    assert specimen_store(tmp_path) == tmp_path / SPECIMENS
    assert specimen_store(tmp_path / STORE) == tmp_path / SPECIMENS
    assert not has_decisions(tmp_path)
    assert read_sayings(tmp_path) == read_sayings(None) == {}
    assert list(tmp_path.iterdir()) == []
    say(tmp_path, "1", "anna", "Golgi")
    assert has_decisions(tmp_path)
    assert has_decisions(tmp_path / STORE)
    assert set(read_sayings(tmp_path / STORE)) == {"1"}


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(StorageError, match="no such folder"):
        say(tmp_path / "none", "1", "anna", "Golgi")
