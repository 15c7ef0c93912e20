"""What is said of specimens: append-only, and apart from what trains."""

import sqlite3
from datetime import UTC, datetime

import pytest

from training.decisions.applied import STORE, last_step, standing_decisions
from training.decisions.consensus import settle
from training.decisions.specimens import (
    SPECIMENS,
    Answer,
    answer_of,
    checked_answer,
    first_answers,
    give_answer,
    has_decisions,
    known_answers,
    read_sayings,
    reported_result,
    specimen_store,
    take_back,
    told_text,
)
from training.decisions.store import DecisionStore
from training.errors import BadSettingError, StorageError, UnknownPatternError

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


GOLGI = Answer("positive", ("AC-22",))


def say(folder, specimen, reviewer, answer=GOLGI):
    give_answer(folder, specimen, reviewer, answer, lambda: TIME)


def test_what_stands_of_each_specimen(tmp_path):
    whole = Answer("positive", ("AC-3", "AC-4/5"), "++", "1:320", "weak rim; + dots")
    say(tmp_path, "7", "anna")
    say(tmp_path, "7", "anna", whole)
    say(tmp_path, "7", "bert", Answer("negative", titre="<1:80"))
    say(tmp_path, "8", "bert", Answer("borderline"))
    found = read_sayings(tmp_path)
    assert {k: [(o.reviewer, answer_of(o)) for o in v] for k, v in found.items()} == {
        "7": [("anna", whole), ("bert", Answer("negative", titre="<1:80"))],
        "8": [("bert", Answer("borderline"))],
    }
    assert set(read_sayings(tmp_path, ["8"])) == {"8"}
    assert found["7"][0].time == TIME
    assert whole.text == (
        "positive ++ 1:320: AC-3 Centromere; AC-4/5 Speckled (weak rim; + dots)"
    )


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (("positive", ["golgi", " ac-3"], "+", "160"), ("AC-22", "AC-3", "+", "1:160")),
        (("positive", ["3", "Centromere"], "", "> 1:5120"), ("AC-3", "", ">1:5120")),
        (("negative", ["AC-0"], "", ""), ("", "")),
        (("borderline", ["AC-2/4/5"], "", ""), ("AC-2/4/5", "", "")),
    ],
)
def test_an_answer_as_it_is_typed(typed, answer):
    *codes, grade, titre = answer
    if typed[0] == "negative":
        codes = []
    assert checked_answer(*typed) == Answer(typed[0], tuple(codes), grade, titre)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (("weak",), "use negative, borderline, positive"),
        (("negative", ["AC-1"]), "it goes with no pattern"),
        (("positive", ["AC-0"]), "goes with negative alone"),
        (("negative", [], "+"), "only positive has one"),
        (("positive", [], "+++++"), "only positive has one"),
        (("positive", [], "", "weak"), "write it as 1:160"),
        (("positive", [], "", "1:0"), "write it as 1:160"),
        (("positive", [], "", "", "x" * 1001), "it has 1001 characters"),
    ],
)
def test_an_answer_that_does_not_go_together_is_a_sentence(typed, fault):
    with pytest.raises(BadSettingError, match=fault):
        checked_answer(*typed)


def test_a_pattern_that_nobody_numbered_is_a_sentence():
    with pytest.raises(UnknownPatternError, match="decisions patterns"):
        checked_answer("positive", ["AC-77"])


@pytest.mark.parametrize(
    ("codes", "outside", "reported"),
    [
        (("AC-21",), "positive", "positive"),
        (("AC-21", "AC-26"), "negative", "negative"),
        (("AC-21", "AC-1"), "negative", "positive"),
        ((), "negative", "positive"),
    ],
)
def test_cytoplasmic_and_mitotic_patterns_are_reported_as_the_laboratory_does(
    codes, outside, reported
):
    assert reported_result(Answer("positive", codes), outside) == reported


def test_a_line_tells_where_another_result_is_reported():
    told = {"reviewer": "anna", "text": "positive: x", "result": "positive"}
    assert told_text({**told, "reported": "positive"}) == "anna: positive: x"
    assert told_text({**told, "reported": "negative"}).endswith("reported as negative")


def test_nothing_senseless_is_kept(tmp_path):
    with DecisionStore(tmp_path / SPECIMENS, "anna") as store:
        for result, grade in (("negative", "+"), ("positive", "x"), ("eaten", "")):
            with pytest.raises(ValueError, match=r"."):
                store.answer("1", result, grade=grade)
        with pytest.raises(ValueError, match="takes no pattern"):
            store.answer("1", "negative", ("AC-1",))
        assert store.last_step == 0
    with pytest.raises(ValueError, match="has a result"):
        say(tmp_path, "1", "anna", Answer(None))


def test_what_is_taken_back_stays_in_the_history(tmp_path):
    say(tmp_path, "7", "anna")
    take_back(tmp_path, "7", "anna", lambda: TIME)
    assert read_sayings(tmp_path) == {}
    with DecisionStore(tmp_path / SPECIMENS, "anna") as store:
        history = [event.decision.verdict for event in store.history("7")]
    assert history == ["positive", "cleared"]
    db = sqlite3.connect(tmp_path / SPECIMENS)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        db.execute("UPDATE decisions SET pattern = 'AC-1'")
    db.close()


def test_training_reads_nothing_of_it(tmp_path):
    with DecisionStore(tmp_path / STORE, "anna") as store:
        store.decide(["1_p0_0001"], "rejected")
    before = (standing_decisions(tmp_path), last_step(tmp_path))
    say(tmp_path, "1", "anna")
    say(tmp_path, "1_p0_0001", "anna")
    assert (standing_decisions(tmp_path), last_step(tmp_path)) == before


def test_an_answer_among_decisions_on_cells_decides_on_none(tmp_path):
    with DecisionStore(tmp_path / STORE, "anna") as store:
        store.answer("1_p0_0001", "positive", ("AC-22",))
        (said,) = store.current().values()
    assert settle([said]).together == "undecided"


def test_where_it_lies(tmp_path):
    assert specimen_store(tmp_path) == tmp_path / SPECIMENS
    assert specimen_store(tmp_path / STORE) == tmp_path / SPECIMENS
    assert not has_decisions(tmp_path)
    assert read_sayings(tmp_path) == read_sayings(None) == {}
    assert list(tmp_path.iterdir()) == []
    say(tmp_path, "1", "anna")
    assert has_decisions(tmp_path)
    assert has_decisions(tmp_path / STORE)
    assert set(read_sayings(tmp_path / STORE)) == {"1"}


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(StorageError, match="no such folder"):
        say(tmp_path / "none", "1", "anna")


def test_the_first_answer_counts_whatever_came_later(tmp_path):
    assert first_answers(tmp_path, "anna") == {}
    say(tmp_path, "1", "anna", Answer("negative"))
    say(tmp_path, "1", "anna")
    take_back(tmp_path, "1", "anna")
    say(tmp_path, "2", "anna", Answer("positive", (), "+", "1:80", "so"))
    say(tmp_path, "3", "bert")
    assert first_answers(tmp_path, "anna") == {
        "1": Answer("negative"),
        "2": Answer("positive", (), "+", "1:80", "so"),
    }
    assert known_answers(tmp_path, "bert") == {"3": GOLGI}
