"""What a folder in a plain folder holds is told by its name, and said."""

import pytest
from PIL import Image

from training.data.layouts import read_collection
from training.errors import BadLayoutError


@pytest.fixture
def write(tmp_path, frame_with_nuclei):
    """Write frames, and masks of the names in a second list."""

    def made(frames, masks=()):
        for seed, name in enumerate([*frames, *masks]):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            frame, mask = frame_with_nuclei(seed=seed)
            Image.fromarray(mask if name in masks else frame).save(path)
        return tmp_path

    return made


def masks_of(found):
    return {f.name: f.mask and f.mask.name for s in found.specimens for f in s.frames}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("img", "gt"),
        ("images", "labels"),
        ("raw", "masks"),
        ("Originals", "Ground Truth"),
        ("frames", "annotations"),
    ],
)
def test_a_folder_of_images_beside_one_of_masks_is_no_specimen(write, images, masks):
    names = ["S1.tif", "S2.tif"]
    folder = write(
        [f"{images}/{n}" for n in names], [f"{masks}/S1_gt.tif", f"{masks}/S2.tif"]
    )
    found = read_collection(folder)
    assert [one.id for one in found.specimens] == ["S1", "S2"]
    assert masks_of(found) == {"S1": "S1_gt.tif", "S2": "S2.tif"}
    assert found.notes == ()


def test_a_folder_of_masks_by_its_content_is_no_specimen(write):
    found = read_collection(write(["A/1.tif", "A/2.tif"], ["B/1.tif", "B/2.tif"]))
    assert masks_of(found) == {"A_1": "1.tif", "A_2": "2.tif"}
    assert found.notes[0].startswith("The folder B was taken as the masks of A")


def test_a_folder_of_masks_named_after_a_specimen_is_none(write):
    folder = write(["S1/a.tif", "S2/a.tif"], ["S1_masks/a.tif", "gt_S2/a.tif"])
    found = read_collection(folder)
    assert [one.id for one in found.specimens] == ["S1", "S2"]
    assert {one.frames[0].mask.parent.name for one in found.specimens} == {
        "S1_masks",
        "gt_S2",
    }


def test_folders_named_by_patterns_are_no_specimens(write):
    folder = write(
        ["homogeneous/S1.tif", "Golgi/S2.tif", "Golgi/S3_p0.tif", "Golgi/S3_p1.tif"]
    )
    found = read_collection(folder)
    assert {one.id: one.pattern for one in found.specimens} == {
        "S1": "Homogeneous",
        "S2": "Golgi",
        "S3": "Golgi",
    }
    assert "taken as patterns, and not as specimens: Golgi, hom" in found.notes[0]
    assert found.census.startswith("3 specimens by the names of the files")


def test_a_specimen_in_folders_of_two_patterns_is_refused(write):
    with pytest.raises(BadLayoutError, match="1 lies in the folders Golgi and numem"):
        read_collection(write(["Golgi/1.tif", "numem/1.tif"]))


def test_patterns_and_specimens_side_by_side_are_refused(write):
    with pytest.raises(BadLayoutError, match="Golgi is named as patterns are and S3"):
        read_collection(write(["Golgi/1.tif", "S3/1.tif"]))


def test_folders_and_a_table_do_not_both_give_patterns(write):
    folder = write(["Golgi/S1.tif"])
    (folder / "t.csv").write_text("specimen,pattern\nS1,golgi\n")
    with pytest.raises(BadLayoutError, match=r"t\.csv and the names of the folders"):
        read_collection(folder)


def test_folders_for_training_and_tests_are_no_specimens(write):
    found = read_collection(write(["train/golgi/S1.tif", "test/golgi/S2.tif"]))
    assert {one.id: one.pattern for one in found.specimens} == {
        "S1": "Golgi",
        "S2": "Golgi",
    }


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (["DAPI/S1.tif", "FITC/S1.tif"], ["S1"]),
        (["S1/DAPI/1.tif", "S1/FITC/1.tif"], ["S1_1"]),
        (["S1_DAPI/1.tif", "S1_FITC/1.tif"], ["S1_1"]),
        (["S1/DAPI.tif", "S1/FITC.tif"], ["S1_S1"]),
        (["DAPI/S1_DAPI.tif", "FITC/S1_FITC.tif"], ["S1"]),
    ],
)
def test_folders_of_channels_are_no_specimens(write, names, frames):
    (specimen,) = read_collection(write(names)).specimens
    assert specimen.id == "S1"
    assert [one.name for one in specimen.frames] == frames
    assert len(specimen.frames[0].channels) == 2


@pytest.mark.parametrize(
    ("names", "masks", "note"),
    [
        (["S1.tif", "more/S2.tif"], [], "more: not read, as other images lie beside"),
        (["S1/deep/1.tif", "S2/1.tif"], [], "S1: not read, as images lie in a folder"),
        (["raw/S1.tif", "img/S1.tif"], ["masks/S1.tif"], "raw: not read, as other"),
        (["x.tif", "images/S1.tif"], ["masks/S1.tif"], r"x.tif: not read, as other"),
        (["DAPI/1.tif", "FITC/1.tif", "merge/1.tif"], [], "merge: not read"),
    ],
)
def test_images_that_are_not_read_are_named(write, names, masks, note):
    found = read_collection(write(names, masks))
    assert len(found.specimens) == 1
    assert any(one.startswith(note) for one in found.notes)


def test_masks_in_a_folder_by_strange_names_are_no_leave_to_make_others(write):
    folder = write(["S1/images/S1.png"], ["S1/masks/x1.png", "S1/masks/x2.png"])
    found = read_collection(folder)
    assert masks_of(found) == {"S1_S1": "S1.png"}
    assert not found.specimens[0].frames[0].mask.exists()
    assert found.notes[0] == "S1 has no mask by its name, though there are masks."
    assert found.notes[1] == "x1.png, x2.png: a mask without its frame."


@pytest.mark.parametrize("name", ["rois", "RoiSets"])
def test_a_folder_of_outlines_holds_masks(write, name):
    folder = write(["S1.tif", "S2.tif"])
    (folder / name).mkdir()
    for one in ("S1.zip", "S2_RoiSet.zip"):
        (folder / name / one).write_bytes(b"")
    assert masks_of(read_collection(folder)) == {"S1": "S1.zip", "S2": "S2_RoiSet.zip"}


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("S1_mask.gif", True),
        ("S1_mask.mat", True),
        ("S1.json", True),
        ("S1.xml", True),
        ("S2.oib", True),
        ("S2.LSM", True),
        ("S1.txt", False),
        ("settings.json", False),
        ("Thumbs.db", False),
    ],
)
def test_what_we_cannot_read_is_named_where_it_may_count(write, name, is_named):
    folder = write(["S1.tif"])
    (folder / name).write_bytes(b"x")
    note = f"{name}: not read: what counts has to be saved as TIFF or PNG."
    assert read_collection(folder).notes == ((note,) if is_named else ())


def test_a_specimen_of_files_that_we_cannot_read_is_named(write):
    folder = write(["S1/1.tif"])
    (folder / "S2").mkdir()
    (folder / "S2" / "1.vsi").write_bytes(b"x")
    (note,) = read_collection(folder).notes
    assert note.startswith("1.vsi: not read")


def test_masks_of_images_that_we_cannot_read_are_refused_with_their_names(write):
    folder = write([], ["S1_mask.png"])
    (folder / "S1.lsm").write_bytes(b"x")
    with pytest.raises(BadLayoutError, match=r"S1\.lsm: not read"):
        read_collection(folder)


def test_outlines_in_a_folder_that_is_not_read_are_named(write):
    folder = write(["S1.tif"])
    (folder / "export").mkdir()
    (folder / "export" / "S1.zip").write_bytes(b"")
    (note,) = read_collection(folder).notes
    assert note.startswith("export: not read")
