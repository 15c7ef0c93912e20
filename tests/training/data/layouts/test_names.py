"""What other tools leave beside a frame is told apart by name; the rest is named."""

import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import write_cell_folder
from training.data.layouts import read_collection, with_channel
from training.data.layouts.channels import channel_names
from training.data.layouts.names import bare_stem, mask_base
from training.errors import BadImageError, BadLayoutError, BadMaskError

SETTINGS = ExtractionSettings(size=21), SegmentationSettings()


MASKS = (
    "_mask.png -Mask.tif _masks.tif _cp_masks.png _labels.tif _label.tif .labels.tif "
    ".ome_cp_masks.tif _stardist_labels.tif _mask.ome.tif _LABELS.TIF _seg.png"
)
ASIDES = (
    "_overlay.tif _Probabilities.tif _outlines.png _flows_cp_masks.tif _DAPI.tif "
    "_cp_output_cp_masks.png _Uncertainty.tif _enhanced.png _ch00.tif _thumbnail.jpg "
    "_dP_cp_masks.tif"
)


@pytest.mark.parametrize(
    "ending", [*MASKS.split(), "_Simple Segmentation.tif", "_Object Identities.tiff"]
)
def test_a_mask_of_any_tool_is_paired(tmp_path, frame_with_nuclei, ending):
    name = f"S1{ending}"
    frame, mask = frame_with_nuclei()
    tifffile.imwrite(tmp_path / "S1.tif", frame)
    Image.fromarray(mask).save(tmp_path / name)
    (specimen,) = read_collection(tmp_path).specimens
    assert (specimen.id, specimen.frames[0].mask) == ("S1", tmp_path / name)


@pytest.mark.parametrize("ending", [*ASIDES.split(), "_Object Predictions.tif"])
def test_what_is_left_over_is_named_and_no_specimen(
    tmp_path, frame_with_nuclei, ending
):
    name = f"S1{ending}"
    frame, _ = frame_with_nuclei()
    for one in ("S1.tif", name):
        Image.fromarray(frame).save(tmp_path / one)
    found = read_collection(tmp_path)
    assert [one.id for one in found.specimens] == ["S1"]
    assert found.notes == (f"{name}: not read, as neither frame nor mask.",)


WORDS = (
    "mask_{} {}mask {}_gt {}_bw {}_m {}_binary {}_outlined GT-{} {}.annotation "
    "maskOf{} {}Mask nuclei_{} {}_xy"
)


@pytest.mark.parametrize("name", [*WORDS.split(), "Mask of {}", "{} (mask)"])
def test_a_mask_by_a_word_or_its_content_is_no_specimen(
    tmp_path, frame_with_nuclei, name
):
    for seed, stem in enumerate(("S1", "S2", "S1_p1", "S10")):
        frame, mask = frame_with_nuclei(seed=seed)
        Image.fromarray(frame).save(tmp_path / f"{stem}.tif")
        Image.fromarray(mask).save(tmp_path / f"{name.format(stem)}.tif")
    found = read_collection(tmp_path)
    frames = {f.name: f.mask.stem for s in found.specimens for f in s.frames}
    assert frames == {one: name.format(one) for one in ("S1", "S2", "S1_p1", "S10")}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("img_{}", "mask_{}"),
        ("{}_img", "{}_mask"),
        ("{}_raw", "{}_gt"),
        ("{}", "{}_cell_mask"),
        ("image{}", "label{}"),
        ("s{}/image", "s{}/mask"),
        ("s{}/x", "s{}/gt"),
        ("s{}/raw/x", "s{}/gt/x"),
    ],
)
def test_names_that_differ_in_what_the_file_is_are_paired(
    tmp_path, frame_with_nuclei, image, mask
):
    for number in (1, 2):
        pixels = frame_with_nuclei(seed=number)
        for name, content in zip((image, mask), pixels, strict=True):
            path = tmp_path / f"{name.format(number)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path)
    found = read_collection(tmp_path)
    masks = [s.frames[0].mask for s in found.specimens]
    assert masks == [tmp_path / f"{mask.format(k)}.png" for k in (1, 2)]
    assert all(len(one.frames) == 1 for one in found.specimens)


def test_a_mask_with_the_name_of_its_frame_is_told_by_content(
    tmp_path, frame_with_nuclei
):
    frame, mask = frame_with_nuclei()
    Image.fromarray(frame).save(tmp_path / "S1.tif")
    Image.fromarray(mask).save(tmp_path / "S1.png")
    (specimen,) = read_collection(tmp_path).specimens
    assert specimen.frames[0].image.name == "S1.tif"
    assert specimen.frames[0].mask.name == "S1.png"
    Image.fromarray(frame + np.uint8(1)).save(tmp_path / "S1.png")
    with pytest.raises(BadLayoutError, match="is there as well"):
        read_collection(tmp_path)


def test_a_word_for_masks_on_a_picture_makes_none(tmp_path, write_plain):
    write_plain(tmp_path, ["S1", "S1_gt", "S2", "S2_bw"], masks=False)
    found = read_collection(tmp_path)
    assert [one.frames[0].mask for one in found.specimens] == [None, None]
    assert found.notes == (
        "S1_gt.png, S2_bw.png: not read, as neither frame nor mask.",
    )


def test_masks_of_two_words_are_refused(tmp_path, frame_with_nuclei):
    frame, mask = frame_with_nuclei()
    for name, content in (("S1", frame), ("S1_gt", mask), ("S1mask", mask)):
        Image.fromarray(content).save(tmp_path / f"{name}.tif")
    (specimen,) = read_collection(tmp_path).specimens
    with pytest.raises(BadMaskError, match=r"S1_gt\.tif and S1mask\.tif are masks"):
        extract_frame(specimen.frames[0], *SETTINGS)


def test_names_in_letters_with_accents_match_however_they_are_written(
    tmp_path, write_plain
):
    one, two = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    write_plain(tmp_path, [two], table=f"specimen,pattern\n{one},golgi\n")
    (tmp_path / f"{two}_mask.png").rename(tmp_path / f"{one}_mask.png")
    (specimen,) = read_collection(tmp_path).specimens
    assert (specimen.id, specimen.pattern) == (one, "Golgi")
    assert specimen.frames[0].mask == tmp_path / f"{one}_mask.png"


def test_a_pickle_of_cellpose_is_never_opened(tmp_path, write_plain):
    write_plain(tmp_path, ["a"])
    (tmp_path / "a_seg.npy").write_bytes(b"\x80\x04boom")
    assert "a_seg.npy: not opened, as a pickle" in read_collection(tmp_path).notes[0]


def test_a_mask_without_its_frame_is_named(tmp_path, write_plain):
    write_plain(tmp_path, ["a"])
    (tmp_path / "a_mask.png").rename(tmp_path / "z_mask.png")
    assert read_collection(tmp_path).notes == ("z_mask.png: a mask without its frame.",)


def test_folders_of_pictures_for_the_eye_are_no_specimens(tmp_path, write_plain):
    write_plain(tmp_path, ["s1/a", "overlays/a", "s2/a"])
    found = read_collection(tmp_path)
    assert [one.id for one in found.specimens] == ["s1", "s2"]
    assert found.notes[0].startswith("overlays: not read")


def test_masks_in_a_folder_below_the_frames_are_paired(tmp_path, write_plain):
    write_plain(tmp_path, ["a", "masks/a_cp_masks"], masks=False)
    (specimen,) = read_collection(tmp_path).specimens
    assert specimen.frames[0].mask == tmp_path / "masks" / "a_cp_masks.png"


def test_one_of_two_frames_with_two_masks_is_refused_and_the_other_cut(
    tmp_path, write_plain
):
    data = write_plain(tmp_path / "data", ["a", "b"])
    (data / "a_labels.png").write_bytes((data / "a_mask.png").read_bytes())
    steps = list(write_cell_folder(read_collection(data), tmp_path / "c", *SETTINGS))
    assert "a_labels.png and a_mask.png are masks of it" in steps[0].fault
    assert steps[1].fault is None
    assert steps[1].kept > 0


def test_two_masks_of_a_ready_cell_are_refused(tmp_path, write_task1):
    write_task1(tmp_path, {"1": "Golgi"}, cells=1)
    mask = tmp_path / "train" / "00001_Mask.png"
    mask.with_name("00001_labels.png").write_bytes(mask.read_bytes())
    with pytest.raises(BadLayoutError, match=r"00001_Mask\.png and 00001_labels\.png"):
        read_collection(tmp_path)


# --- channels ------------------------------------------------------------------------


def _channels(folder, endings, frame):
    for number, ending in enumerate(endings):
        name = ending.format("S1") if "{}" in ending else f"S1{ending}"
        tifffile.imwrite(folder / f"{name}.tif", frame + np.uint8(number))
    (specimen,) = read_collection(folder).specimens
    return specimen.frames[0]


@pytest.mark.parametrize(
    "endings",
    [
        ("_ch00", "_ch01"),
        ("_C1", "_C2"),
        ("_w1", "_w2"),
        ("-ch1", "-ch2"),
        ("_channel0", "_channel1"),
        ("C1-{}", "C2-{}"),
        ("_DAPI", "_TRITC"),
    ],
)
def test_unknown_channels_are_one_frame_that_is_refused(
    tmp_path, frame_with_nuclei, endings
):
    frame = _channels(tmp_path, endings, frame_with_nuclei()[0])
    assert (frame.name, len(frame.channels)) == ("S1", 2)
    with pytest.raises(BadImageError, match="its channels are") as met:
        extract_frame(frame, *SETTINGS)
    assert all(one.name in str(met.value) for one in frame.channels)


@pytest.mark.parametrize(
    ("endings", "word", "taken"),
    [
        (("_ch00", "_ch01"), "1", 1),
        (("_ch00", "_ch01"), "ch00", 0),
        (("_C1", "_C2"), "1", 0),
        (("_DAPI", "_FITC"), "", 1),
        (("_w1DAPI", "_w2FITC"), "", 1),
        (("_DAPI", "_GFP"), "dapi", 0),
    ],
)
def test_a_channel_is_chosen_by_its_dye_or_by_the_setting(
    tmp_path, frame_with_nuclei, endings, word, taken
):
    grey, mask = frame_with_nuclei()
    Image.fromarray(mask).save(tmp_path / "S1_mask.png")
    frame = _channels(tmp_path, endings, grey)
    cut = extract_frame(frame, ExtractionSettings(size=21, channel=word), SETTINGS[1])
    np.testing.assert_array_equal(cut.image, grey + np.uint8(taken))
    assert cut.frame.image == frame.channels[taken].path


def test_a_channel_that_is_not_there_is_refused(tmp_path, frame_with_nuclei):
    frame = _channels(tmp_path, ("_ch00", "_ch01"), frame_with_nuclei()[0])
    with pytest.raises(BadImageError, match="none is '7'"):
        with_channel(frame, "7")


def test_a_mask_of_a_channel_is_the_mask_of_its_frame(tmp_path, frame_with_nuclei):
    grey, mask = frame_with_nuclei()
    Image.fromarray(mask).save(tmp_path / "S1_ch01_cp_masks.png")
    frame = _channels(tmp_path, ("_ch00", "_ch01"), grey)
    assert frame.mask == tmp_path / "S1_ch01_cp_masks.png"


@pytest.mark.parametrize(
    "stems",
    [
        ["plate_A1", "plate_B1", "plate_C1", "plate_C2"],
        [f"plate_C{k}" for k in range(1, 13)],
        ["a_C1", "b_C1"],
        ["S1_p0", "S1_p1"],
        ["S1_1", "S1_2"],
    ],
)
def test_wells_and_fields_are_no_channels(stems):
    assert channel_names(stems) == {}


def test_a_frame_that_lacks_a_channel_is_still_one(tmp_path):
    names = channel_names(["a_ch00", "a_ch01", "b_ch01"])
    assert [names[stem].base for stem in sorted(names)] == ["a", "a", "b"]


def test_the_cell_folder_remembers_the_channel_it_was_cut_from(
    tmp_path, frame_with_nuclei
):
    grey, mask = frame_with_nuclei()
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(mask).save(data / "S1_mask.png")
    _channels(data, ("_ch00", "_ch01"), grey)
    settings = ExtractionSettings(size=21, channel="1"), SETTINGS[1]
    list(write_cell_folder(read_collection(data), tmp_path / "cells", *settings))
    source = (tmp_path / "cells" / "source.json").read_text()
    assert "S1_ch01.tif" in source
    assert "S1_ch00.tif" not in source


def test_ome_is_no_part_of_a_name():
    assert bare_stem("S1.ome.tif") == "S1"
    assert mask_base("S1.ome_masks") == "S1"


def test_an_ordinary_mask_that_is_no_image_is_a_fault_of_its_frame(
    tmp_path, write_plain
):
    write_plain(tmp_path, ["a"])
    (tmp_path / "a_mask.png").write_text("no image")
    (specimen,) = read_collection(tmp_path).specimens
    with pytest.raises(BadMaskError, match=r"a_mask\.png"):
        extract_frame(specimen.frames[0], *SETTINGS)


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        ("S1_pos1 S1_pos2", "S1_pos1 S1_pos2"),
        ("S1_image1 S1_image2 S2_image1", "S1_image1 S1_image2"),
        ("A1_xy01 A1_xy02", "A1_xy01 A1_xy02"),
        ("S1_MMStack_Pos0 S1_MMStack_Pos1", "S1_MMStack_Pos0 S1_MMStack_Pos1"),
        ("S1_1 S1_2 S2_1", "S1_1 S1_2"),
        ("P-001 P-002 P-003", ""),
        ("24-0001 24-0002 25-0107", ""),
        ("S1 S2 S3", ""),
        ("S1_1 S2_1", ""),
    ],
)
def test_specimens_that_may_be_frames_of_one_are_named(
    tmp_path, write_plain, names, alike
):
    write_plain(tmp_path, names.split(), masks=False)
    found = read_collection(tmp_path)
    assert len(found.specimens) == len(names.split())
    said = f"{' and '.join(alike.split())} were taken as two specimens: "
    assert [note.startswith(said) for note in found.notes] == [True] * bool(alike)


def test_where_a_table_has_the_specimens_none_may_be_frames_of_one(
    tmp_path, write_plain
):
    table = "specimen,pattern\nS1_pos1,golgi\nS1_pos2,golgi\n"
    write_plain(tmp_path, ["S1_pos1", "S1_pos2"], masks=False, table=table)
    assert read_collection(tmp_path).notes == ()


@pytest.mark.parametrize(
    ("names", "is_said"),
    [(("0301_P1", "0302_P2", "0302_P3"), True), (("a_p0", "a_p1"), False)],
)
def test_frames_that_may_be_patients_are_said(tmp_path, write_plain, names, is_said):
    notes = read_collection(write_plain(tmp_path, names)).notes
    said = "3 frames were taken as fields by their names, as 0301_P1 of the specimen"
    assert [note.startswith(said) for note in notes] == [True] * is_said
