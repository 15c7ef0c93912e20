"""Unreadable files, full disks, a full output, Ctrl-C at once: a sentence each.

Root reads everything: what may not be read is tried as another user.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from mounts import can_mount, small_disk
from small_study import write_cells

import training.__main__ as program
from training.cli import main
from training.config import SimulationSettings
from training.data.simulation import simulate

pytestmark = [
    pytest.mark.promise("system"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /dev/full"),
]

NOBODY = 65534
SAMPLE = Path(__file__).parents[2] / "sample_data" / "model"


@pytest.fixture
def shared(monkeypatch):
    """A folder that every user reaches, with specimens, cells and a model in it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        monkeypatch.setenv("HEP2_CACHE", str(place / "cache"))
        monkeypatch.setenv("MPLCONFIGDIR", str(place / "cache"))
        small = {"specimens": "1", "cells_min": "9", "cells_max": "9"}
        small |= {"height": "256", "width": "256"}
        list(simulate(place / "specimens", SimulationSettings.parse(small)))
        shutil.copytree(SAMPLE, place / "model")
        write_cells(place / "cells")
        for path in (place, *place.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        yield place


def _run(words, user=0, out=None):
    """Run the command line in a fork; return its exit code and what it told."""
    with tempfile.TemporaryFile() as told:
        number = os.fork()
        if number == 0:
            with ExitStack() as last:
                last.callback(os._exit, 99)
                output = told.fileno() if out is None else os.open(out, os.O_WRONLY)
                os.dup2(output, 1)
                os.dup2(told.fileno(), 2)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                if user:
                    os.setgid(user)
                    os.setuid(user)
                sys.argv = ["hep2", *map(str, words)]
                _ended_by(main)
        code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        told.seek(0)
        return code, told.read().decode()


def _ended_by(act):
    code = 0
    try:
        act()
    except SystemExit as end:
        code = end.code or 0
    except BaseException as fault:  # noqa: BLE001
        print(f"Traceback: {type(fault).__name__} {fault}", file=sys.stderr)
        code = 98
    sys.stderr.flush()
    os._exit(code)


def _commands(place, out):
    """Return the commands that read specimens, cells and a model, and what each."""
    model = ("--model", place / "model" / "simulated.safetensors", "--device", "cpu")
    specimens, cells = place / "specimens", place / "cells"
    return {
        "extract": (specimens, ["extract", specimens, "--out", out / "e"]),
        "predict": (specimens, ["predict", specimens, *model, "--out", out / "p"]),
        "specimens": (specimens, ["specimens", specimens, *model, "--out", out / "s"]),
        "quality": (cells, ["quality", cells]),
    }


_NEEDLESS = {"source.json", "truth.csv"}
"""Files of specimens that no command needs."""


def test_what_may_not_be_read_is_one_sentence(shared, promise):
    """Each file and folder in turn, by a user who may read the others: never root."""
    out, user = shared / "out", 0 if os.geteuid() else NOBODY
    for _, words in _commands(shared, shared / "before").values():
        _in_this_process(words)  # What they import later is there for all.
    tried, wrong = 0, []
    for name, (read, words) in _commands(shared, out).items():
        for path in (read, *sorted(read.rglob("*"))):
            if read.name == "specimens" and path.name in _NEEDLESS:
                continue
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            if user:
                os.chown(out, user, user)
            mode = path.stat().st_mode
            path.chmod(0)
            code, told = _run(words, user)
            path.chmod(mode)
            tried += 1
            if code != 2 or "Traceback" in told or path.name not in told:
                wrong.append(f"{name} {path.name}: {code} {told[-200:]}")
    promise.reached(
        f"{tried} files and folders that may not be read: {len(wrong)} without a "
        "sentence and exit code 2" + "; ".join(["", *wrong]),
        not wrong,
    )


def _in_this_process(words):
    from typer.testing import CliRunner

    from training.cli import app

    CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.skipif(not can_mount(), reason="needs a disk of its own")
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(
    shared, tmp_path, monkeypatch, times, promise
):
    wrong, tried = [], 0
    with small_disk(tmp_path / "disk", 1) as disk:
        monkeypatch.setenv("HEP2_CACHE", str(disk / "cache"))
        extract = ["extract", shared / "specimens", "--out", disk / "cells"]
        forecast = ["run", "lenet", "--data", shared / "cells", "--forecast"]
        for words, step in ((extract, 16), (forecast, 16)):
            for room in range(0, times(48, 160), step):
                filler = disk / "filler"
                _fill(filler, room)
                code, told = _run(words)
                left = [path.name for path in disk.rglob("*.part*")]
                tried += 1
                if code != 0 and ("disk is full" not in told or code != 2 or left):
                    wrong.append(f"{words[0]} {room} kB: {code} {left} {told[-200:]}")
                if code == 0 and room == 0:
                    wrong.append(f"{words[0]} on a full disk: 0")
                filler.unlink()
                for one in ("cells", "cache"):
                    shutil.rmtree(disk / one, ignore_errors=True)
    promise.reached(
        f"{tried} commands on disks with little room: {len(wrong)} without a sentence "
        "or with something left half" + "; ".join(["", *wrong]),
        not wrong,
    )


def _fill(path, room):
    """Fill a disk but for `room` kilobytes."""
    with path.open("wb", buffering=0) as stream:
        with suppress(OSError):
            while stream.write(b"x" * 1024):
                pass
        stream.truncate(max(0, path.stat().st_size - 1024 * room))


def test_an_output_that_takes_nothing_is_one_sentence(shared, promise):
    commands = (["list"], ["list", "--json"], ["quality", shared / "cells"])
    ended = [_run(words, out="/dev/full") for words in commands]
    wrong = [
        f"{words[0]}: {code} {told}"
        for words, (code, told) in zip(commands, ended, strict=True)
        if code != 2 or "No space left" not in told or "Traceback" in told
    ]
    promise.reached(
        f"{len(ended)} commands into a full output: {len(wrong)} without a sentence "
        "and exit code 2" + "; ".join(["", *wrong]),
        not wrong,
    )


def test_ctrl_c_while_modules_are_read_is_one_sentence(monkeypatch, promise):
    """The signal comes at each of the steps before the command line is there."""
    codes = []
    for moment in ("_leave_current_folder", "_run"):
        number = os.fork()
        if number == 0:
            with ExitStack() as last:
                last.callback(os._exit, 99)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                kill = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
                monkeypatch.setattr(program, moment, kill)
                program.main()
        codes.append(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
    promise.reached(
        f"{len(codes)} moments before the start: exit code 3 {codes.count(3)} times",
        codes == [3] * len(codes),
    )


def test_nothing_is_imported_from_the_current_folder(tmp_path, promise):
    """Files of the names of modules lie in somebody's data folder."""
    mark = "from pathlib import Path; Path('marker').touch(); raise SystemExit(5)"
    names = ("yaml", "numpy", "rich", "typer", "json")
    for name in names:
        (tmp_path / f"{name}.py").write_text(mark)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, "-m", "training", "list", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    run = (tmp_path / "marker").exists()
    promise.reached(
        f"{len(names)} files beside the data with names of modules: "
        f"{'one' if run else 'none'} imported",
        done.returncode == 0 and not run,
    )
