"""What `make` does before anything runs: which Qt it takes, and whose home."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def choose_qt(folder, *loads):
    """Run `tools/qt.sh` on an environment in which only `loads` load."""
    python = folder / "bin" / "python"
    python.parent.mkdir()
    cases = "".join(f'*"from {name} import"*) exit 0;; ' for name in loads)
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *pip*) exit 0;; {cases}*) exit 1;; esac\n'
    )
    python.chmod(0o755)
    return subprocess.run(
        ["sh", "tools/qt.sh", str(folder)], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("loads", "taken"),
    [(("PyQt5", "PyQt6"), "pyqt6"), (("PyQt6",), "pyqt6"), (("PyQt5",), "pyqt5")],
)
def test_the_demo_takes_pyqt6_where_it_loads_and_says_when_pyqt5_ends(
    loads, taken, tmp_path
):
    done = choose_qt(tmp_path, *loads)
    assert (done.returncode, done.stdout) == (0, f"{taken}\n")
    assert done.stderr.lower().startswith(f"the demo takes {taken}")
    assert "napari drops PyQt5 in the fall of 2026" in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_no_qt_loads_one_sentence_says_so(tmp_path):
    done = choose_qt(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("neither PyQt6 nor PyQt5 installs and loads here")
    assert done.stderr.count("\n") == 1


def make(home, folder):
    (folder / "constraints.txt").touch()
    return subprocess.run(
        ["make", "--no-print-directory", "-f", ROOT / "Makefile", "-n", "clean"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_home_that_cannot_be_written_is_put_into_the_checkout(tmp_path):
    said = make(tmp_path / "none", tmp_path)
    assert said.startswith(f'The home "{tmp_path}/none" cannot be written: ')
    assert (tmp_path / "build" / "home").is_dir()


def test_a_home_that_can_be_written_is_left_alone(tmp_path):
    assert "home" not in make(tmp_path, tmp_path).replace(str(tmp_path), "")
    assert not (tmp_path / "build").exists()
