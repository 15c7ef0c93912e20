"""Each layout is read as its contest gives it, and each fault has its sentence."""

import codecs
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zarr_files import write_labels, write_zarr

from training.data.layouts import check_one_mask, read_collection
from training.data.layouts.truth import id_key
from training.errors import (
    BadLayoutError,
    BadMaskError,
    SpecimensError,
    UnknownPatternError,
)
from training.patterns import I3A, I3A_TASK2, MIVIA
from training.storage.delimited import read_table

GREY = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def test_task1(tmp_path, write_task1):
    found = read_collection(write_task1(tmp_path))
    assert (found.layout, found.vocabulary, found.notes) == ("task1", I3A, ())
    assert [c.id for c in found.cells] == [f"{k:05d}" for k in range(1, 10)]
    assert [c.specimen for c in found.cells] == list("111222333")
    assert found.cells[4].pattern == "Speckled"
    assert found.cells[4].image == tmp_path / "train" / "00005.png"
    assert found.cells[4].mask == tmp_path / "train" / "00005_Mask.png"


def test_task1_without_specimens_says_so(tmp_path, write_task1):
    found = read_collection(write_task1(tmp_path, side_table=False))
    assert {c.specimen for c in found.cells} == {None}
    assert any("leave-one-specimen-out" in note for note in found.notes)


def test_task1_specimens_from_a_column_and_unpadded_ids(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=2, side_table=False)
    (tmp_path / "gt_training.csv").write_text(
        "Image ID,Image class,Intensity,Specimen ID\n1,GOLGI  ,positive,77\n2,golgi,,77"
    )
    found = read_collection(tmp_path)
    assert [(c.pattern, c.specimen) for c in found.cells] == [("Golgi", "77")] * 2


def test_task2_with_trailing_blanks(tmp_path, write_task2):
    found = read_collection(write_task2(tmp_path))
    assert (found.layout, found.vocabulary) == ("task2", I3A)
    first, second = found.specimens
    assert (first.id, first.pattern, first.intensity) == (
        "1",
        "Homogeneous",
        "positive",
    )
    assert second.pattern == "NuMem"
    assert [f.name for f in second.frames] == ["00002_p0", "00002_p1"]
    assert second.frames[0].mask.name == "00002_p0_Mask.tif"


def test_seventh_pattern_brings_its_vocabulary(tmp_path, write_task2):
    found = read_collection(write_task2(tmp_path, {"1": "mitsp", "2": "golgi"}))
    assert found.vocabulary is I3A_TASK2
    assert found.specimens[0].pattern == "MitSp"


@pytest.mark.parametrize("below", ["", "train"])
def test_folder_may_be_the_parent_or_train_itself(tmp_path, write_task2, below):
    write_task2(tmp_path / "outer" / "Task2TrainingSet")
    parent = read_collection(tmp_path / "outer")
    direct = read_collection(tmp_path / "outer" / "Task2TrainingSet" / below)
    assert parent == direct


def test_two_data_sets_in_one_folder_are_refused(tmp_path, write_task1, write_task2):
    write_task1(tmp_path / "one")
    write_task2(tmp_path / "two")
    with pytest.raises(BadLayoutError, match=r"several data sets \(one, two\)"):
        read_collection(tmp_path)


def test_a_table_of_cells_beside_task2_does_not_confuse(tmp_path, write_task2):
    write_task2(tmp_path)
    (tmp_path / "cells.csv").write_text("frame,cell,class,y,x\n00001_p0,1,Golgi,3,4\n")
    assert read_collection(tmp_path).layout == "task2"


def test_mivia(tmp_path, write_mivia):
    found = read_collection(write_mivia(tmp_path))
    assert (found.layout, found.vocabulary) == ("mivia", MIVIA)
    assert [c.specimen for c in found.cells] == ["1", "1", "2", "2"]
    assert found.cells[3].pattern == "Fine speckled"
    assert found.cells[3].mask == tmp_path / "004_mask.png"


def test_mivia_in_parts(tmp_path, write_mivia):
    write_mivia(tmp_path / "training")
    write_mivia(tmp_path / "test")
    (tmp_path / "training" / "gt_training.csv").rename(tmp_path / "gt_training.csv")
    (tmp_path / "test" / "gt_training.csv").rename(tmp_path / "gt_test.csv")
    found = read_collection(tmp_path)
    assert [c.id for c in found.cells][3:5] == ["test_004", "training_001"]
    assert found.cells[0].image.parent.name == "test"


def test_plain_without_a_table(tmp_path, write_plain):
    found = read_collection(write_plain(tmp_path))
    assert found.layout == "plain"
    assert [(s.id, s.pattern, len(s.frames)) for s in found.specimens] == [
        ("a", None, 2),
        ("b", None, 1),
    ]
    assert found.specimens[0].frames[1].mask == tmp_path / "a_p1_mask.png"


def test_plain_with_a_table(tmp_path, write_plain):
    table = "specimen,pattern\na,centromere\nb,\n"
    found = read_collection(write_plain(tmp_path, table=table))
    assert [s.pattern for s in found.specimens] == ["Centromere", None]


def test_plain_in_images_and_masks(tmp_path, write_plain):
    write_plain(tmp_path / "Images", ["x", "y"], masks=False)
    write_plain(tmp_path / "Masks", ["x", "y"], masks=False)
    found = read_collection(tmp_path)
    assert [f.mask for s in found.specimens for f in s.frames] == [
        tmp_path / "Masks" / "x.png",
        tmp_path / "Masks" / "y.png",
    ]


def test_plain_with_a_subfolder_a_specimen(tmp_path, write_plain):
    found = read_collection(write_plain(tmp_path, ["s1/a", "s1/b", "s2/a"]))
    assert [s.id for s in found.specimens] == ["s1", "s2"]
    names = [f.name for s in found.specimens for f in s.frames]
    assert names == ["s1_a", "s1_b", "s2_a"]


def test_plain_without_masks(tmp_path, write_plain):
    found = read_collection(write_plain(tmp_path, masks=False))
    assert {f.mask for s in found.specimens for f in s.frames} == {None}
    assert found.notes == ()


def test_one_missing_mask_is_named_and_expected(tmp_path, write_plain):
    write_plain(tmp_path)
    (tmp_path / "a_p1_mask.png").unlink()
    found = read_collection(tmp_path)
    assert found.specimens[0].frames[1].mask == tmp_path / "a_p1_mask.png"
    assert found.notes == ("a_p1 has no mask by its name, though there are masks.",)


@pytest.mark.parametrize(
    "content",
    [
        "1;homogeneous\n2;numem\n".encode("utf-8-sig"),
        b"Specimen ID,Specimen class\r\n001,Homogeneous   \r\n002,NUMEM\r\n",
        b"Specimen ID\tSpecimen class\n1\thomogeneous\n2\tNuclear membrane\n\n",
        codecs.BOM_UTF16_LE + "id;class\n1;hom\n2;numem".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "id;class\n1;hom\n2;numem".encode("utf-16-be"),
        "id;class\n1;hom\n2;numem".encode("utf-16-le"),
        b"id;class;Pr\xe9nom\n1;hom;x\n2;numem;x",
        b'"id";"class"\n"1";"hom";\n"2";"numem"\n',
    ],
)
def test_tables_in_many_spellings(tmp_path, write_task2, content):
    write_task2(tmp_path)
    (tmp_path / "gt_train.csv").write_bytes(content)
    found = read_collection(tmp_path)
    assert [s.pattern for s in found.specimens] == ["Homogeneous", "NuMem"]


# --- faults ------------------------------------------------------------------------


def _drop_row(folder):
    path = folder / "gt_train.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))


def _table(content):
    return lambda folder: (folder / "gt_train.csv").write_text(content)


@pytest.mark.parametrize(
    ("harm", "fault", "sentence"),
    [
        (_drop_row, BadLayoutError, "no row for 00002_p0.tif"),
        (_table("id;class\n"), BadLayoutError, "no rows"),
        (_table(""), BadLayoutError, "empty"),
        (_table("id;class\n1;hom\n2;zebra\n"), UnknownPatternError, "'zebra' is unk"),
        (_table("id;class\n1;hom\n01;numem\n2;hom"), BadLayoutError, "Homogeneous and"),
        (_table("id;class\n1;hom;x\n2;hom"), BadLayoutError, "row 1 has 3 columns"),
        (_table("id\n1\n2"), BadLayoutError, "no column of patterns"),
        (_table("id;class\n../1;hom\n2;hom"), BadLayoutError, "is no id of a file"),
    ],
)
def test_faults_of_task2(tmp_path, write_task2, harm, fault, sentence):
    harm(write_task2(tmp_path))
    with pytest.raises(fault, match=sentence) as met:
        read_collection(tmp_path)
    assert "gt_train.csv" in str(met.value)


def test_missing_folder(tmp_path):
    with pytest.raises(BadLayoutError, match="there is no such folder"):
        read_collection(tmp_path / "nothing")


def test_empty_folder(tmp_path):
    with pytest.raises(BadLayoutError, match="neither images nor a ground truth"):
        read_collection(tmp_path)


def test_unknown_layout(tmp_path):
    with pytest.raises(BadLayoutError, match="use one of auto, task1"):
        read_collection(tmp_path, "task9")


def test_images_that_were_not_unpacked(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "gt_training.csv").write_text("Image ID,Image class\n1,Golgi\n")
    with pytest.raises(BadLayoutError, match="holds no images"):
        read_collection(tmp_path)


def test_a_specimen_of_two_patterns(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi", "2": "NuMem"}, cells=1)
    (tmp_path / "specimens.csv").write_text("Image ID,Specimen\n1,9\n2,9\n")
    with pytest.raises(SpecimensError, match="given as Golgi and as NuMem"):
        read_collection(tmp_path)


def test_a_cell_without_specimen_where_others_have_one(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=2)
    (tmp_path / "specimens.csv").write_text("Image ID,Specimen\n1,9\n")
    with pytest.raises(SpecimensError, match=r"no specimen for 00002\.png"):
        read_collection(tmp_path)


def test_a_cell_of_two_specimens(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=2)
    (tmp_path / "specimens.csv").write_text("Image ID,Specimen\n1,9\n2,9\n01,8\n")
    with pytest.raises(SpecimensError, match="two specimens or none"):
        read_collection(tmp_path)


def test_rows_without_images_are_a_note(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=1)
    with (tmp_path / "gt_training.csv").open("a") as stream:
        stream.write("7,Golgi\n8,Golgi\n")
    notes = read_collection(tmp_path).notes
    assert notes == ("2 rows of gt_training.csv have no image (the first is 7).",)


def test_a_cell_folder_is_not_a_collection(tmp_path):
    for name in ("crops.npy", "cells.csv"):
        (tmp_path / name).touch()
    with pytest.raises(BadLayoutError, match="it is a cell folder"):
        read_collection(tmp_path)


# --- nothing outside the folder ------------------------------------------------------


@pytest.mark.parametrize("name", ["00009_p0.tif", "00001_p0_Mask.tif"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path, write_task2, name):
    folder = write_task2(tmp_path / "data")
    outside = write_task2(tmp_path / "other") / "train" / "00001_p0.tif"
    link = folder / "train" / name
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    with pytest.raises(BadLayoutError, match="leads out of the folder"):
        read_collection(folder)


def test_a_link_inside_the_folder_is_followed(tmp_path, write_plain):
    write_plain(tmp_path, masks=False)
    (tmp_path / "c_p0.png").symlink_to(tmp_path / "a_p0.png")
    assert [s.id for s in read_collection(tmp_path).specimens] == ["a", "b", "c"]


def test_a_table_that_is_a_link_out_is_refused(tmp_path, write_task2):
    folder = write_task2(tmp_path / "data")
    table = folder / "gt_train.csv"
    table.rename(tmp_path / "secret.csv")
    table.symlink_to(tmp_path / "secret.csv")
    with pytest.raises(BadLayoutError, match="leads out of the folder"):
        read_collection(folder)


def test_a_folder_that_is_a_link_out_is_not_entered(tmp_path, write_task2):
    folder = write_task2(tmp_path / "data")
    (folder / "train").rename(tmp_path / "elsewhere")
    (folder / "train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadLayoutError, match="the folder train is missing"):
        read_collection(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_never_opened(tmp_path, write_plain):
    write_plain(tmp_path)
    os.mkfifo(tmp_path / "z_p0.png")
    with pytest.raises(BadLayoutError, match="not a regular file"):
        read_collection(tmp_path)


@given(
    st.sampled_from(
        ["/etc/passwd", "..", "../x", "a/b", "C:\\x", "a\\b", "\\\\s\\x", "."]
    )
    | st.text(max_size=3).map(lambda word: f"../{word}")
)
def test_no_path_is_an_id(word):
    with pytest.raises(BadLayoutError, match="is no id of a file"):
        id_key(word, "table")


@given(st.integers(0, 10**9), st.integers(0, 6), st.sampled_from(["", ".png", ".TIF"]))
def test_spellings_of_a_number_are_one_id(number, zeros, suffix):
    assert id_key("0" * zeros + str(number) + suffix, "table") == str(number)


def test_a_number_of_any_length_is_an_id():
    assert id_key("00" + "9" * 5000, "table") == "9" * 5000


def test_a_huge_table_is_not_read(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(BadLayoutError, match="over 64 MB"):
        read_table(path)


@pytest.mark.real
def test_real_cells():
    folder = os.environ.get("HEP2_TASK1")
    if not folder:
        pytest.skip("HEP2_TASK1 is not set")
    found = read_collection(Path(folder))
    assert len(found.cells) == 9493
    assert len({c.specimen for c in found.cells}) == 56


# -- images that are folders


def test_an_ome_zarr_is_a_frame_with_the_labels_in_it(tmp_path):
    for name in ("S1_p0", "S1_p1", "S2_p0"):
        path = write_zarr(tmp_path / f"{name}.ome.zarr", GREY)
        write_labels(path, "nuclei", GREY > 9)
    found = read_collection(tmp_path)
    assert [(s.id, len(s.frames)) for s in found.specimens] == [("S1", 2), ("S2", 1)]
    first = found.specimens[0].frames[0]
    assert first.image == tmp_path / "S1_p0.ome.zarr"
    assert first.mask == first.image / "labels" / "nuclei"
    assert found.notes == ()


def test_an_ome_zarr_may_have_its_mask_beside_it(tmp_path):
    write_zarr(tmp_path / "a.ome.zarr", GREY)
    write_zarr(tmp_path / "a_mask.ome.zarr", GREY)
    write_zarr(tmp_path / "b.zarr", GREY)
    found = {s.id: s.frames[0] for s in read_collection(tmp_path).specimens}
    assert found["a"].mask == tmp_path / "a_mask.ome.zarr"
    assert found["b"].mask == tmp_path / "b_mask.ome.zarr"


def test_of_two_label_images_nobody_knows_which_counts(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    write_labels(path, "cells", GREY)
    write_labels(path, "nuclei", GREY)
    frame = read_collection(tmp_path).specimens[0].frames[0]
    with pytest.raises(BadMaskError, match="cells and nuclei are masks of it"):
        check_one_mask(frame)


def test_an_image_whose_labels_are_missing_does_not_expect_them_in_another(tmp_path):
    write_labels(write_zarr(tmp_path / "a.zarr", GREY), "nuclei", GREY)
    write_zarr(tmp_path / "b.zarr", GREY)
    frames = [s.frames[0] for s in read_collection(tmp_path).specimens]
    assert frames[1].mask == tmp_path / "b_mask.tif"


def test_a_damaged_list_of_labels_is_not_taken_for_an_image_without_a_mask(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    write_labels(path, "nuclei", GREY)
    (path / "labels" / ".zattrs").write_text("{")
    assert read_collection(tmp_path).specimens[0].frames[0].mask == path / "labels"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("name", ["a.zarr", "a.zarr/labels/nuclei"])
def test_no_image_or_label_image_leads_out_of_the_folder(tmp_path, name):
    data = tmp_path / "data"
    write_labels(write_zarr(data / "a.zarr", GREY), "nuclei", GREY)
    (data / name).rename(tmp_path / "away.zarr")
    (data / name).symlink_to(tmp_path / "away.zarr")
    with pytest.raises(BadLayoutError, match="leads out"):
        read_collection(data)
