"""The commands on decisions, by what they print and by their exit codes."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.data.cells.files import NUCLEI
from training.data.cells.identity import KnownNucleus
from training.data.cells.nuclei_file import write_nuclei
from training.decisions.applied import STORE
from training.decisions.specimens import SPECIMENS
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, BadLayoutError, BadSettingError


@pytest.fixture
def folder(tmp_path):
    """A folder in which two reviewers decided; b and c they disagree on."""
    made = tmp_path / "cells"
    made.mkdir()
    with (
        DecisionStore(made / STORE, "ann") as ann,
        DecisionStore(made / STORE, "bob") as bob,
    ):
        ann.decide(["a", "b", "c", "d"], "accepted")
        bob.decide(["a", "d"], "accepted")
        bob.decide(["b"], "rejected", reason="focus")
        bob.decide(["c"], "relabelled", "Golgi")
        ann.flag(["d"], True)
    return made


def run(*words, fault=None):
    result = CliRunner().invoke(app, ["decisions", *map(str, words)])
    if fault is not None:
        assert isinstance(result.exception, fault), result.output
        return str(result.exception)
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def test_export_and_import(folder, tmp_path):
    table, other = tmp_path / "log.csv", tmp_path / "other"
    other.mkdir()
    assert json.loads(run("export", folder, "--out", table, "--json"))["steps"] == 5
    done = json.loads(run("import", table, "--into", other, "--json"))
    assert (done["added"], done["reviewers"]) == (5, ["ann", "bob"])
    assert "added: 0" in run("import", table, "--into", other)
    words = ("import", table, "--into", other, "--rename", "bob=bob=2", "--json")
    assert json.loads(run(*words))["added"] == 3
    with DecisionStore(other / STORE, "x") as store:
        assert store.reviewers() == ("ann", "bob", "bob=2")
    words = ("import", table, "--into", other, "--rename", "bob")
    assert "write OLD=NEW" in run(*words, fault=BadSettingError)


def test_a_refused_table_makes_no_store(tmp_path):
    table = tmp_path / "log.csv"
    table.write_text("cell,verdict\na,accepted\n")
    told = run("import", table, "--into", tmp_path, fault=BadLayoutError)
    assert "line 1: the columns are not step" in told
    assert not (tmp_path / STORE).exists()


def test_history(folder):
    lines = run("history", folder, "b").splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "accepted",
        "rejected: out of focus",
    ]
    events = json.loads(run("history", folder / STORE, "d", "--json"))
    assert [event["kind"] for event in events] == ["decide", "decide", "flag"]
    assert events[0]["decision"]["reviewer"] == "ann"
    assert run("history", folder, "zz") == "There are no decisions on zz.\n"


def test_the_past(folder):
    assert "ann: 4 accepted, 0 flagged, 0 notes" in run("at", folder, 1)
    assert run("at", folder, 5, "--reviewer", "bob") == (
        "bob: 2 accepted, 1 rejected, 1 relabelled, 0 flagged, 0 notes\n"
    )
    found = json.loads(run("at", folder, 5, "--json"))
    assert len(found["decisions"]) == 8
    assert found["marks"]["ann"] == {"d": {"flagged": True, "note": ""}}
    assert "the last is 5" in run("at", folder, 6, fault=BadSettingError)


def test_agreement(folder):
    """Ann says one word of all cells: kappa is 0, with 2 of 4 alike."""
    text = run("agreement", folder, "--cells")
    assert "ann and bob: 2 of 4 cells alike (50%), Cohen's kappa 0.00" in text
    assert "0.627" in text
    assert text.endswith(
        "2 cells are disagreed on: 0 with a consensus, 2 open.\n"
        "b: Open: 2 reviewers disagree.\nc: Open: 2 reviewers disagree.\n"
    )
    found = json.loads(run("agreement", folder, "--json"))
    assert found["disagreements"] == ["b", "c"]
    assert found["agreement"][0]["overall"]["kappa"] == 0
    assert found["agreement"][0]["patterns"]["n"] == 3


def test_a_third_reader_settles(folder):
    with DecisionStore(folder / STORE, "eva") as eva:
        eva.decide(["b"], "rejected")
    text = run("agreement", folder, "--cells")
    assert text.endswith(
        "2 cells are disagreed on: 1 with a consensus, 1 open.\n"
        "b: Consensus of 2 of 3 reviewers: rejected.\nc: Open: 2 reviewers disagree.\n"
    )
    found = json.loads(run("agreement", folder, "--json"))
    assert found["together"]["b"] == {
        "together": "settled",
        "word": "rejected",
        "votes": 2,
        "reviewers": 3,
    }


def test_where_nothing_was_decided(tmp_path):
    for words in (("history", tmp_path, "a"), ("agreement", tmp_path / "no")):
        assert "there are no decisions here" in run(*words, fault=BadCellsError)
    assert not (tmp_path / STORE).exists()


def test_the_commands_import_no_torch():
    script = (
        "import sys; from training.cli import app, decisions; "
        "import training.decisions.exchange, training.decisions.agreement; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_pending_names_what_is_held_back_and_what_is_asked(tmp_path):
    known = [
        KnownNucleus(1, False, 9, 9, 1.0, 1.0, 4, "0 2 7 2"),
        KnownNucleus(2, False, 9, 9, 6.0, 6.0, 2, "60 2"),
        KnownNucleus(3, True, 9, 9, 6.0, 6.0, 4, "60 4"),
    ]
    write_nuclei(tmp_path / NUCLEI, {"f": known})
    with DecisionStore(tmp_path / STORE, "ann") as ann:
        ann.decide(["f_0001", "f_0002"], "rejected", reason="focus")
    assert run("pending", tmp_path).splitlines()[:2] == [
        "f_0001 (ann rejected: out of focus): held back",
        "f_0002 (ann rejected: out of focus): decide on f_0003",
    ]
    pending = json.loads(run("pending", tmp_path / STORE, "--json"))["pending"]
    assert [one["candidates"] for one in pending] == [[], ["f_0003"]]
    assert pending[0]["decisions"][0]["reviewer"] == "ann"


def test_nothing_is_pending_where_no_cell_was_cut(folder):
    assert run("pending", folder) == "Every decision is on a nucleus.\n"


def test_what_a_person_says_of_a_specimen(tmp_path):
    words = ("--reviewer", "ann", "--result", "positive", "--grade", "++")
    words += ("--titre", "160", "--pattern", "golgi", "--pattern", "AC-3")
    told = json.loads(run("answer", tmp_path, "S1", *words, "--json"))
    assert (
        told["answer"] == "positive ++ 1:160: AC-22 Polar, Golgi-like; AC-3 Centromere"
    )
    (row,) = json.loads(run("answers", tmp_path, "--json"))["answers"]
    assert (row["specimen"], row["reviewer"], row["result"]) == (
        "S1",
        "ann",
        "positive",
    )
    assert (row["grade"], row["titre"]) == ("++", "1:160")
    assert row["patterns"] == ["AC-22", "AC-3"]
    assert "ann: positive ++ 1:160" in run("answers", tmp_path)
    run("answer", tmp_path, "S1", "--reviewer", "ann", "--undo")
    assert run("answers", tmp_path) == "Nobody has decided on a specimen here.\n"
    history = run("history", tmp_path / SPECIMENS, "S1").splitlines()
    assert [line.partition(": ")[2] for line in history] == [
        "positive ++ 1:160 as AC-22+AC-3",
        "cleared",
    ]


def test_an_answer_needs_a_name_and_a_result(tmp_path):
    words = "answer", tmp_path, "S1", "--reviewer"
    assert "name who" in run(*words, " ", fault=BadSettingError)
    assert "use negative" in run(*words, "ann", fault=BadSettingError)
    assert list(tmp_path.iterdir()) == []


def test_patterns_are_found_by_their_words():
    assert run("patterns", "dfs70").startswith(
        "AC-2 Dense fine speckled, nuclear, comp"
    )
    found = json.loads(run("patterns", "mitotic", "--json"))
    assert found["version"].startswith("ICAP 2021")
    assert "AC-26" in [one["code"] for one in found["patterns"]]
    assert run("patterns", "nothing", "here") == "No pattern has all these words.\n"


def test_readers_agree_with_each_other_and_with_a_model(tmp_path):
    for reviewer, results in (("ann", "pppnn"), ("bob", "ppnnn")):
        for k, result in enumerate(results):
            word = "positive" if result == "p" else "negative"
            grade = ("--grade", "+") if result == "p" else ()
            said = ("--reviewer", reviewer, "--result", word, *grade)
            run("answer", tmp_path, f"S{k}", *said)
    rows = [
        {
            "specimen": f"S{k}",
            "intensity": {"result": "negative", "grade": "negative", "role": "patient"},
            "pattern": None,
            "second_pattern": None,
            "mixed": False,
        }
        for k in range(5)
    ]
    worklist = tmp_path / "worklist.json"
    worklist.write_text(json.dumps({"specimens": rows}))
    found = json.loads(run("readers", tmp_path, "--worklist", worklist, "--json"))
    pair, *with_model = found["agreement"]
    assert pair["readers"] == ["ann", "bob"]
    assert (pair["result"]["n"], pair["result"]["alike"]) == (5, 4)
    assert [one["readers"][1] for one in with_model] == ["the model", "the model"]
    assert with_model[0]["result"]["kappa"] == 0
    assert "4 of 5 specimens alike" in run("readers", tmp_path)
    worklist.write_text("[]")
    words = "readers", tmp_path, "--worklist", worklist
    assert "no worklist" in run(*words, fault=BadLayoutError)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no decisions on" in run("readers", empty, fault=BadCellsError)
    run("answer", empty, "S1", "--reviewer", "ann", "--result", "negative")
    assert run("readers", empty) == "There are fewer than two readers.\n"


def test_the_confusion_of_a_person_who_practises(tmp_path):
    for reviewer, pattern in (("teacher", "AC-3"), ("ann", "AC-1"), ("ann", "AC-3")):
        words = ("--reviewer", reviewer, "--result", "positive", "--pattern", pattern)
        run("answer", tmp_path, "S1", *words)
    words = "confusion", tmp_path, "--reviewer", "ann", "--known", "teacher"
    assert run(*words).splitlines()[1] == "AC-3: AC-1 1"
    (row,) = json.loads(run(*words, "--json"))["confusion"]
    assert row == {"known": "AC-3", "said": "AC-1", "specimens": 1}
