"""Which cells near copies are looked for among, and how pairs are named."""

import numpy as np
import pandas as pd
import pytest

from training.config import ExtractionSettings, NearCopySettings, SegmentationSettings
from training.curation.copy_search import ChosenImages
from training.curation.named_copies import ComparedCells, cells_to_compare, named_copies
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.layouts import read_collection
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import SpecimensError

SURE = NearCopySettings(correlation=0.99)


@pytest.fixture
def folder(tmp_path, write_task2):
    root = write_task2(tmp_path / "specimens")
    settings = ExtractionSettings(size=41), SegmentationSettings()
    list(write_cell_folder(read_collection(root), tmp_path / "cells", *settings))
    return tmp_path / "cells"


def test_cells_rejected_or_dropped_are_left_out(folder):
    table = read_cell_folder(folder).table
    kept = table["id"][table["dropped"] == ""].tolist()
    assert cells_to_compare(folder).ids.tolist() == kept
    with DecisionStore(folder / STORE, "ann") as store:
        store.decide(kept[:2], "rejected")
        store.decide(kept[2:3], "relabelled", pattern="Golgi")
    cells = cells_to_compare(folder)
    assert cells.ids.tolist() == kept[2:]
    assert cells.patterns[0] == "Golgi"
    assert cells.specimens[0] == "1"
    assert len(cells.notes) == 2


def chosen(specimens):
    """Return four cells of five images; the first and the last are the same."""
    images = np.random.default_rng(0).integers(0, 255, (5, 40, 40)).astype(np.uint8)
    images[4] = images[1].T
    rows = np.array([1, 2, 3, 4])
    names = np.array(["a", "b", "c", "d"], object)
    patterns = np.array(["Golgi", "", "", "Speckled"], object)
    return ComparedCells(images, rows, names, np.array(specimens, object), patterns)


def test_pairs_are_named(tmp_path):
    cells = chosen(["1", "1", "2", "2"])
    found = pd.concat(part for _, part in named_copies(tmp_path, cells, settings=SURE))
    (pair,) = found.to_dict("records")
    assert (pair["first"], pair["second"]) == ("a", "d")
    assert (pair["first_specimen"], pair["second_specimen"]) == ("1", "2")
    assert (pair["first_pattern"], pair["second_pattern"]) == ("Golgi", "Speckled")


def test_cells_without_a_specimen_are_refused_unless_all_are_compared(tmp_path):
    cells = chosen(["", "1", "2", ""])
    with pytest.raises(SpecimensError, match="use --within"):
        list(named_copies(tmp_path, cells))
    parts = [part for _, part in named_copies(tmp_path, cells, True, SURE)]
    assert len(pd.concat(parts)) == 1


def test_chosen_images_are_those_rows():
    images = np.arange(5 * 4).reshape(5, 2, 2)
    some = ChosenImages(images, np.array([4, 0, 2]))
    assert len(some) == 3
    assert some.shape == (3, 2, 2)
    assert np.array_equal(some[1:], images[[0, 2]])
    assert np.array_equal(some[np.array([2, 0])], images[[2, 4]])
