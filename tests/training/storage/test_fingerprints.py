"""A changed source is noticed, also where the source is a folder."""

import os

import pytest

from training.storage.fingerprints import change_of, fingerprint


@pytest.fixture(params=["a.tif", "a.zarr"])
def source(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".zarr":
        path.mkdir()
        (path / "0").write_bytes(b"pixels")
        (path / "1").write_bytes(b"more")
    else:
        path.write_bytes(b"pixels")
    return path


def one_file(source):
    return source / "0" if source.is_dir() else source


def test_an_untouched_source_has_not_changed(tmp_path, source):
    entry = fingerprint(tmp_path, source)
    assert change_of(tmp_path, entry) is None
    os.utime(one_file(source), ns=(1, 1))
    assert change_of(tmp_path, entry) is None


def test_other_bytes_of_one_length_are_a_change(tmp_path, source):
    entry = fingerprint(tmp_path, source)
    one_file(source).write_bytes(b"PIXELS")
    os.utime(one_file(source), ns=(2**62, 2**62))
    assert change_of(tmp_path, entry) == "has changed"


def test_a_file_more_in_a_folder_is_a_change(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    entry = fingerprint(tmp_path, tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "0").write_bytes(b"x")
    assert change_of(tmp_path, entry) == "has changed"


def test_chunks_that_changed_places_are_a_change(tmp_path):
    source = tmp_path / "a.zarr"
    source.mkdir()
    for name, content in (("0", b"ab"), ("1", b"cd")):
        (source / name).write_bytes(content)
    entry = fingerprint(tmp_path, source)
    (source / "0").write_bytes(b"cd")
    (source / "1").write_bytes(b"ab")
    os.utime(source / "0", ns=(2**62, 2**62))
    assert change_of(tmp_path, entry) == "has changed"


def test_a_source_that_is_gone_was_removed(tmp_path, source):
    entry = fingerprint(tmp_path, source)
    source.rename(tmp_path / "away")
    assert change_of(tmp_path, entry) == "was removed"
