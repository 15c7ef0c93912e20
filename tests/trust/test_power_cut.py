"""The power goes at a random change of the disk; the store is opened on what is left.

The real store runs on a disk that loses what was not synced, see `losing_disk`.
"""

from collections import Counter
from pathlib import Path

import losing_disk
import numpy as np
import pytest
from losing_disk import Disk
from reviewer_actions import decide_cells, steps_kept

from training.decisions import database
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, StorageError

CUTS_OF_A_FILE = 20
OLD = Path(__file__).with_name("golden") / "format-1.sqlite"
MANY = [f"frame_{k:05d}" for k in range(3000)]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(database.sqlite3, "connect", losing_disk.connect)
    return tmp_path / "curation.sqlite"


def _saved_until_cut(path, saved):
    """Return how many of Ann's steps were called saved in the end."""
    try:
        for step in decide_cells(path, "ann"):
            saved = step
    except StorageError:
        return saved


def _found(disk, path):
    """Return the steps in what is left, and leave it as it is; None if broken."""
    losing_disk.put_in(Disk(disk.files()))
    try:
        with DecisionStore(path, "reader") as store:
            records = store.records()
    except BadCellsError:
        return None
    return None if losing_disk.faults_of(path) else records


def _cut(path, cuts, old=None):
    """Cut the power again and again; a cut may hit what mends the one before.

    Parameters
    ----------
    old
        A file of an earlier format, to begin with.
    """
    rng, counts = np.random.default_rng(cuts), Counter()
    first = {} if old is None else {str(path): old}
    others = [] if old is None else _found(Disk(first), path)
    for k in range(cuts):
        if k % CUTS_OF_A_FILE == 0:
            disk, kept = Disk(first), 0
        losing_disk.put_in(disk)
        # A step is about 37 changes; the making of a file about 20.
        disk.cut_after(int(rng.integers(0, 30 if k % 3 == 0 else 200)))
        saved = _saved_until_cut(path, kept)
        disk = disk.after_the_cut(rng)
        counts["within"] += f"{path}-journal" in disk.files()
        records = _found(disk, path)
        if records is None:
            counts["corrupt"] += 1
            disk, kept = Disk(first), 0
            continue
        counts["old lost"] += records[: len(others)] != others
        found = steps_kept(records, "ann")
        counts["lost"] += found not in (saved, saved + 1)
        counts["kept"] += max(0, found - kept)
        kept = found
    return counts


@pytest.mark.promise("power-cut")
def test_no_saved_decision_is_lost_by_a_power_cut(path, times, promise):
    cuts = times(400, 4000)
    counts = _cut(path, cuts)
    promise.reached(
        f"{cuts:,} cuts, {counts['within']:,} of them within a step, "
        f"{counts['kept']:,} steps saved: {counts['lost']} lost, "
        f"{counts['corrupt']} corrupt",
        met=counts["lost"] == counts["corrupt"] == 0
        and counts["within"] > cuts // 5
        and counts["kept"] > cuts,
    )


@pytest.mark.promise("power-cut")
def test_a_store_of_an_earlier_format_survives_power_cuts_too(path, times, promise):
    """The first cuts of a file hit it while it is brought up."""
    cuts = times(100, 1000)
    counts = _cut(path, cuts, OLD.read_bytes())
    promise.reached(
        f"{cuts:,} cuts during and after the upgrade of a store of format 1: "
        f"{counts['lost'] + counts['old lost']} lost, {counts['corrupt']} corrupt",
        met=counts["lost"] == counts["old lost"] == counts["corrupt"] == 0
        and counts["kept"] > cuts,
    )


def _decide_on_many(path):
    """Do two steps, the second larger than what SQLite may hold in memory."""
    with DecisionStore(path, "ann") as store:
        if store.last_step == 0:
            store.decide(MANY[:500], "accepted")
        store._db.execute("PRAGMA cache_size = 10")
        return store.decide(MANY, "rejected")


@pytest.mark.promise("power-cut")
def test_a_step_on_many_cells_is_kept_whole_or_not_at_all(path, times, promise):
    """Here the file is written to, and synced, before the step is committed."""
    rng, cuts, counts = np.random.default_rng(8), times(40, 400), Counter()
    both = [500, len(MANY)]
    losing_disk.put_in(whole := Disk())
    _decide_on_many(path)
    for cut in range(cuts):
        losing_disk.put_in(disk := Disk())
        first = whole.changes - 30 if cut % 4 == 0 else 0
        disk.cut_after(int(rng.integers(first, whole.changes + 10)))
        saved = 0
        try:
            saved = _decide_on_many(path)
        except StorageError:
            disk = disk.after_the_cut(rng)
        counts["within"] += len(disk.files()) > 1
        records = _found(disk, path)
        sizes = None if records is None else [len(one.decisions) for one in records]
        counts["kept"] += sizes == both
        counts["lost"] += sizes not in ([], [500], both)[2 if saved else 0 :]
    promise.reached(
        f"{cuts} cuts of a step on {len(MANY):,} cells, {whole.changes:,} changes of "
        f"the disk: {counts['kept']} saved, {counts['lost']} lost or incomplete",
        met=counts["lost"] == 0 and counts["kept"] > 0 and counts["within"] > cuts // 2,
    )


@pytest.mark.parametrize("care", ["FULL", "NORMAL", "OFF"])
def test_with_less_care_the_disk_does_lose_decisions(path, monkeypatch, care):
    """So the disk bites, and none of the store's pragmas can be left out."""
    made = losing_disk.Connection.execute

    def careless(self, statement, values=()):
        return made(self, statement.replace("= EXTRA", f"= {care}"), values)

    monkeypatch.setattr(losing_disk.Connection, "execute", careless)
    counts = _cut(path, 60)
    assert counts["lost"] + counts["corrupt"] > 0
