"""The command that draws picture sheets, on specimens of discs."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from training.cli import app
from training.config import ExtractionSettings, SegmentationSettings
from training.curation.quality import sharpness
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.layouts import read_collection
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import BadSettingError
from training.reports.sheets.files import read_provenance

CENTRES = ((20, 20), (20, 60), (20, 100), (60, 20), (60, 60), (60, 100), (100, 40))


def invoke(*words):
    return CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path, write_task2):
    """Return a cell folder of 28 cells of which Ana said something."""
    root = write_task2(tmp_path / "specimens", centres=CENTRES)
    settings = ExtractionSettings(size=41), SegmentationSettings()
    list(write_cell_folder(read_collection(root), tmp_path / "cells", *settings))
    ids = ids_of(tmp_path / "cells")
    with DecisionStore(tmp_path / "cells" / STORE, "Ana") as store:
        store.decide(ids[:3], "rejected", reason="focus")
        store.decide(ids[3:5], "rejected")
        store.decide(ids[20:22], "relabelled", pattern="Golgi")
        store.flag(ids[6:8], True)
    return tmp_path / "cells"


def ids_of(folder):
    return read_cell_folder(folder).table["id"].tolist()


def cells_on(folder, out, *words):
    invoke("sheet", folder, "--out", out, *words)
    return read_provenance(out)["cells"]


def test_the_filters_of_the_gallery_choose_the_cells(folder, tmp_path):
    ids, out = ids_of(folder), tmp_path / "s.png"
    assert cells_on(folder, out) == ids
    assert cells_on(folder, out, "--filter", "rejected") == ids[:5]
    assert cells_on(folder, out, "--reason", "focus") == ids[:3]
    assert cells_on(folder, out, "--filter", "flagged") == ids[6:8]
    assert cells_on(folder, out, "--pattern", "Golgi") == ids[20:22]
    assert cells_on(folder, out, "--specimen", "1") == ids[:14]
    some = ("--filter", "rejected", "--descending")
    assert cells_on(folder, out, *some) == ids[:5][::-1]
    assert cells_on(folder, out, "--filter", "rejected", "--as-of", 1) == ids[:3]
    grouped = cells_on(folder, out, "--group", "decision")
    assert grouped[-7:] == ids[:5] + ids[20:22]


def test_cells_are_put_in_order_by_what_is_measured(folder, tmp_path):
    ids, out = np.array(ids_of(folder)), tmp_path / "s.png"
    crops = read_cell_folder(folder).crops
    expected = ids[np.argsort(sharpness(crops), kind="stable")].tolist()
    assert cells_on(folder, out, "--sort", "focus") == expected
    like = cells_on(folder, out, "--sort", "similarity", "--like", ids[9])
    assert like[0] == ids[9]


def test_the_sheet_says_where_its_cells_came_from(folder, tmp_path):
    out = tmp_path / "s.pdf"
    words = ("--filter", "rejected", "--contrast", "specimen", "--json")
    answer = json.loads(invoke("sheet", folder, "--out", out, *words).stdout)
    told = read_provenance(out)
    assert answer["sheet"] == [str(out)]
    assert answer["cells"] == told["cells"] == ids_of(folder)[:5]
    assert (told["name"], told["source"]) == ("cells", "cell folder")
    assert (told["shown"], told["of"]) == (5, 28)
    assert (told["reviewer"], told["step"]) == ("Ana", 4)
    assert told["decisions"] == "of Ana after step 4 of the store"
    assert "of their specimen" in told["contrast"]
    assert told["use"] == "research use only, not for diagnosis"
    assert len(told["fingerprint"]) == 32
    assert str(tmp_path) not in json.dumps(told), "a path may name a person"


def test_the_fingerprint_is_of_the_cells_and_not_of_the_decisions(folder, tmp_path):
    def mark():
        invoke("sheet", folder, "--out", tmp_path / "s.png")
        return read_provenance(tmp_path / "s.png")["fingerprint"]

    first = mark()
    with DecisionStore(folder / STORE, "Ana") as store:
        store.undo()
    assert mark() == first
    crops = np.load(folder / "crops.npy")
    crops[3, 5, 5] ^= 1
    np.save(folder / "crops.npy", crops)
    assert mark() != first


def test_without_decisions_every_cell_is_undecided(folder, tmp_path):
    (folder / STORE).unlink()
    out = tmp_path / "s.png"
    assert len(cells_on(folder, out, "--filter", "undecided")) == 28
    assert read_provenance(out)["decisions"] == "none was made yet"
    assert not (folder / STORE).exists(), "looking makes no store"


def test_of_several_readers_one_is_named(folder, tmp_path):
    ids, out = ids_of(folder), tmp_path / "s.png"
    with DecisionStore(folder / STORE, "Ben") as store:
        store.decide(ids[:1], "accepted")
    with pytest.raises(BadSettingError, match="name one of Ana, Ben"):
        invoke("sheet", folder, "--out", out)
    ben = ("--reviewer", "Ben")
    assert cells_on(folder, out, "--filter", "accepted", *ben) == ids[:1]
    assert cells_on(folder, out, "--filter", "disagreed", *ben) == ids[:1]


def test_decisions_may_lie_in_another_folder(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (folder / STORE).rename(tmp_path / "other" / STORE)
    words = ("--filter", "rejected", "--decisions", tmp_path / "other")
    assert len(cells_on(folder, tmp_path / "s.png", *words)) == 5


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ("--filter", "good"),
            "--filter good: there is no such choice; use one of all",
        ),
        (("--filter", "dropped"), "no cell passes the filter"),
        (("--specimen", "77"), "specimen 77"),
        (("--sort", "similarity"), "name the cell"),
        (("--sort", "uncertainty"), "needs scores"),
        (("--as-of", "9"), "the last is 4"),
        (("--set", "scale=9"), "scale"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(folder, tmp_path, words, fault):
    with pytest.raises(BadSettingError, match=fault):
        invoke("sheet", folder, "--out", tmp_path / "s.png", *words)
    assert not (tmp_path / "s.png").exists()


def test_the_cell_folder_stays_as_it_is(folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    invoke("sheet", folder, "--out", tmp_path / "s.png")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width == 2000
