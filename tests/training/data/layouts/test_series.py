"""Tables of roles and series."""

from __future__ import annotations

import pytest

from training.data.layouts import read_collection
from training.data.layouts.series import find_series, read_series
from training.errors import BadLayoutError


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table and gives its path."""

    def write(text, name="series.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_roles_series_and_acquisition_are_read(table):
    path = table(
        "specimen,plate,role,exposure\n"
        "007,P1,negative control,100\n"
        "8,P1,NEG,100\n"
        "9,P1,Cut-off,100\n"
        "10,P2,patient,50\n"
        "11,P2,,50\n"
    )
    found = read_series(path)
    assert [one.role for one in found.members.values()] == [
        "negative control",
        "negative control",
        "cut-off control",
        "patient",
        "patient",
    ]
    assert found.of("7").series == "P1"
    assert [one.specimen for one in found.controls("P1")] == ["007", "8", "9"]
    assert found.controls("P2") == []
    assert found.of("12") is None


def test_without_a_column_of_series_there_is_one(table):
    found = read_series(table("specimen;role\na;nc\nb;patient\n"))
    assert {one.series for one in found.members.values()} == {""}


def test_what_differs_in_a_series_is_told(table):
    path = table(
        "specimen,series,role,exposure,gain\n"
        "a,1,nc,100,2\nb,1,patient,200,2\nc,2,patient,300,2\n"
    )
    found = read_series(path)
    assert found.differing("1") == [
        (
            "The column 'exposure' differs in the series 1 (100, 200): intensities "
            "are not comparable."
        )
    ]
    assert found.differing("2") == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("specimen,role\na,boss\n", "the role 'boss' is unknown"),
        ("specimen,role\na,nc\na,patient\n", "a has two rows that differ"),
        ("specimen,colour\na,red\n", "no column of roles"),
        ("well,role\na,nc\n", "no column of specimens"),
    ],
)
def test_a_bad_table_is_one_sentence(table, text, part):
    with pytest.raises(BadLayoutError, match=part):
        read_series(table(text))


def test_the_table_is_found_beside_frames_and_is_no_table_of_patterns(
    tmp_path, write_plain
):
    root = write_plain(tmp_path / "plain")
    path = root / "series.csv"
    path.write_text("specimen,role\na,nc\n")
    assert find_series(root) == path
    assert not any("series.csv" in note for note in read_collection(root).notes)


def test_two_tables_of_roles_are_refused(table, tmp_path):
    table("specimen,role\na,nc\n")
    table("specimen,role\na,nc\n", "other.csv")
    with pytest.raises(BadLayoutError, match="both give roles"):
        find_series(tmp_path)


def test_rows_without_an_image_are_noted(table):
    found = read_series(table("specimen,role\na,nc\nb,patient\nc,patient\n"))
    assert found.missing(["a"]) == (
        "2 specimens of series.csv have no image (the first is b).",
    )


def test_images_without_a_row_are_noted(table):
    found = read_series(table("specimen,role\na,nc\n"))
    (note,) = found.missing(["a", "x", "y"])
    assert note.startswith("2 specimens are not in series.csv: their intensity is not")
    assert "the first is x" in note


def test_no_table_knows_nobody():
    found = read_series(None)
    assert found.of("a") is None
    assert found.missing(["a"]) == ()
