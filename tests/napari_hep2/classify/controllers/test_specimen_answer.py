"""What a specimen is as a decision with a name, without a window."""

from datetime import UTC, datetime

import pytest

from napari_hep2.classify.controllers.specimen_answer import SayingController
from napari_hep2.classify.state import SayingState
from napari_hep2.jobs import run_here
from training.decisions.applied import STORE
from training.decisions.specimens import SPECIMENS, Answer, read_sayings

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOLGI = Answer("positive", ("AC-22",))


@pytest.fixture
def saying(state, review):
    return SayingController(state, SayingState(), clock=lambda: TIME)


def test_a_pattern_is_said_with_name_and_time(state, saying, specimens):
    state.reviewer = "Anna"
    saying.say(Answer("positive", ("AC-11/12",)))
    (said,) = saying.found.sayings
    assert (said.reviewer, said.pattern, said.time) == ("Anna", "AC-11/12", TIME)
    assert saying.lines()[0].startswith(
        "positive: AC-11/12 Nuclear envelope, Anna, 2026-01-02 "
    )
    assert state.message == "The decision of Anna on specimen 1 is saved."
    assert (specimens / SPECIMENS).is_file()
    assert not (specimens / STORE).exists()


def test_it_changes_neither_cells_nor_their_counts(state, review, saying):
    before = (state.decisions, review.progress.count(), state.pattern)
    saying.say(GOLGI)
    assert (state.decisions, review.progress.count(), state.pattern) == before
    review.select_cell(str(state.review.ids[1]))
    review.decisions.accept()
    review.decisions.undo()
    review.decisions.undo()
    assert saying.own() == GOLGI


def test_it_is_said_anew_and_taken_back(state, saying):
    saying.say(GOLGI)
    saying.say(Answer("negative"))
    assert saying.own() == Answer("negative")
    assert saying.lines()[0].startswith("negative, reviewer")
    saying.take_back()
    assert saying.own() is None
    assert saying.found.sayings == ()
    assert state.message.endswith("is withdrawn.")
    saying.take_back()
    assert saying.own() is None


def test_each_reviewer_speaks_for_themselves(state, review, saying):
    saying.say(GOLGI)
    review.decision_session.set_reviewer("second")
    assert saying.own() is None
    assert len(saying.found.sayings) == 1
    saying.say(Answer("positive", ("AC-11/12",)))
    assert len(saying.found.sayings) == 2
    state.blind = True
    assert [one.reviewer for one in saying.found.sayings] == ["second"]
    state.blind = False
    assert len(saying.found.sayings) == 2


def test_the_next_specimen_has_its_own(state, specimen, saying):
    saying.say(GOLGI)
    run_here(specimen.open_frame(1))
    assert saying.found.sayings == ()
    run_here(specimen.open_frame(0))
    assert saying.own() == GOLGI


def test_it_goes_where_the_decisions_on_the_frame_go(state, saying, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state.store = elsewhere
    saying.say(GOLGI)
    assert set(read_sayings(elsewhere)) == {"1"}


def test_a_damaged_file_is_a_sentence(state, saying, specimens):
    (specimens / SPECIMENS).write_bytes(b"no database at all, but long enough" * 50)
    saying.refresh()
    assert SPECIMENS in state.fault
    saying.say(GOLGI)
    assert SPECIMENS in state.fault
    assert saying.found.sayings == ()


def test_without_a_specimen_it_is_told(state):
    saying = SayingController(state, SayingState())
    saying.say(GOLGI)
    assert state.fault.startswith("Open a specimen first")
    assert saying.lines() == []
