"""Decisions on a cell folder follow their nuclei through every way to cut it again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.known import frame_cells, known_cells
from training.data.cells.pending import pending_decisions, pending_text
from training.data.cells.recut import recut_frame
from training.data.layouts import read_collection
from training.decisions.applied import review_cells
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, RunLockedError

SETTINGS = ExtractionSettings(size=9), SegmentationSettings()
FRAME = "00001_p0"
FIRST, SECOND, THIRD = (f"{FRAME}_000{k}" for k in (1, 2, 3))
GOLDEN = Path(__file__).parents[3] / "trust" / "golden" / "cells-format-1"


def extract(source, out):
    list(write_cell_folder(read_collection(source), out, *SETTINGS))
    return read_cell_folder(out).table.set_index("id")


def decide(out, *cells, verdict="rejected", reviewer="ann"):
    with DecisionStore(out / "curation.sqlite", reviewer) as store:
        store.decide(cells, verdict)


def mask_of(source, frame=FRAME):
    return source / "train" / f"{frame}_Mask.tif"


def paint(source, edit, frame=FRAME):
    """Change the mask that came with the data, as a label image."""
    path = mask_of(source, frame)
    mask = np.asarray(Image.open(path)).astype(bool)
    labels = np.zeros(mask.shape, np.uint8)
    for label, (y, x) in enumerate(((30, 30), (40, 90), (80, 50)), start=1):
        rows, columns = np.nonzero(mask)
        own = np.hypot(rows - y, columns - x) < 14
        labels[rows[own], columns[own]] = label
    Image.fromarray(edit(labels)).save(path)


def renumbered(labels):
    """A new nucleus comes first, so that each label of the others is another's now."""
    labels = np.where(labels, labels + 1, 0).astype(np.uint8)
    labels[4:20, 100:116] = 1
    return labels


def halved(labels):
    labels[labels == 1] = np.where(np.nonzero(labels == 1)[1] < 30, 1, 4)
    return labels


def without_first(labels):
    return np.where(labels == 1, 0, labels)


@pytest.fixture
def source(tmp_path, write_task2):
    return write_task2(tmp_path / "x" / "data")


@pytest.fixture
def out(tmp_path, source):
    made = tmp_path / "x" / "cells"
    extract(source, made)
    return made


def applied(out):
    """Return the cells that training leaves out, by their centroids."""
    cells = read_cell_folder(out)
    used = review_cells(out, cells.table, "not-rejected").table
    rejected = used[used["dropped"] == "rejected"]
    return {
        (round(y), round(x)) for y, x in zip(rejected["y"], rejected["x"], strict=True)
    }


def test_a_rejection_stays_on_its_nucleus_when_labels_move(source, out):
    decide(out, FIRST, THIRD)
    stood = applied(out)
    assert stood == {(30, 30), (80, 50)}
    paint(source, renumbered)
    table = extract(source, out)
    assert applied(out) == stood
    assert table.loc[FIRST, "label"] == 2
    assert set(table.index[table["frame"] == FRAME]) == {
        *(FIRST, SECOND, THIRD),
        f"{FRAME}_0005",
    }
    assert pending_decisions(out) == []


def test_a_nucleus_that_is_gone_holds_its_decision_until_it_comes_back(source, out):
    decide(out, FIRST)
    kept = mask_of(source).read_bytes()
    paint(source, without_first)
    table = extract(source, out)
    assert FIRST not in table.index
    assert applied(out) == set()
    (held,) = pending_decisions(out)
    assert (held.cell, held.is_asked) == (FIRST, False)
    notes = review_cells(out, read_cell_folder(out).table, "not-rejected").notes
    assert any(note.startswith("1 cells were decided on that are") for note in notes)
    mask_of(source).write_bytes(kept)
    extract(source, out)
    assert applied(out) == {(30, 30)}
    assert pending_decisions(out) == []


def test_a_split_nucleus_is_asked_about_until_each_half_is_decided_on(source, out):
    decide(out, FIRST)
    paint(source, halved)
    table = extract(source, out)
    assert applied(out) == set()
    (asked,) = pending_decisions(out)
    halves = table.index[table["flags"].str.contains("decide-anew")].tolist()
    assert sorted(asked.candidates) == sorted(halves)
    assert len(halves) == 2
    assert "decide anew" in pending_text([asked])
    decide(out, halves[0], verdict="accepted")
    (asked,) = pending_decisions(out)
    assert asked.candidates == (halves[1],)
    decide(out, halves[1])
    assert pending_decisions(out) == []
    assert not extract(source, out)["flags"].str.contains("decide-anew").any()


def test_history_shows_what_was_decided_before_and_after(source, out):
    decide(out, FIRST)
    paint(source, renumbered)
    extract(source, out)
    decide(out, FIRST, verdict="accepted", reviewer="bob")
    with DecisionStore(out / "curation.sqlite", "ann") as store:
        events = store.history(FIRST)
        assert store.undo() == (FIRST,)
    assert [(one.reviewer, one.decision.verdict) for one in events] == [
        ("ann", "rejected"),
        ("bob", "accepted"),
    ]


def test_a_frame_that_is_lost_keeps_its_numbers_for_its_nuclei(source, out):
    decide(out, FIRST)
    kept = mask_of(source).read_bytes()
    mask_of(source).write_bytes(b"none")
    assert FIRST not in extract(source, out).index
    assert [one.cell for one in pending_decisions(out)] == [FIRST]
    mask_of(source).write_bytes(kept)
    paint(source, renumbered)
    extract(source, out)
    assert applied(out) == {(30, 30)}


def test_one_frame_cut_again_follows_the_same_rule(source, out):
    decide(out, FIRST)
    paint(source, renumbered)
    recut = recut_frame(out, read_collection(source), FRAME)
    assert recut == ((), (f"{FRAME}_0005",))
    assert applied(out) == {(30, 30)}
    before = known_cells(out)
    extract(source, out)
    assert known_cells(out) == before


def interrupted(monkeypatch, at):
    """Cut the writer off before its file `at` takes its place."""
    replace, moved = Path.replace, []

    def failing(self, target):
        if self.parent.name == ".ready":
            if len(moved) == at:
                raise KeyboardInterrupt
            moved.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)


@pytest.mark.parametrize("at", range(4))
def test_cut_off_while_it_takes_effect_decisions_are_on_their_nuclei(
    source, out, at, monkeypatch
):
    decide(out, FIRST, THIRD)
    paint(source, renumbered)
    with monkeypatch.context() as patch:
        interrupted(patch, at)
        with pytest.raises(KeyboardInterrupt):
            extract(source, out)
    assert applied(out) == {(30, 30), (80, 50)}
    numbers = [one.number for one in known_cells(out).of(FRAME) if one.present]
    assert sorted(numbers) == [1, 2, 3, 5]
    paint(source, without_first)
    extract(source, out)
    assert applied(out) == {(80, 50)}


@pytest.fixture
def old(tmp_path, write_task2):
    """A cell folder and its store as the program wrote them before it kept nuclei."""
    source = write_task2(tmp_path / "data", {"1": "homogeneous"}, 1)
    return source, Path(shutil.copytree(GOLDEN, tmp_path / "cells"))


def test_an_old_folder_is_recognised_by_centroids_and_areas(old):
    source, out = old
    assert not (out / "nuclei.runs").exists()
    assert applied(out) == {(30, 30), (80, 50)}
    assert pending_decisions(out) == []
    paint(source, renumbered)
    extract(source, out)
    assert applied(out) == {(30, 30), (80, 50)}
    assert json.loads((out / "source.json").read_text())["format"] == 2
    assert all(one.runs for one in known_cells(out).of(FRAME))


def test_an_old_folder_asks_where_a_nucleus_was_split(old):
    source, out = old
    paint(source, halved)
    extract(source, out)
    assert applied(out) == {(80, 50)}
    (asked,) = pending_decisions(out)
    assert asked.is_asked
    assert asked.cell == FIRST


def test_nuclei_left_by_a_program_that_did_not_know_them_are_not_believed(source, out):
    """It cut the cells again, of other labels, and left the file as it was."""
    paint(source, renumbered)
    extract(source, out)
    content = json.loads((out / "source.json").read_text())
    (out / "source.json").write_text(json.dumps({**content, "format": 1}))
    assert not any(one.runs for one in known_cells(out).of(FRAME))


def test_a_damaged_file_of_nuclei_stops_the_extraction(source, out):
    before = (out / "cells.csv").read_bytes()
    (out / "nuclei.runs").write_text("none")
    with pytest.raises(BadCellsError, match=r"nuclei\.runs: it is damaged"):
        extract(source, out)
    assert (out / "cells.csv").read_bytes() == before


def test_of_two_who_cut_at_once_the_second_is_refused(source, out):
    steps = write_cell_folder(read_collection(source), out, *SETTINGS)
    next(steps)
    with pytest.raises(RunLockedError, match="works in this folder"):
        extract(source, out)
    list(steps)
    assert len(read_cell_folder(out).table) > 0


def test_cells_that_were_taken_over_meanwhile_are_left_alone(source, out):
    """As by a program that knows no lock."""
    steps = write_cell_folder(read_collection(source), out, *SETTINGS)
    next(steps)
    paint(source, renumbered)
    (out / "lock").unlink()
    extract(source, out)
    before = (out / "nuclei.runs").read_bytes()
    with pytest.raises(BadCellsError, match="by another program meanwhile; cut again"):
        list(steps)
    assert (out / "nuclei.runs").read_bytes() == before


# -- frames without a cell folder


def cut(source):
    (specimen, *_) = read_collection(source).specimens
    return extract_frame(specimen.frames[0], *SETTINGS)


def test_cells_of_a_frame_keep_their_ids_once_one_is_decided_on(source):
    ids, _, nuclei = frame_cells(source, cut(source))
    assert ids == [FIRST, SECOND, THIRD]
    nuclei.keep(source)
    decide(source, FIRST)
    paint(source, renumbered)
    ids, table, nuclei = frame_cells(source, cut(source))
    assert ids == [f"{FRAME}_0005", FIRST, SECOND, THIRD]
    assert table["label"].tolist() == [1, 2, 3, 4]
    nuclei.keep(source)
    paint(source, halved)
    ids, table, _ = frame_cells(source, cut(source))
    assert FIRST not in ids
    assert table["flags"].str.contains("decide-anew").sum() == 2


def test_two_who_cut_a_frame_otherwise_do_not_share_a_number(source):
    _, _, mine = frame_cells(source, cut(source))
    paint(source, renumbered)
    _, _, theirs = frame_cells(source, cut(source))
    theirs.keep(source)
    theirs.keep(source)
    with pytest.raises(BadCellsError, match="choose This frame again"):
        mine.keep(source)


def test_a_cell_folder_keeps_its_own_nuclei(source, out):
    before = (out / "nuclei.runs").read_bytes()
    paint(source, renumbered)
    ids, _, nuclei = frame_cells(out, cut(source))
    assert ids == [f"{FRAME}_0005", FIRST, SECOND, THIRD]
    nuclei.keep(out)
    assert (out / "nuclei.runs").read_bytes() == before
