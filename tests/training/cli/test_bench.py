"""The command around the benchmarks, with scripts of a line or two."""

import json

import pytest
from typer.testing import CliRunner

from training.cli import app, bench
from training.errors import BadSettingError, BenchmarkError

ROW = {
    "name": "walking: ten steps, against a snail",
    "value": 4.25,
    "sense": "at least",
    "bound": 3,
    "unit": "x",
    "peer_seconds": 8.5,
    "seconds": 2.0,
    "note": "uphill",
    "met": True,
}
MISSED = ROW | {"value": 2.0, "met": False, "note": ""}
UNKNOWN = ROW | {"value": None, "met": None, "peer_seconds": None, "seconds": 0.012}


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Return a function that makes a benchmark of a script."""
    folder = tmp_path / "tests" / "benchmarks"
    folder.mkdir(parents=True)
    monkeypatch.setattr(bench, "_folder", lambda: folder)
    monkeypatch.setattr(bench, "BENCHMARKS", {})
    monkeypatch.setenv("COLUMNS", "200")

    def add(name: str, script: str) -> None:
        (folder / f"{name}.py").write_text(script)
        bench.BENCHMARKS[name] = "a test"

    return add


def printing(*rows) -> str:
    return "\n".join(f"print({json.dumps(row)!r})" for row in rows)


def invoke(*words: str):
    return CliRunner().invoke(app, ["bench", *words], catch_exceptions=False)


def test_the_table_says_goal_figure_and_peer(scripts):
    scripts("walk", printing(ROW))
    scripts("swim", printing(MISSED, UNKNOWN))
    shown = invoke().stdout
    for words in (">= 3 x", "4.25 x", "8.50 s", "2.00 s", "12 ms", "met: uphill"):
        assert words in shown
    assert "NOT MET" in shown
    assert "not measured" in shown
    assert "1 of 3 goals met, 1 not measured here" in shown


def test_one_benchmark_as_json(scripts):
    scripts("walk", printing(ROW))
    scripts("swim", "raise SystemExit(1)")
    assert json.loads(invoke("walk", "--json").stdout) == [ROW]


def test_it_runs_in_the_source_on_one_thread(scripts, tmp_path):
    lines = (
        "import json, os, pathlib, sys",
        f"row = {ROW!r}",
        "row['note'] = os.environ['OMP_NUM_THREADS'] + ' ' + os.getcwd()",
        "print(json.dumps(row))",
    )
    scripts("walk", "\n".join(lines))
    (row,) = json.loads(invoke("--json").stdout)
    assert row["note"] == f"1 {tmp_path}"


def test_a_benchmark_that_breaks_is_one_sentence(scripts):
    scripts("walk", "raise AssertionError('the crops differ')")
    told = pytest.raises(BenchmarkError, match="walk: AssertionError: the crops differ")
    with told:
        invoke()


def test_an_unknown_benchmark_is_one_sentence(scripts):
    scripts("walk", printing(ROW))
    with pytest.raises(BadSettingError, match="no such benchmark; use walk"):
        invoke("fly")


def test_a_wheel_has_no_benchmarks(tmp_path, monkeypatch):
    monkeypatch.setattr(bench.training, "__file__", str(tmp_path / "a" / "b.py"))
    with pytest.raises(BadSettingError, match="run it in a checkout"):
        invoke()


def test_every_benchmark_is_a_script_of_this_project():
    folder = bench._folder()
    assert all((folder / f"{name}.py").is_file() for name in bench.BENCHMARKS)
