import tracemalloc
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pytest

from training.data.cells.packed import PackedWriter, read_cell_set, write_cell_set
from training.errors import BadCellsError, StorageError
from training.patterns import I3A
from training.storage.locks import this_machine


def add(writer, images, masks=None, first=0):
    ids = [str(first + k) for k in range(len(images))]
    writer.add(images, masks, [0] * len(ids), ["s"] * len(ids), ids)


def test_what_is_written_in_parts_is_read_whole(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 5, 5), np.uint8)
    with PackedWriter(tmp_path / "pack") as writer:
        for start, end in ((0, 3), (3, 3), (3, 7)):
            add(writer, images[start:end], images[start:end] > 99, start)
        writer.finish(I3A, "here", ["a note"])
    cells = read_cell_set(tmp_path / "pack")
    assert isinstance(cells.images, np.memmap)
    assert np.array_equal(cells.images, images)
    assert np.array_equal(cells.masks, images > 99)
    assert cells.masks.dtype == bool
    assert cells.ids.tolist() == [str(k) for k in range(7)]
    assert (cells.source, cells.notes, cells.extra) == ("here", ("a note",), None)


def test_every_column_comes_back(tmp_path, cells):
    marked = replace(
        cells, masks=cells.images > 50, extra=np.arange(48) > 40, notes=("x",)
    )
    write_cell_set(marked, tmp_path / "pack")
    again = read_cell_set(tmp_path / "pack")
    for name in ("images", "patterns", "specimens", "ids", "masks", "extra"):
        assert np.array_equal(getattr(again, name), getattr(marked, name)), name
    assert (again.vocabulary, again.notes) == (I3A, ("x",))


def test_memory_holds_no_more_than_what_is_added_at_a_time(tmp_path):
    """50 MB of images go through 1 MB at a time."""
    part = np.random.default_rng(0).integers(0, 256, (1000, 32, 32), np.uint8)
    tracemalloc.start()
    try:
        with PackedWriter(tmp_path / "pack") as writer:
            for k in range(50):
                add(writer, part, first=1000 * k)
            writer.finish(I3A, "", [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read_cell_set(tmp_path / "pack").images.nbytes == 50 * part.nbytes
    assert peak < 0.25 * 50 * part.nbytes


def test_what_was_not_finished_leaves_nothing(tmp_path):
    with PackedWriter(tmp_path / "pack") as writer:
        add(writer, np.ones((2, 4, 4), np.uint8))
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_is_removed_and_a_living_one_left_alone(tmp_path):
    start = f".pack.{this_machine()}-"
    dead, alive = tmp_path / f"{start}{2**22 + 1}.part", tmp_path / f"{start}1.part"
    other = tmp_path / ".pack.elsewhere-4194305.part"
    for part in (dead, alive, other):
        part.mkdir()
    with PackedWriter(tmp_path / "pack"):
        assert not dead.exists()
        assert alive.exists()
        assert other.exists()


def test_the_first_of_two_writers_is_kept(tmp_path, cells):
    write_cell_set(cells, tmp_path / "pack")
    write_cell_set(cells.take(np.arange(5)), tmp_path / "pack")
    assert len(read_cell_set(tmp_path / "pack")) == len(cells)
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


@pytest.mark.parametrize("name", ["patterns", "specimens", "ids", "images"])
def test_a_column_of_another_length_is_damage(tmp_path, cells, name):
    write_cell_set(cells, tmp_path / "pack")
    np.save(tmp_path / "pack" / f"{name}.npy", getattr(cells, name)[1:])
    with pytest.raises(BadCellsError, match="damaged"):
        read_cell_set(tmp_path / "pack")


@pytest.mark.parametrize("name", ["patterns.npy", "ids.npy", "cells.json"])
def test_a_file_that_is_missing_or_empty_is_damage(tmp_path, cells, name):
    write_cell_set(cells, tmp_path / "pack")
    (tmp_path / "pack" / name).write_bytes(b"")
    with pytest.raises(BadCellsError, match="damaged"):
        read_cell_set(tmp_path / "pack")
    (tmp_path / "pack" / name).unlink()
    with pytest.raises(BadCellsError, match="damaged"):
        read_cell_set(tmp_path / "pack")


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    writer = PackedWriter(tmp_path / "file" / "pack")
    with pytest.raises(StorageError, match="cannot be written"):
        add(writer, np.ones((1, 4, 4), np.uint8))


def test_a_fingerprint_is_that_of_whole_arrays(make_cells):
    """Resumed runs compare it: masks are hashed in parts, and must not show that."""
    cells = make_cells(side=32).take(np.arange(9001) % 48)
    masks = np.random.default_rng(0).random((9001, 3, 3)) < 0.5
    marked = replace(cells, images=cells.images[:, :3, :3], masks=masks)
    digest = blake2b(digest_size=16)
    digest.update(marked.images.tobytes())
    digest.update(marked.patterns.tobytes())
    digest.update("\n".join(marked.specimens).encode())
    digest.update("\n".join(I3A.names).encode())
    digest.update(np.packbits(masks).tobytes())
    assert marked.fingerprint == digest.hexdigest()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("patterns", np.zeros(48, "<M8[s]")),
        ("patterns", np.full(48, 6)),
        ("patterns", np.full(48, -1)),
        ("specimens", np.zeros(48)),
        ("ids", np.zeros((48, 1), "<U1")),
        ("images", np.zeros((48, 32, 31), np.uint8)),
        ("images", np.zeros((48, 32, 32), "<U1")),
        ("masks", np.zeros((48, 5, 5), bool)),
        ("extra", np.zeros(48, np.uint8)),
    ],
)
def test_a_column_that_holds_something_else_is_told(tmp_path, cells, name, column):
    write_cell_set(cells, tmp_path / "pack")
    np.save(tmp_path / "pack" / f"{name}.npy", column)
    with pytest.raises(BadCellsError, match="the packed cells are damaged"):
        read_cell_set(tmp_path / "pack")
