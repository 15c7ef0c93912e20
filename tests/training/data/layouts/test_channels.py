"""Channels, planes and times as files are one frame; wells and fields are not."""

import numpy as np
import pytest
from PIL import Image

from training.data.layouts import read_collection
from training.data.layouts.channels import channel_names, merged_base, without_guid

GUID = "1B2C3D4E-0000-1111-2222-33334444555"

ONE_FRAME = {
    "A1_01_1_1_001": ["A1_01_1_1_DAPI_001", "A1_01_1_1_GFP_001"],
    "C1_01_1_1_001": ["C1_01_1_1_DAPI_001", "C1_01_1_1_GFP_001"],
    "r01c01f01p01-sk1fk1fl1": [f"r01c01f01p01-ch{k}sk1fk1fl1" for k in (1, 2)],
    "r01c01f01-ch1sk1fk1fl1": [f"r01c01f01p0{k}-ch1sk1fk1fl1" for k in (1, 2)],
    "img_position000_z000": [f"img_channel00{k}_position000_z000" for k in (0, 1)],
    "img_000000000_000": ["img_000000000_DAPI_000", "img_000000000_FITC_000"],
    "A - 1(fld 1)": ["A - 1(fld 1 wv DAPI - DAPI)", "A - 1(fld 1 wv Blue - FITC)"],
    "S1_ORG": ["S1_c1_ORG", "S1_c2_ORG"],
    "plate_A01_s1": [f"plate_A01_s1_w{k}{GUID}{k}" for k in (1, 2)],
    "plate_A01_T0001F001L01A01Z01": [
        f"plate_A01_T0001F001L01A01Z01C0{k}" for k in (1, 2)
    ],
    "A01f00": ["A01f00d0", "A01f00d1"],
    "S1": ["S1_t000", "S1_t001", "S1_t002"],
    "S2": ["S2_DAPI_z0", "S2_FITC_z0", "S2_DAPI_z1", "S2_FITC_z1"],
    "S3": ["S3_ch0_DAPI", "S3_ch1_FITC"],
    "S4": ["S4_FITC_ch1", "S4_DAPI_ch0"],
    "S5": ["S5_405", "S5_488"],
    "S6": ["S6_405nm", "S6_488nm"],
    "S7": ["S7_d0", "S7_d1"],
    "S8": ["green_S8", "red_S8"],
    "S9": ["S9 (FITC)", "S9 (DAPI)"],
    "": ["ch00", "ch01"],
    "S10_Z1": ["S10_C1_Z1", "S10_C2_Z1"],
    "exp_s1": ["exp_w1DAPI_s1", "exp_w2FITC_s1"],
}


@pytest.mark.parametrize("base", ONE_FRAME)
def test_names_that_differ_in_a_channel_or_plane_are_one_frame(base):
    stems = ONE_FRAME[base]
    found = channel_names(stems)
    assert {found[stem].base for stem in stems} == {base}
    assert len({one.name for one in found.values()}) == len(stems)


@pytest.mark.parametrize(
    "stems",
    [
        ["plate_A1", "plate_B1", "plate_C1", "plate_C2", "plate_D1", "plate_D2"],
        ["plate_C01", "plate_D01", "plate_D02"],
        ["C1_x", "C2_x", "B1_x"],
        ["C1", "C2"],
        ["C01_1", "C01_2", "C02_1"],
        ["plate_C01_f", "plate_C02_f"],
        ["T1", "T2"],
        ["S1C1", "S1C2"],
        ["S_001", "S_405", "S_488"],
        ["red_cross_1", "red_cross_2"],
        ["00405", "00488"],
        ["DAPI"],
        ["r01c01f01", "r01c02f01"],
        ["S1_z0", "S2_z0"],
    ],
)
def test_wells_and_numbers_of_specimens_are_no_channels(stems):
    assert channel_names(stems) == {}


def test_wells_stay_apart_beside_a_dye():
    stems = [f"plate_C{k}_{dye}" for k in (1, 2) for dye in ("DAPI", "FITC")]
    found = channel_names(stems)
    assert {one.base for one in found.values()} == {"plate_C1", "plate_C2"}


@pytest.mark.parametrize(
    ("stem", "is_signal"),
    [
        ("A - 1(fld 1 wv Green - TexasRed)", False),
        ("A - 1(fld 1 wv Blue - FITC)", True),
        ("a_w2FITC", True),
        ("a_AF488_z1", True),
        ("a_AF647_z1", False),
    ],
)
def test_fluorescein_is_told_by_its_emission(stem, is_signal):
    other = stem.replace("z1", "z2").replace("w2FITC", "w1DAPI")
    assert channel_names([stem, other])[stem].is_signal is is_signal


def test_several_channels_in_one_file_are_none():
    found = channel_names(["S1_c1_ORG", "S1_c2_ORG", "S1_c1-2_ORG"])
    assert sorted(found) == ["S1_c1_ORG", "S1_c2_ORG"]
    assert merged_base("S1_c1+2_ORG") == "S1_ORG"


def test_the_number_of_imagexpress_is_no_part_of_a_name():
    assert without_guid(f"plate_A01_s1_w1{GUID}7") == "plate_A01_s1_w1"


@pytest.mark.parametrize(
    ("names", "specimen"),
    [
        ([f"A - 1(fld {k} wv Blue - FITC)" for k in (1, 2)], "A - 1"),
        ([f"r02c03f0{k}p01-ch1sk1fk1fl1" for k in (1, 2)], "r02c03"),
        ([f"plate_B04_s{k}_w1" for k in (1, 2)], "plate_B04"),
        (["S1_field1", "S1_field2"], "S1"),
        (["S1 fov 01", "S1 fov 02"], "S1"),
    ],
)
def test_fields_of_a_well_are_one_specimen_and_said(
    tmp_path, write_plain, names, specimen
):
    found = read_collection(write_plain(tmp_path, [*names, "other"], masks=False))
    one = next(one for one in found.specimens if one.id != "other")
    assert (one.id, len(one.frames)) == (specimen, 2)
    assert found.notes[0].startswith("2 frames were taken as fields by their names")


@pytest.mark.parametrize(
    "word", ["merge", "merged", "RGB", "composite", "color", "overlay", "all"]
)
@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        ("S1_ch00", "S1_ch01", "S1_{}"),
        ("S1_DAPI", "S1_FITC", "{}_S1"),
        ("C1-S1", "C2-S1", "S1 ({})"),
        ("A1_1_DAPI_001", "A1_1_FITC_001", "A1_1_{}_001"),
        ("DAPI", "FITC", "{}"),
        ("S1_z0", "S1_z1", "S1-{}"),
    ],
)
def test_a_merged_picture_beside_channels_is_no_specimen(
    tmp_path, write_plain, one, other, merged, word
):
    merged = merged.format(word)
    found = read_collection(write_plain(tmp_path, [one, other, merged], masks=False))
    (specimen,) = found.specimens
    assert len(specimen.frames[0].channels) == 2
    assert found.notes == (f"{merged}.png: not read, as neither frame nor mask.",)


def test_a_channel_as_flat_as_a_mask_is_a_channel(tmp_path, frame_with_nuclei):
    frame, mask = frame_with_nuclei()
    flat = np.where(mask > 0, 250, 5).astype(np.uint8)
    for name, pixels in (("S1_FITC", frame), ("S1_DAPI", flat)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.tif")
    Image.fromarray(mask).save(tmp_path / "S1_DAPI_cp_masks.png")
    found = read_collection(tmp_path)
    (only,) = found.specimens[0].frames
    assert [one.name for one in only.channels] == ["DAPI", "FITC"]
    assert (only.mask.name, only.other_masks) == ("S1_DAPI_cp_masks.png", ())
    assert found.notes == ()
