"""A column is found by its whole title, and what else a table holds changes nothing."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import write_cell_folder
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.data.layouts.titles import CELLS, PATTERNS, SPECIMENS
from training.errors import BadLayoutError

ROWS = {"a": "Golgi", "b": "NuMem"}


@pytest.mark.parametrize(
    ("role", "title"),
    [
        (SPECIMENS, "Specimen"),
        (SPECIMENS, "SPECIMEN_ID"),
        (SPECIMENS, "  patient id "),
        (PATTERNS, "Image class"),
        (PATTERNS, "Staining-Pattern"),
        (CELLS, "ID"),
        (CELLS, "Image_ID"),
    ],
)
def test_case_and_punctuation_of_a_title_do_not_count(role, title):
    assert role.columns(["x", title]) == [1]


TITLES = "slide,confidence,Specimen field,second pattern,classification,,pattern 2"


@pytest.mark.parametrize(
    "title", [*TITLES.split(","), "specimen intensity", "patient age", "subclass"]
)
def test_a_part_of_a_title_never_decides(title):
    assert not any(role.named(title) for role in (SPECIMENS, PATTERNS, CELLS))


def _patterns(folder):
    return {one.id: one.pattern for one in read_collection(folder).specimens}


def test_a_second_reader_and_a_slide_change_nothing(tmp_path, write_plain):
    table = "second pattern,slide,Specimen,confidence,Pattern\n"
    table += "Golgi,b,a,0.9,Golgi\nGolgi,a,b,0.8,NuMem\n"
    assert _patterns(write_plain(tmp_path, ["a", "b"], table=table)) == ROWS


_KNOWN = {
    "".join(c for c in word.casefold() if c.isalnum())
    for role in (SPECIMENS, PATTERNS)
    for word in (*role.titles, "intensity", "specimen intensity")
}
_TITLES = st.text("abcdeimnprstID _-", min_size=1, max_size=14).filter(
    lambda title: (
        title.strip()
        and title.replace("_", "").replace("-", "").replace(" ", "").casefold()
        not in _KNOWN
    )
)
_WORDS = st.text("abgolGimenu0123456789.", max_size=8)
_EXTRA = st.lists(st.tuples(_TITLES, _WORDS, _WORDS, st.integers(0, 9)), max_size=5)


@given(_EXTRA)
@example([("slide", "b", "a", 0), ("confidence", "Golgi", "Golgi", 0)])
@example([("Golgi", "1", "0", 2)])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_further_columns_never_change_the_patterns(tmp_path, write_plain, extra):
    folder = tmp_path / "data"
    if not folder.exists():
        write_plain(folder, ["a", "b"], masks=False)
    columns = [("specimen", "a", "b"), ("pattern", "Golgi", "NuMem")]
    for title, one, two, place in extra:
        columns.insert(place, (title, one, two))
    lines = (",".join(column[k] for column in columns) for k in range(3))
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    assert _patterns(folder) == ROWS


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("specimen,patient,pattern", "'specimen' and 'patient'"),
        ("specimen,class,pattern", "'class' and 'pattern'"),
        ("specimen,Pattern,pattern", "'Pattern' and 'pattern'"),
    ],
)
def test_two_columns_for_one_thing_are_named(tmp_path, write_plain, header, named):
    write_plain(tmp_path, ["a"], table=f"{header}\na,Golgi,Golgi\n")
    with pytest.raises(BadLayoutError, match=named):
        read_collection(tmp_path)


def test_patterns_without_specimens_are_refused_by_name(tmp_path, write_plain):
    write_plain(tmp_path, ["a"], table="Specimen field,pattern\na,Golgi\n")
    with pytest.raises(BadLayoutError, match="only 'Specimen field', 'pattern'"):
        read_collection(tmp_path)


def test_a_table_without_titles_is_refused_in_a_plain_folder(tmp_path, write_plain):
    write_plain(tmp_path, ["a", "b"], table="a,Golgi\nb,NuMem\n")
    with pytest.raises(BadLayoutError, match="its first row is no titles"):
        read_collection(tmp_path)


@pytest.mark.parametrize("name", ["t.tsv", "t.txt", "t.csv"])
def test_a_table_may_be_text(tmp_path, write_plain, name):
    write_plain(tmp_path, ["a"])
    (tmp_path / name).write_text("specimen\tpattern\na\tgolgi\n")
    found = read_collection(tmp_path)
    assert (found.specimens[0].pattern, found.notes) == ("Golgi", ())


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        (
            "t.csv",
            "Study 2019\nspecimen,pattern\na,golgi\n",
            "first row ('Study 2019')",
        ),
        ("t.csv", "Probe;Muster\na;homogen\n", "first row ('Probe', 'Muster')"),
        ("t.tsv", "Probe\tMuster\na\tgolgi\n", "first row ('Probe', 'Muster')"),
        ("t.txt", "Probe\tMuster\na\tgolgi\n", "first row ('Probe', 'Muster')"),
        ("t.xlsx", "PK", "not read: save as CSV"),
        ("t.ods", "PK", "not read: save as CSV"),
    ],
)
def test_a_table_that_is_not_read_is_named(tmp_path, write_plain, name, content, note):
    write_plain(tmp_path, ["a"])
    (tmp_path / name).write_text(content)
    found = read_collection(tmp_path)
    assert found.specimens[0].pattern is None
    (said,) = found.notes
    assert said.startswith(f"{name}: not read")
    assert note in said


def test_what_is_said_of_an_image_is_no_table(tmp_path, write_plain):
    write_plain(tmp_path, ["a"])
    (tmp_path / "a.txt").write_text("Exposure\t20 ms\n")
    (tmp_path / "readme.txt").write_text("Frames of 2019.\n")
    assert read_collection(tmp_path).notes == ()


def test_a_table_among_the_images_is_named(tmp_path, write_plain):
    write_plain(tmp_path, ["images/a"], masks=False)
    (tmp_path / "images" / "t.csv").write_text("specimen,pattern\na,golgi\n")
    (note,) = read_collection(tmp_path).notes
    assert note == "t.csv: not read, as a table lies beside the folders of images."


def test_specimens_without_patterns_are_a_note(tmp_path, write_plain):
    write_plain(tmp_path, ["a"], table="specimen,age\na,50\n")
    found = read_collection(tmp_path)
    assert found.specimens[0].pattern is None
    assert "patterns.csv gives specimens and no pattern" in found.notes[0]


def test_measurements_of_another_tool_are_no_ground_truth(tmp_path, write_plain):
    write_plain(tmp_path, ["a"], table="Image,Object ID,Class\na.png,1,Positive\n")
    assert read_collection(tmp_path).specimens[0].pattern is None


def test_task1_groups_by_the_specimen_and_not_by_its_field(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi", "2": "NuMem"}, cells=2)
    (tmp_path / "specimens.csv").write_text(
        "Specimen field,slide,Image ID,Specimen\n9,4,1,A\n8,3,2,A\n9,2,3,B\n8,1,4,B\n"
    )
    found = read_collection(tmp_path)
    assert [cell.specimen for cell in found.cells] == ["A", "A", "B", "B"]
    assert found.specimens_from == "column 'Specimen' of specimens.csv"


def test_a_side_table_without_specimens_is_refused(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=1)
    (tmp_path / "specimens.csv").write_text("Image ID,Specimen field\n1,9\n")
    with pytest.raises(BadLayoutError, match="no column of specimens, only 'Image ID'"):
        read_collection(tmp_path)


def test_mivia_takes_the_image_where_no_specimen_is_given(tmp_path, write_mivia):
    write_mivia(tmp_path)
    (tmp_path / "cells.csv").write_text("id;slide;image\n1;4;7\n2;3;7\n3;2;8\n4;1;8\n")
    found = read_collection(tmp_path)
    assert [cell.specimen for cell in found.cells] == ["7", "7", "8", "8"]
    assert found.specimens_from == "column 'image' of cells.csv"


def test_titles_in_another_language_are_taken_as_the_contest_orders(
    tmp_path, write_task2
):
    write_task2(tmp_path)
    (tmp_path / "gt_train.csv").write_text("Nr;Muster\n1;golgi\n2;numem\n")
    found = read_collection(tmp_path)
    assert [one.pattern for one in found.specimens] == ["Golgi", "NuMem"]
    assert found.notes[0] == (
        "gt_train.csv: 'Nr' was taken as ids and 'Muster' as patterns."
    )


def test_the_census_names_the_column_and_counts(tmp_path, write_plain):
    table = "Serum,class\na,Golgi\nb,NuMem\n"
    found = read_collection(write_plain(tmp_path, table=table))
    assert found.census == (
        "2 specimens by column 'Serum' of patterns.csv and the names of the files: "
        "1 NuMem, 1 Golgi"
    )


def test_the_census_of_cells_without_specimens(tmp_path, write_task1):
    found = read_collection(write_task1(tmp_path, side_table=False))
    assert found.census == "the specimens are not known"


def test_a_cell_set_tells_its_specimens_and_their_column(tmp_path, write_plain):
    table = "specimen,pattern,slide\na,Golgi,b\nb,NuMem,a\n"
    cells = load_cell_set(write_plain(tmp_path, table=table))
    assert cells.census == (
        "2 specimens by column 'specimen' of patterns.csv and the names of the files: "
        "1 NuMem, 1 Golgi"
    )


def test_a_cell_folder_tells_where_its_specimens_first_came_from(tmp_path, write_task2):
    how = ExtractionSettings(size=21), SegmentationSettings()
    collection = read_collection(write_task2(tmp_path / "data"))
    list(write_cell_folder(collection, tmp_path / "cells", *how))
    assert load_cell_set(tmp_path / "cells").census == (
        "2 specimens by column 'specimen' of cells.csv, first column 'Specimen ID' of "
        "gt_train.csv: 1 Homogeneous, 1 NuMem"
    )
