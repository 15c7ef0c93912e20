"""A disk that is full, and one that cannot be written, before a reviewer at work.

The state and the verbs are those of the window; whatever they raise fails the test.
"""

import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mounts import can_mount, read_only_view, small_disk
from nursery import Nursery
from reviewer_actions import faults_of, steps_kept

from napari_hep2.classify.controllers.specimen_answer import SayingController
from napari_hep2.classify.state import SayingState
from napari_hep2.jobs import run_here
from napari_hep2.review.controllers import decision_session
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.decision_session import NOT_SAVED
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.state import SessionState
from training.decisions.applied import STORE
from training.decisions.specimens import Answer, read_sayings, specimen_store
from training.decisions.store import DecisionStore

BLOCK = 4096
ANSWERS = (Answer("positive", ("AC-22",), "+"), Answer("negative"))

pytestmark = pytest.mark.skipif(not can_mount(), reason="only root on Linux can mount")


class Desk:
    """What stands behind the window, with the cells of a frame under review."""

    def __init__(self, specimens: Path, store: Path) -> None:
        self.state = SessionState()
        self.review = ReviewController(self.state)
        self.saying = SayingController(self.state, SayingState())
        run_here(SpecimenController(self.state).open_folder(specimens))
        self.review.review_frame()
        self.review.decision_session.use(store)

    def verbs(self, rng):
        """Return all that says something of the selected cells or their specimen."""
        review = self.review
        return {
            "accept": review.decisions.accept,
            "reject": lambda: review.decisions.reject("focus"),
            "relabel": lambda: review.decisions.relabel(int(rng.integers(6))),
            "clear": review.decisions.clear,
            "flag": review.decisions.flag,
            "note": lambda: review.decisions.note("x" * int(rng.integers(1, 2000))),
            "undo": review.decisions.undo,
            "redo": review.decisions.redo,
            "say": lambda: self.saying.say(ANSWERS[rng.integers(2)]),
            "take back": self.saying.take_back,
        }

    def shown(self):
        """Return what the screen says of cells and specimens."""
        return (
            {c: (d.verdict, d.pattern) for c, d in self.state.decisions.items()},
            dict(self.review.state.marks),
            [(one.reviewer, one.pattern) for one in self.saying.found.sayings],
        )

    def stored(self):
        """Return the same as the files have it; one not yet made has nothing."""
        folder, said = self.state.store, []
        if _is_made(specimen_store(folder)):
            found = read_sayings(folder).get(self.state.specimen, ())
            said = [(one.reviewer, one.pattern) for one in found]
        if not _is_made(folder / STORE):
            return {}, {}, said
        with DecisionStore(folder / STORE, self.state.reviewer) as store:
            current = {c: (d.verdict, d.pattern) for c, d in store.current().items()}
            return current, store.marks(), said


def _is_made(path):
    return path.is_file() and path.stat().st_size > 0


@pytest.fixture
def specimens(tmp_path, write_task2):
    return write_task2(tmp_path / "specimens", {"1": "golgi"}, frames=1)


def _fill(disk: Path, blocks_left: int) -> Path:
    """Write a file that leaves only some blocks of the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(BLOCK))
        except OSError:
            file.truncate(max(0, file.tell() - blocks_left * BLOCK))
    return ballast


def _do(desk, name, rng, counts):
    """Do one thing, and count whether the screen, the files and the words agree."""
    state, before = desk.state, desk.shown()
    rows = rng.choice(len(state.review), int(rng.integers(1, 4)), replace=False)
    desk.review.navigation.select(int(rows[0]), rows.tolist())
    desk.review.state.saved = state.fault = ""
    desk.verbs(rng)[name]()
    of_specimen = name in ("say", "take back")
    refused = bool(state.fault)
    counts["refused" if refused else "saved"] += 1
    if refused:
        assert "disk is full" in state.fault, state.fault
        counts["changed by what was refused"] += desk.shown() != before
    if not of_specimen:
        counts["called wrongly"] += refused != (desk.review.state.saved == NOT_SAVED)
    counts["differing"] += desk.shown() != desk.stored()


@pytest.mark.promise("full-disk")
def test_on_a_full_disk_what_was_saved_stays_and_the_rest_is_called_unsaved(
    tmp_path, specimens, times, promise, monkeypatch
):
    """Also the first decision, for which there is no file yet, meets a full disk."""
    monkeypatch.setattr(decision_session, "MANY", 3)
    rng, rounds, counts = np.random.default_rng(4), times(25, 250), Counter()
    with small_disk(tmp_path / "small", megabytes=2) as disk:
        desk = Desk(specimens, disk)
        names = list(desk.verbs(rng))
        for number in range(rounds):
            ballast = _fill(disk, int(rng.integers(0, 12)) if number else 0)
            for name in rng.permutation(names):
                _do(desk, name, rng, counts)
            ballast.unlink()
            before = counts["refused"]
            _do(desk, "accept", rng, counts)
            counts["refused with space"] += counts["refused"] - before
        desk.review.decision_session.close()
        faults = [one for path in disk.glob("*.sqlite") for one in faults_of(path)]
    wrong = ("changed by what was refused", "called wrongly", "differing")
    bad = sum(counts[one] for one in (*wrong, "refused with space"))
    promise.reached(
        f"2 MB disk filled {rounds} times: {counts['saved']:,} steps saved, "
        f"{counts['refused']:,} refused and shown as unsaved, {bad} differences "
        f"between screen and file, {len(faults)} corrupt, 0 tracebacks",
        met=bad == 0
        and not faults
        and min(counts["saved"], counts["refused"]) > rounds,
    )


# --- read-only -------------------------------------------------------------------


def _refused_by_all_verbs(desk, rng):
    """Try every verb; return those that were not refused in words."""
    before, wrong = desk.shown(), []
    for name, verb in desk.verbs(rng).items():
        desk.review.navigation.select(1, [1, 2])
        desk.review.state.saved = desk.state.fault = ""
        verb()
        of_specimen = name in ("say", "take back")
        told = "read-only" in desk.state.fault
        called = of_specimen or desk.review.state.saved == NOT_SAVED
        if not (told and called and desk.shown() == before):
            wrong.append(f"{name}: {desk.review.state.saved!r} {desk.state.fault!r}")
    return wrong


@pytest.mark.promise("full-disk")
def test_in_a_read_only_folder_all_is_shown_and_nothing_is_called_saved(
    tmp_path, specimens, promise
):
    rng = np.random.default_rng(0)
    desk = Desk(specimens, specimens)
    for name in ("accept", "flag", "note", "say"):
        desk.review.navigation.select(2)
        desk.verbs(rng)[name]()
    work = desk.shown()
    desk.review.decision_session.close()
    before = {path: path.read_bytes() for path in specimens.glob("*.sqlite")}
    with read_only_view(tmp_path / "view", specimens) as view:
        again = Desk(view, view)
        seen, writable = again.shown() == work, again.review.state.writable
        wrong = _refused_by_all_verbs(again, rng)
        again.review.decision_session.close()
    same = before == {path: path.read_bytes() for path in specimens.glob("*.sqlite")}
    promise.reached(
        f"read-only folder: opened, all work shown, {wrong or 0} of 10 actions not "
        "refused with a message, 2 files unchanged, 0 tracebacks",
        met=seen and not writable and not wrong and same and len(before) == 2,
    )


@pytest.mark.promise("full-disk")
def test_a_step_that_was_cut_off_in_a_folder_now_read_only_is_told(
    tmp_path, specimens, promise
):
    """What must be taken back cannot be there; a copy of the folder can."""
    path = specimens / STORE
    with Nursery(tmp_path) as nursery:
        saved = _killed_within_a_step(nursery, path)
    with read_only_view(tmp_path / "view", specimens) as view:
        desk = Desk(view, view)
        told, shown = desk.state.fault, desk.shown()
        desk.review.navigation.select(1)
        desk.review.decisions.accept()
        called = desk.review.state.saved
        copy = Path(shutil.copytree(view, tmp_path / "copy"))
    with DecisionStore(copy / STORE, "reader") as store:
        kept = steps_kept(store.records(), "ann")
    promise.reached(
        f"killed within a step, then made read-only: reported in a message; a copy of "
        f"the folder has {saved - min(saved, kept)} of {saved} steps lost",
        met="copy the whole folder" in told
        and (called, shown) == (NOT_SAVED, ({}, {}, []))
        and kept in (saved, saved + 1)
        and not faults_of(copy / STORE),
    )


def _killed_within_a_step(nursery, path):
    """Kill writers until one leaves a step to be taken back; return what was saved."""
    rng, saved = np.random.default_rng(1), 0
    while not _is_cut_off(path):
        fork = nursery.start("cells", path, "ann")
        fork.wait_for(3)
        time.sleep(rng.uniform(0, 0.004))
        fork.kill()
        saved = max(saved, fork.saved())
    return saved


def _is_cut_off(path):
    """Whether a journal is there that SQLite will take back: its first bytes say so."""
    journal = path.with_name(f"{path.name}-journal")
    return journal.is_file() and journal.read_bytes()[:4] == b"\xd9\xd5\x05\xf9"
