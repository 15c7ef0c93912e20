"""A run of tests side by side ends whatever its processes do, and names the test."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from whole_run import LIMIT, WholeRun

ROOT = Path(__file__).resolve().parents[2]
FILES = 4
KILL = "os.kill(os.getpid(), 9)"
PLUGINS = (
    *("xdist", "pytest_timeout", "pytest_benchmark.plugin", "pytestqt.plugin"),
    "pytest_xvfb",
)
HOLD = "ctypes.PyDLL(None).pause()"
"""Waits for ever and lets no signal in: what pytest-timeout sends does not arrive."""


def run_side_by_side(folder, acts, *settings):
    """Run a small suite as `make test` does; `acts` says what some files do."""
    (folder / "conftest.py").write_text("pytest_plugins = ['whole_run']\n")
    for number in range(FILES):
        (folder / f"test_{number}.py").write_text(
            "import ctypes, os\n"
            "def test_before(): pass\n"
            f"def test_it(): {acts.get(number, 'pass')}\n"
            "def test_after(): pass\n"
        )
    project = shutil.copy(ROOT / "pyproject.toml", folder)
    settings = (f"pythonpath={Path(__file__).parent}", *settings)
    words = [word for one in settings for word in ("-o", one)]
    words += [word for one in PLUGINS for word in ("-p", one)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (side_by_side,) = re.findall(r"^SIDE_BY_SIDE := (.*)$", makefile, re.MULTILINE)
    words += [*side_by_side.split(), "-n", "2"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", project, *words, folder],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_process_that_dies_fails_its_test_and_no_other(tmp_path):
    done = run_side_by_side(tmp_path, {1: KILL})
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "crashed while running 'test_1.py::test_it'" in done.stdout
    assert f"1 failed, {3 * FILES - 1} passed" in done.stdout
    assert "a process of the suite died" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="holds a process with pause(2)")
def test_a_run_that_stands_still_is_ended(tmp_path):
    done = run_side_by_side(tmp_path, {2: HOLD}, "run_limit=8")
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    assert "The suite was ended after 8 s" in done.stderr


def test_a_run_that_is_ended_names_what_was_at_work():
    run = WholeRun(60)
    run.pytest_runtest_logstart("a.py::first")
    run.pytest_runtest_logstart("b.py::second")
    run.pytest_runtest_logfinish("a.py::first")
    assert run.last_words().endswith("At work: b.py::second")


def test_a_process_whose_last_test_had_passed_fails_the_run_too():
    run = WholeRun(0)
    run.pytest_testnodedown(SimpleNamespace(gateway=SimpleNamespace(id="gw0")), "gone")
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    run.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED


def test_a_stuck_process_ends_before_the_run_does(request):
    one_test = float(request.config.getini("timeout"))
    process = float(request.config.getini("faulthandler_timeout"))
    assert one_test < process < float(request.config.getini(LIMIT))
    assert request.config.getini("faulthandler_exit_on_timeout")
