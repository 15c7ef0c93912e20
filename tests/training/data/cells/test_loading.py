"""Masks and extra cells; what the cache holds is tested in test_cells.py."""

import numpy as np
import pytest
from PIL import Image

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
    TrainingSetSettings,
)
from training.data.cells.folder import write_cell_folder
from training.data.cells.loading import load_packed, read_cell_set
from training.data.cells.packed import write_joined
from training.data.layouts import read_collection
from training.errors import BadCellsError
from training.patterns import I3A_TASK2
from training.splits.sampling import choose_samples


def test_masks_come_with_the_cells_where_they_are_asked_for(cells, task1):
    folder = task1(cells)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 4:28] = 255
    Image.fromarray(mask).save(folder / "train" / "00001_Mask.png")
    without, _ = load_packed(folder, 32)
    assert without.masks is None
    loaded, packed = load_packed(folder, 32, masks=True)
    assert np.array_equal(loaded.masks[0], mask > 0)
    assert loaded.masks[1:].all()
    assert loaded.images.tobytes() == without.images.tobytes()
    assert read_cell_set(packed).fingerprint == loaded.fingerprint
    assert loaded.fingerprint != without.fingerprint


def test_a_resized_mask_keeps_what_is_half_covered(cells, task1):
    folder = task1(cells)
    mask = np.zeros((32, 32), np.uint8)
    mask[:, :16] = 255
    Image.fromarray(mask).save(folder / "train" / "00001_Mask.png")
    loaded, _ = load_packed(folder, 16, masks=True)
    assert loaded.masks[0].sum(axis=1).tolist() == [8] * 16


def test_masks_that_are_missing_are_made_and_said_to_be(cells, task1):
    folder = task1(cells)
    for number in (1, 2):
        (folder / "train" / f"{number:05d}_Mask.png").unlink()
    loaded, _ = load_packed(folder, 32, masks=True)
    assert "2 cells have no mask: one was made from the crop" in loaded.notes
    assert 0 < loaded.masks[0].sum() < 32 * 32
    assert loaded.masks[2].all()


def test_a_cell_folder_has_no_masks_so_they_are_made(tmp_path, write_plain):
    specimens = write_plain(
        tmp_path / "plain", table="specimen,pattern\na,Golgi\nb,NuMem\n"
    )
    collection = read_collection(specimens)
    steps = write_cell_folder(
        collection, tmp_path / "cells", ExtractionSettings(), SegmentationSettings()
    )
    list(steps)
    loaded, _ = load_packed(tmp_path / "cells", 40, masks=True)
    assert loaded.masks.shape == loaded.images.shape
    assert f"{len(loaded)} cells have no mask" in loaded.notes[-1]


def test_frames_give_the_nucleus_of_each_crop(tmp_path, write_plain):
    specimens = write_plain(
        tmp_path / "plain", table="specimen,pattern\na,Golgi\nb,NuMem\n"
    )
    loaded, _ = load_packed(specimens, 77, masks=True)
    assert loaded.masks[:, 38, 38].all(), "the centroid lies in the nucleus"
    inside = loaded.images[loaded.masks].mean()
    assert inside > loaded.images[~loaded.masks].mean()


def test_extra_cells_are_marked_and_named_apart(cells, task1, make_cells):
    more = make_cells(cells=2, seed=5)
    loaded, packed = load_packed(
        task1(cells), 32, extra=task1(more, name="more"), masks=True
    )
    assert loaded.own.tolist() == [True] * 48 + [False] * 24
    assert loaded.masks.shape == loaded.images.shape
    assert set(loaded.specimens[48:]) == {
        f"extra/{k}{n}" for k in range(6) for n in (0, 1)
    }
    assert len(set(loaded.ids)) == 72
    assert loaded.patterns[48:].tolist() == more.patterns.tolist()
    assert read_cell_set(packed).own.tolist() == loaded.own.tolist()
    plain, _ = load_packed(task1(cells, name="again"), 32)
    assert plain.own.all()


def test_patterns_are_joined_by_name_and_others_left_out(tmp_path, cells):
    names = list(I3A_TASK2.names)
    order = [names.index(name) for name in cells.vocabulary.names]
    patterns = np.array(order)[cells.patterns]
    patterns[:3] = names.index("MitSp")
    other = cells.take(np.arange(48))
    object.__setattr__(other, "vocabulary", I3A_TASK2)
    object.__setattr__(other, "patterns", patterns)
    write_joined(cells, other, tmp_path / "joined")
    joined = read_cell_set(tmp_path / "joined")
    assert len(joined) == 48 + 45
    assert joined.patterns[48:].tolist() == cells.patterns[3:].tolist()
    assert "3 extra cells of other patterns were left out" in joined.notes


@pytest.mark.parametrize("masks", [False, True])
def test_the_cache_is_used_again(cells, task1, masks, monkeypatch):
    folder, more = task1(cells), task1(cells, name="more")
    first, packed = load_packed(folder, 32, extra=more, masks=masks)
    monkeypatch.setattr("training.data.cells.loading.read_collection", None)
    again, same = load_packed(folder, 32, extra=more, masks=masks)
    assert (same, again.fingerprint) == (packed, first.fingerprint)


def test_simulated_cells_are_said_to_be(cells, task1):
    folder = task1(cells)
    assert not load_packed(folder, 32)[0].notes
    (folder / "source.json").write_text('{"simulated": true, "specimens_written": 2}')
    assert load_packed(folder, 32)[0].notes == ("the cells are simulated",)


def test_simulated_cells_are_trained_on_and_never_tested(cells, task1):
    """Drawn once, by their seed; the second time they come from the cache."""
    folder = task1(cells)
    few = SimulationSettings(
        specimens=3,
        patterns=("Golgi", "NuMem", "Homogeneous"),
        cells_min=2,
        cells_max=3,
        height=160,
        width=160,
        reject_share=0,
    )
    found, packed = load_packed(folder, 32, masks=True, simulated=few)
    drawn = found.simulated
    assert drawn.any()
    assert (drawn == ~found.own).all()
    assert found.masks is not None
    assert set(found.specimens[drawn]) <= {f"simulated/{k}" for k in (1, 2, 3)}
    assert set(found.patterns[drawn]) <= {0, 4, 5}
    assert "simulated" in found.source
    again, same = load_packed(folder, 32, masks=True, simulated=few)
    assert same == packed
    assert again.fingerprint == found.fingerprint
    other = few.model_copy(update={"seed": 1})
    assert load_packed(folder, 32, masks=True, simulated=other)[1] != packed
    train = TrainingSetSettings(simulated=3)
    used = choose_samples(found, np.arange(len(found)), train, 0).rows
    assert np.isin(np.flatnonzero(drawn), used).all()
    unused = choose_samples(found, np.arange(len(found)), TrainingSetSettings(), 0)
    assert not drawn[unused.rows].any()


def test_before_any_cell_is_accepted_it_says_so_and_not_that_a_table_lacks_patterns(
    cell_folder, make_cells
):
    folder = cell_folder(make_cells())
    with pytest.raises(BadCellsError, match="accept some cells, or train without"):
        load_packed(folder, 32, reviewed="accepted")
