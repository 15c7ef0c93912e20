"""Decisions as mappings over stored rows: what they hold, and when they are new."""

import gc

import pytest

from training.decisions.current import Decisions, Opinions, times_of, words_of
from training.decisions.model import Decision
from training.decisions.store import DecisionStore


@pytest.fixture
def store(tmp_path):
    with DecisionStore(tmp_path / "s", "ann") as made:
        made.decide(["a", "b"], "accepted")
        made.decide(["c"], "relabelled", "Golgi")
        yield made


def test_it_is_a_mapping_of_decisions(store):
    found = store.current()
    assert list(found) == ["a", "b", "c"]
    assert isinstance(found["c"], Decision)
    assert found["c"].pattern == "Golgi"
    assert found.get("x") is None
    assert found.get("x", 1) == 1
    assert "b" in found
    assert "x" not in found
    with pytest.raises(KeyError):
        found["x"]
    assert found == dict(found.items())
    assert list(words_of(found)) == list(words_of(dict(found)))
    assert list(times_of(found)) == list(times_of(dict(found)))


def test_the_same_decisions_of_another_file_are_equal(store, tmp_path):
    """A merged store numbers its steps anew."""
    with DecisionStore(tmp_path / "t", "bob") as other:
        other.decide(["a"], "rejected")
        other.merge(store.records())
        assert other.current("ann") == store.current()
        assert other.current("bob") != store.current()
        store.decide(["a"], "rejected")
        assert other.current("ann") != store.current()


def test_it_is_a_new_object_only_where_something_changed(store):
    before = store.current()
    same = before.renewed(["a", "x"], store.current(cells=["a", "x"]))
    assert same is before
    store.decide(["a"], "rejected")
    store.decide(["b"], "cleared")
    cells = ["a", "b"]
    after = before.renewed(cells, store.current(cells=cells))
    assert before["a"].verdict == "accepted", "what was shown is not changed"
    assert after == store.current()
    assert set(after) == {"a", "c"}


def test_opinions_hold_one_decision_a_reader(store, tmp_path):
    with DecisionStore(store.path, "bob") as bob:
        bob.decide(["b", "d"], "rejected")
    found = Opinions([store.current(), store.current("bob")])
    assert {cell: len(said) for cell, said in found.items()} == {
        "a": 1,
        "b": 2,
        "c": 1,
        "d": 1,
    }
    assert len(found) == 4
    assert "x" not in found
    with pytest.raises(KeyError):
        found["x"]
    assert not Opinions([Decisions("ann", {})])
    assert Opinions() == {}
    cells = ["b", "d"]
    readers = [store.current(name, cells) for name in ("ann", "bob")]
    assert found.renewed(cells, Opinions(readers)) is found
    new = found.renewed(["a"], Opinions([*readers, Decisions("eva", {})]))
    assert "a" not in new
    assert [one.reviewer for one in new.readers] == ["ann", "bob", "eva"]


def test_thousands_of_decisions_are_no_work_for_the_collector(tmp_path):
    """Kept as objects they held the window up for half a second at each round."""
    cells = [f"c{k}" for k in range(5000)]
    gc.collect()
    before = len(gc.get_objects())
    with DecisionStore(tmp_path / "s", "ann") as made:
        made.decide(cells, "accepted")
        made.flag(cells, True)
        kept = made.current(), made.marks()
        gc.collect()
        assert len(gc.get_objects()) - before < 1000
        assert [len(one) for one in kept] == [5000, 5000]
