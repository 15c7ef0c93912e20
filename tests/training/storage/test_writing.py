"""Files are written whole or not at all."""

import errno
import os
import threading

import numpy as np
import pytest

from training.errors import StorageError
from training.storage import writing
from training.storage.writing import write_array, write_bytes, write_json, write_text

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_files_are_written_whole(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "é")
    write_json(tmp_path / "a.json", {"a": "é"})
    write_array(tmp_path / "a.npy", GREY)
    assert (tmp_path / "new" / "a.txt").read_bytes() == "é".encode()
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "a": "é"\n}\n'
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), GREY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npy", "new"]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written")],
)
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, number, sentence):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(StorageError, match=sentence):
        write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_threads_that_write_one_file_do_not_mix(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([k]) * 100_000 for k in range(8)]
    threads = [threading.Thread(target=write_bytes, args=(path, c)) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]
