"""The whole log to a table and back: nothing lost, nothing doubled, damage refused."""

import csv
import io
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.decisions.exchange import (
    COLUMNS,
    export_decisions,
    import_decisions,
    read_decisions,
)
from training.decisions.store import DecisionStore
from training.errors import BadLayoutError, StorageError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def filled(path):
    """Return a store of two reviewers in which everything happened once."""
    ann = DecisionStore(path, "ann", lambda: NOON)
    bob = DecisionStore(path, 'Björn; "B"', lambda: NOON + timedelta(seconds=1))
    ann.decide(["c1", "c2"], "rejected", reason="focus")
    bob.decide(["c1"], "relabelled", "Golgi", "=HYPERLINK(1)")
    ann.flag(["c1"], True)
    ann.undo()
    ann.redo()
    bob.note(["c2", "c3"], "two\r\nlines, 'and' \"quotes\"")
    bob.note(["c3"], "")
    bob.decide_each([("c1", "cleared", None, None), ("c3", "accepted", None, "")])
    ann.flag(["c1"], False)
    bob.close()
    return ann


@pytest.fixture
def store(tmp_path):
    with filled(tmp_path / "curation.sqlite") as made:
        yield made


@pytest.fixture
def table(store, tmp_path):
    path = tmp_path / "decisions.csv"
    assert export_decisions(store, path) == 9
    return path


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "other").mkdir()
    with DecisionStore(tmp_path / "other" / "curation.sqlite", "ann") as made:
        yield made


def test_the_table_by_hand(tmp_path):
    path = tmp_path / "curation.sqlite"
    with DecisionStore(path, "ann", lambda: NOON) as store:
        store.decide(["a", "b"], "relabelled", "Golgi", "sure")
        store.undo()
        store.flag(["a"], True)
        store.note(["a"], "=1+1")
        export_decisions(store, tmp_path / "out.csv")
    start = "ann,2026-01-01T12:00:00+00:00"
    assert (tmp_path / "out.csv").read_bytes().decode("utf-8-sig").splitlines() == [
        ",".join(COLUMNS),
        f"1,{start},decide,,2,a,relabelled,Golgi,sure,,,,",
        f"1,{start},decide,,2,b,relabelled,Golgi,sure,,,,",
        f"2,{start},undo,1,0,,,,,,,,",
        f"3,{start},flag,,1,a,,,,yes,,,",
        f"4,{start},note,,1,a,,,,,'=1+1,,",
    ]


def test_an_empty_store_takes_the_log_as_it_is(store, table, empty):
    done = import_decisions(empty, table)
    assert (done.steps, done.added) == (9, 9)
    assert done.reviewers == ("ann", 'Björn; "B"')
    assert empty.records() == store.records()
    assert empty.history("c1") == store.history("c1")
    for who in empty.reviewers():
        assert empty.current(who) == store.current(who)
        assert empty.marks(who) == store.marks(who)


def test_answers_on_specimens_come_back_whole(tmp_path, empty):
    table = tmp_path / "answers.csv"
    with DecisionStore(tmp_path / "specimens.sqlite", "ann") as store:
        store.answer("S1", "positive", ("AC-3", "AC-21"), "+ weak", "++", "1:160")
        store.answer("S2", "negative", titre="<1:80")
        export_decisions(store, table)
        assert import_decisions(empty, table).added == 2
        assert empty.current("ann") == store.current("ann")


def test_a_table_from_before_there_were_answers_is_taken(store, table, empty):
    rows = [row[: -len(("grade", "titre"))] for row in rows_of(table)]
    put(table, rows)
    import_decisions(empty, table)
    assert empty.records() == store.records()


def test_the_same_table_twice_adds_nothing(table, empty, store):
    import_decisions(empty, table)
    assert import_decisions(empty, table).added == 0
    assert import_decisions(store, table).added == 0


def test_undo_and_redo_go_on_after_an_import(table, empty):
    import_decisions(empty, table)
    assert empty.undo() == ("c1",)
    assert empty.marks()["c1"].flagged


def test_another_reviewer_is_merged_and_grows(tmp_path, empty):
    """Two people on two computers: each sends a table, then a longer one."""
    empty.decide(["x"], "accepted")
    empty.undo()
    table = tmp_path / "bob.csv"
    with DecisionStore(tmp_path / "bob.sqlite", "bob") as bob:
        bob.decide(["x"], "rejected")
        bob.decide(["y"], "accepted")
        export_decisions(bob, table)
        assert import_decisions(empty, table).added == 2
        bob.undo()
        bob.redo()
        export_decisions(bob, table)
        assert import_decisions(empty, table).added == 2
        assert empty.current("bob") == bob.current()
        bobs = [one for one in empty.records() if one.reviewer == "bob"]
    assert [(one.step, one.target) for one in bobs] == [
        (3, None),
        (4, None),
        (5, 4),
        (6, 4),
    ]
    assert empty.redo() == ("x",)
    export_decisions(empty, table)
    with DecisionStore(tmp_path / "bob.sqlite", "bob") as bob:
        assert import_decisions(bob, table).added == 3
        assert bob.current("ann") == empty.current("ann")


def test_a_reviewer_who_went_on_differently_is_refused(tmp_path, empty, table):
    empty.decide(["c1"], "accepted")
    before = empty.records()
    with pytest.raises(BadLayoutError, match="line 2: ann went on differently here"):
        import_decisions(empty, table)
    assert empty.records() == before
    assert import_decisions(empty, table, {"ann": "ann of the other room"}).added == 9
    assert import_decisions(empty, table, {"ann": "ann of the other room"}).added == 0


# --- lossless --------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = TEXT.filter(lambda text: text.strip())
CELL = st.one_of(st.sampled_from(["a", "b", "'", "=x", " a ", ""]), TEXT)
CELLS = st.lists(CELL, min_size=1, max_size=3, unique=True)
ZONE = st.integers(-600, 600).map(lambda m: timezone(timedelta(minutes=m)))
ACTS = st.one_of(
    st.tuples(st.just("decide"), CELLS, st.sampled_from(["accepted", "cleared"])),
    st.tuples(st.just("relabel"), CELLS, TEXT, st.none() | TEXT),
    st.tuples(st.just("flag"), CELLS, st.booleans()),
    st.tuples(st.just("note"), CELLS, TEXT),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def act(store, what, *words):
    if what == "relabel":
        cells, pattern, reason = words
        store.decide(cells, "relabelled", pattern, reason)
    else:
        getattr(store, what)(*words)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), ACTS), max_size=12),
    st.lists(NAME, min_size=2, max_size=2, unique=True),
    st.datetimes(timezones=ZONE),
)
def test_round_trip_of_any_log(tmp_path_factory, acts, names, time):
    folder = tmp_path_factory.mktemp("log")
    stores = [DecisionStore(folder / "one.sqlite", n, lambda: time) for n in names]
    for store in stores:
        store._db.execute("PRAGMA synchronous = OFF")
    for who, what in acts:
        act(stores[who], *what)
    export_decisions(stores[0], folder / "log.csv")
    with DecisionStore(folder / "two.sqlite", names[0]) as other:
        import_decisions(other, folder / "log.csv")
        assert other.records() == stores[0].records()
        export_decisions(other, folder / "again.csv")
    assert (folder / "again.csv").read_bytes() == (folder / "log.csv").read_bytes()
    for store in stores:
        store.close()


# --- spreadsheets ----------------------------------------------------------------


def rewritten(table, separator, encoding, change=lambda row: row):
    """Save the table as another program does."""
    text = table.read_bytes().decode("utf-8-sig")
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows(map(change, csv.reader(io.StringIO(text, newline=""))))
    table.write_bytes(out.getvalue().encode(encoding))


@pytest.mark.parametrize(
    ("separator", "encoding"),
    [(";", "utf-16"), ("\t", "utf-16-le"), (";", "cp1252"), (",", "utf-8")],
)
def test_a_spreadsheet_of_another_language(store, table, empty, separator, encoding):
    rewritten(table, separator, encoding)
    import_decisions(empty, table)
    assert empty.records() == store.records()


def test_numbers_with_a_decimal_comma_and_columns_moved(store, table, empty):
    def change(row):
        row = [f"{word},00" if word.isdigit() else word for word in row]
        return [*row[::-1], "", ""]

    rewritten(table, ";", "utf-8", change)
    import_decisions(empty, table)
    assert empty.records() == store.records()


# --- damage ----------------------------------------------------------------------


def rows_of(table):
    text = table.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def put(table, rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    table.write_bytes(out.getvalue().encode())


DAMAGE = {
    "a line of a step is missing": (
        lambda r: r.pop(1),
        "line 2: .*not have the 2 cells",
    ),
    "a line is doubled": (
        lambda r: r.insert(1, r[1]),
        "line 2: .*not have the 2 cells",
    ),
    "an undo is doubled": (lambda r: r.insert(6, r[5]), "line 6: .*one line without"),
    "a step is missing": (lambda r: r.pop(3), "line 4: step 3 is where step 2"),
    "two lines changed places": (
        lambda r: r.__setitem__(slice(4, 6), r[5:3:-1]),
        "line 5: step 4 is where step 3",
    ),
    "cut in a line": (lambda r: r.__setitem__(3, r[3][:5]), "line 4: .*14 columns"),
    "no number": (lambda r: r[3].__setitem__(0, "2x"), "line 4: '2x' in 'step' is no"),
    "half a step": (lambda r: r[3].__setitem__(0, "2.5"), "line 4: '2.5' in 'step'"),
    "no reviewer": (lambda r: r[3].__setitem__(1, " "), "line 4: it names no reviewer"),
    "no time": (lambda r: r[3].__setitem__(2, "noon"), "line 4: 'noon' is not a time"),
    "no zone": (lambda r: r[3].__setitem__(2, "2026-01-01"), "line 4: .*is not a time"),
    "no kind": (lambda r: r[3].__setitem__(3, "eat"), "line 4: the kind|line 4: 'eat'"),
    "no verdict": (
        lambda r: r[3].__setitem__(7, "eaten"),
        "line 4: 'eaten' is not one",
    ),
    "no pattern": (
        lambda r: r[3].__setitem__(8, ""),
        "line 4: only 'relabelled' takes a pattern",
    ),
    "no flag": (lambda r: r[4].__setitem__(10, "ja"), "line 5: the kind 'flag' does"),
    "no cell": (lambda r: r[4].__setitem__(6, ""), "line 5: 'flag' goes with a cell"),
    "undoes another's": (lambda r: r[5].__setitem__(4, "2"), "line 6: .*not undo step"),
    "a target of none": (
        lambda r: r[4].__setitem__(4, "1"),
        "line 5: .*names a target",
    ),
    "another reviewer in a step": (
        lambda r: r[2].__setitem__(1, "eve"),
        "line 3: it does not go with the line before",
    ),
    "a cell twice": (lambda r: r[2].__setitem__(6, "c1"), "line 2: .*a cell twice"),
    "another column": (lambda r: r[0].__setitem__(3, "sort"), "line 1: the columns"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_with_its_line_and_nothing_is_taken(table, empty, name):
    change, sentence = DAMAGE[name]
    rows = rows_of(table)
    change(rows)
    put(table, rows)
    with pytest.raises(BadLayoutError, match=sentence) as told:
        import_decisions(empty, table)
    assert str(told.value).startswith(str(table))
    assert "\n" not in str(told.value)
    assert empty.last_step == 0


def test_a_table_cut_anywhere_is_refused_or_an_earlier_state(store, table, tmp_path):
    """No cut gives a step that was never made."""
    content, whole = table.read_bytes(), store.records()
    taken = 0
    n = len(content)
    ends = {*range(0, n, 7), *range(n - 90, n)}
    for end in ends:
        table.write_bytes(content[:end])
        try:
            found = read_decisions(table)
        except BadLayoutError:
            continue
        taken += 1
        assert found[: len(whole)] == whole[: len(found)]
    assert 0 < taken < len(ends) / 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\0\xff\x13", b'a,"b\n', b"x" * 99])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(BadLayoutError, match=r"line 1|unknown encoding"):
        read_decisions(path)


def test_a_missing_table_is_told(tmp_path):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(BadLayoutError, match="missing"):
            read_decisions(tmp_path / name)


# --- Parquet ---------------------------------------------------------------------


def test_without_pyarrow_there_is_one_sentence(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "decisions.parquet"
    with pytest.raises(StorageError, match=r"needs pyarrow.*napari-hep2\[parquet\]"):
        export_decisions(store, path)
    assert not path.exists()
    path.write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="needs pyarrow"):
        read_decisions(path)


def test_parquet_loses_nothing(store, empty, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "decisions.parquet"
    export_decisions(store, path)
    import_decisions(empty, path)
    assert empty.records() == store.records()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadLayoutError, match="damaged or not a Parquet"):
        read_decisions(path)
