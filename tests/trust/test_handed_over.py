"""What is handed over decides nothing about trust: harmless stand-ins of each kind."""

import json
import shutil
import socket
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
import yaml
from small_study import study, write_cells

from training.config import SimulationSettings
from training.data.simulation import simulate
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import (
    BadCellsError,
    BadRunError,
    InterruptedRunError,
    StorageError,
)
from training.reports.specimens.plans import ReportRequest, plan_reports
from training.reports.specimens.stream import report_specimens
from training.runs.execution import execute, start_run
from training.runs.fold_result import ORIGIN
from training.runs.folder import CONFIG
from training.storage.writing import write_json

SAMPLE = Path(__file__).parents[2] / "sample_data" / "model"

pytestmark = pytest.mark.promise("handed-over")


@pytest.fixture
def listener():
    """A port of this machine that counts who connects."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.2)
        yield server


@pytest.fixture
def unfinished_run(tmp_path, monkeypatch):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    data = write_cells(tmp_path / "data")
    return start_run(tmp_path / "run", study(data))


def _connections(server):
    found = 0
    with suppress(TimeoutError):
        while True:
            server.accept()[0].close()
            found += 1
    return found


def _name_engine(run, engine, **more):
    path = run.path / CONFIG
    content = yaml.safe_load(path.read_text())
    content["config"]["engine"] = engine
    path.write_text(yaml.safe_dump({**content, **more}))


def test_no_engine_is_asked_that_only_the_folder_names(
    unfinished_run, listener, promise
):
    word = f"dask://127.0.0.1:{listener.getsockname()[1]}"
    refused = 0
    for more in ({}, {"engine_seal": "0" * 64}, {"engine_seal": None}):
        _name_engine(unfinished_run, word, **more)
        with pytest.raises(BadRunError, match="on which you started no run yet"):
            list(execute(unfinished_run))
        refused += 1
    reached = _connections(listener)
    promise.reached(
        f"{refused} configurations that name an engine: {reached} connections",
        reached == 0,
    )


def _store(path):
    with DecisionStore(path, "bob") as store:
        store.decide(["a"], "accepted")


def _script(*statements):
    def change(path):
        with closing(sqlite3.connect(path)) as db:
            db.executescript(";".join(statements))

    return change


def _beside(kind, content):
    return lambda path: path.with_name(f"{path.name}-{kind}").write_bytes(content)


def _link(path):
    (path.parent / "outside").write_text("marker")
    path.with_name(f"{path.name}-journal").symlink_to(path.parent / "outside")


_MAGIC = bytes.fromhex("d9d505f920a163d7")
FOREIGN = {
    "trigger": _script(
        "CREATE TRIGGER more AFTER INSERT ON steps BEGIN SELECT 1; END",
    ),
    "view": _script("CREATE VIEW seen AS SELECT * FROM decisions"),
    "table": _script("CREATE TABLE notes (words TEXT)"),
    "index": _script("CREATE INDEX more ON steps (reviewer)"),
    "missing trigger": _script("DROP TRIGGER steps_stay"),
    "other column": _script("ALTER TABLE steps ADD COLUMN more TEXT"),
    "journal of several files": _beside("journal", bytes(512) + _MAGIC),
    "journal of other pages": _beside("journal", _MAGIC + bytes(504)),
    "journal that is a link": _link,
    "write-ahead log": _beside("wal", b"marker"),
    "its index": _beside("shm", b"marker"),
}


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_store_that_is_not_made_as_ours_is_refused_and_left_alone(tmp_path, promise):
    wrong = []
    for name, change in FOREIGN.items():
        path = tmp_path / name / STORE
        path.parent.mkdir()
        _store(path)
        change(path)
        before = _contents(path.parent)
        try:
            _store(path)
            wrong.append(name)
        except BadCellsError:
            wrong += [name] if _contents(path.parent) != before else []
    promise.reached(
        f"{len(FOREIGN)} stores with what is not ours: {len(FOREIGN) - len(wrong)} "
        "refused and left as they were",
        not wrong,
    )


def test_a_backup_over_an_open_store_is_noticed_before_the_next_decision(
    tmp_path, promise
):
    path, backup = tmp_path / STORE, tmp_path / "backup"
    ways = {
        "renamed": lambda: backup.rename(path),
        "copied": lambda: path.write_bytes(backup.read_bytes()),
        "removed": path.unlink,
    }
    noticed = 0
    for put in ways.values():
        path.unlink(missing_ok=True)
        _store(path)
        shutil.copy(path, backup)
        with DecisionStore(path, "bob") as store:
            store.decide(["b"], "accepted")
            put()
            with pytest.raises(StorageError, match="another file was put in its place"):
                store.decide(["c"], "accepted")
            noticed += 1
    promise.reached(
        f"{noticed} of {len(ways)} ways to replace an open store noticed before the "
        "next decision",
        noticed == len(ways),
    )


def _finish(run):
    for event in execute(run):
        if event["kind"] == "fold-done":
            run.request_stop()


def test_folds_of_two_recipes_are_never_in_one_figure(unfinished_run, promise):
    """One fold is finished, then the configuration or the fold itself is changed."""
    run = unfinished_run
    with pytest.raises(InterruptedRunError):
        _finish(run)
    (done,) = [one.parent for one in run.path.glob("folds/*/scores.npy")]
    path, refused = run.path / CONFIG, []
    whole, origin = path.read_text(), json.loads((done / ORIGIN).read_text())
    for change in (("epochs: 3", "epochs: 4"), ("views: 1", "views: 8")):
        assert change[0] in whole
        path.write_text(whole.replace(*change))
        with pytest.raises(BadRunError, match="trained with other settings or cells"):
            list(execute(run))
        refused.append(change)
    path.write_text(whole)
    for key in ("recipe", "cells"):
        write_json(done / ORIGIN, {**origin, key: "another"})
        with pytest.raises(BadRunError, match="delete this folder to train"):
            list(execute(run))
        refused.append(key)
    write_json(done / ORIGIN, {**origin, "versions": "Python 2.7"})
    events = list(execute(run))
    (notes,) = (one["notes"] for one in events if one["kind"] == "run-started")
    shown = "1 finished folds were trained by Python 2.7" in notes
    promise.reached(
        f"folds of another recipe or other cells: {len(refused)} of 4 refused; of "
        f"other versions: {'shown' if shown else 'not shown'}",
        len(refused) == 4 and shown,
    )


def test_a_report_is_believed_where_this_user_made_it(tmp_path, monkeypatch, promise):
    """Another user's is made anew, whatever it says of what it was made from."""
    data, out = tmp_path / "data", tmp_path / "out"
    small = {"specimens": "2", "cells_min": "9", "cells_max": "9"}
    small |= {"height": "256", "width": "256"}
    list(simulate(data, SimulationSettings.parse(small)))
    request = ReportRequest(data, SAMPLE / "simulated.safetensors", out, device="cpu")

    def skipped(user):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / user))
        return [step.skipped for step in report_specimens(plan_reports(request)[0])]

    found = [skipped("theirs"), skipped("mine"), skipped("mine"), skipped("theirs")]
    mine, believed = found[2], [*found[1], *found[3]]
    promise.reached(
        f"reports of another user: {sum(believed)} of {len(believed)} believed; one's "
        f"own: {sum(mine)} of {len(mine)}",
        all(mine) and not any(believed),
    )
