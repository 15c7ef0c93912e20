"""The list of promises, and the page that the tests write."""

import re
from pathlib import Path

import promises
import pytest

HERE = Path(__file__).parent
NAMED = re.compile(r'pytest\.mark\.promise\("([\w-]+)"\)')


def _figure(promise="kill", reached="3 kills, 0 lost", suite="quick", test="a.py::b"):
    return promises.Figure(promise, test, reached, suite, "2026-01-02", 1.5, "Linux")


@pytest.fixture
def places(tmp_path):
    return tmp_path / "figures.json", tmp_path / "page.md", tmp_path / "details.md"


def test_every_promise_has_a_test_and_every_test_a_promise():
    named = {
        key
        for path in HERE.glob("**/test_*.py")
        for key in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert named == {promise.key for promise in promises.PROMISES}


def test_each_promise_has_its_own_word():
    keys = [promise.key for promise in promises.PROMISES]
    assert len(set(keys)) == len(keys)


def test_the_page_says_what_was_reached_and_what_was_not_measured(places):
    promises.write_figures([_figure()], *places)
    page = places[1].read_text()
    (row,) = [line for line in page.splitlines() if "survives SIGKILL" in line]
    place = "reliability-figures.md#a-saved-decision-survives-sigkill"
    assert f"| 3 kills, 0 lost ([quick, 2026-01-02]({place})) |" in row
    assert page.count("**not measured**") == len(promises.PROMISES) - 1
    details = places[2].read_text()
    assert "### A saved decision survives SIGKILL\n" in details
    assert "3 kills, 0 lost (quick, 2026-01-02) | `a.py::b` | 2 |  | Linux |" in details


def test_the_page_shows_the_figure_of_the_higher_count_and_the_seconds_of_both(places):
    both = [_figure(), _figure(suite="long", reached="9 kills, 0 lost")]
    promises.write_figures(both, *places)
    details = places[2].read_text()
    assert (
        "| 9 kills, 0 lost (long, 2026-01-02) | `a.py::b` | 2 | 2 | Linux |" in details
    )
    assert "3 kills" not in details + places[1].read_text()


def test_the_summary_shows_the_main_figure_and_the_details_show_all(places):
    (kill,) = (one for one in promises.PROMISES if one.key == "kill")
    figures = [_figure(), _figure(test=f"a.py::{kill.main}[x]", reached="5 kills")]
    promises.write_figures(figures, *places)
    assert "5 kills" in places[1].read_text()
    assert "3 kills" not in places[1].read_text()
    assert {"5 kills", "3 kills"} <= set(re.findall(r"\d kills", places[2].read_text()))


def test_the_main_figure_of_each_promise_is_of_one_of_its_tests():
    figures = promises.read_figures().values()
    for promise in promises.PROMISES:
        names = {promises._name(f.test) for f in figures if f.promise == promise.key}
        assert any(name.startswith(promise.main) for name in names), promise.key


def test_a_later_figure_takes_the_place_of_the_earlier_of_its_suite(places):
    promises.write_figures([_figure(), _figure(suite="long")], *places)
    promises.write_figures([_figure(reached="9 kills, 0 lost")], *places)
    kept = promises.read_figures(places[0])
    assert {key: one.reached for key, one in kept.items()} == {
        "a.py::b quick": "9 kills, 0 lost",
        "a.py::b long": "3 kills, 0 lost",
    }


def test_figures_of_promises_no_longer_made_are_dropped(places):
    promises.write_figures([_figure(promise="gone")], *places)
    assert promises.read_figures(places[0]) == {}


def test_the_pages_in_the_documentation_are_those_of_the_recorded_figures():
    figures = promises.read_figures()
    in_order = [one for _, one in sorted(figures.items())]
    assert promises.PAGE.read_text(encoding="utf-8") == promises.page_of(in_order)
    details = promises.details_of(in_order)
    assert promises.DETAILS.read_text(encoding="utf-8") == details


def test_a_figure_that_does_not_hold_fails():
    with pytest.raises(AssertionError, match="1 lost"):
        promises.Reached().reached("1 lost", met=False)
