"""Hostile model files and pictures are refused, and nothing happens beside."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import hostile_images
import hostile_models
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it forks and has pipes")


def _program(name, folder, *options):
    done = subprocess.run(
        [sys.executable, HERE / name, folder, *options],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


# -- model files


@_LINUX
@pytest.mark.promise("model-files")
def test_no_model_file_runs_code(tmp_path, promise):
    pytest.importorskip("onnx")
    found = _program("hostile_models.py", tmp_path)
    seen = [f"{one['file']}: {one['seen']}" for one in found if one["seen"]]
    kept = [one for one in found if not one["said"].startswith("refused: ")]
    slowest = max(one["seconds"] for one in found)
    marks = [path.name for path in tmp_path.rglob(hostile_models.MARK)]
    promise.reached(
        f"{len(found)} hostile files: {len(seen) + len(marks)} side effects, "
        f"{len(kept)} not refused, the slowest within {slowest:.2f} s",
        met=len(found) >= 60 and not seen + kept + marks and slowest <= 1,
    )


_RUN_CODE = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"),
    *("marshal", "torch.load", "torch.save", "torch.jit.load", "torch.hub.load"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.Loader"),
    *("pandas.read_pickle", "pd.read_pickle", "eval", "exec", "os.system"),
}
"""What runs code that stands in a file, by the name under which it is called."""


def _dangers(text):
    """Return what in a module would run code out of a file."""
    found = []
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            names = [ast.unparse(node.func)]
            if _is_unsafe(names[0], {word.arg: word.value for word in node.keywords}):
                found.append(ast.unparse(node))
        found += [name for name in names if name in _RUN_CODE]
    return found


def _is_unsafe(name, words):
    """Whether a call would take a pickle, or give words to a shell."""
    pickles = words.get("allow_pickle")
    given = isinstance(pickles, ast.Constant) and pickles.value is False
    return (name in ("np.load", "numpy.load") and not given) or "shell" in words


PLANTED = """
import pickle
from pickle import loads
import torch, yaml, joblib, numpy as np
torch.load("x")
torch.save({}, "x")
yaml.load("x", Loader=None)
np.load("x", allow_pickle=True)
np.load("x")
eval("1")
subprocess.run("x", shell=True)
"""


@pytest.mark.promise("model-files")
def test_nothing_in_the_packages_could_run_code_from_a_file(promise):
    assert len(_dangers(PLANTED)) == 10, _dangers(PLANTED)
    modules = [
        path
        for package in ("training", "napari_hep2")
        for path in (ROOT / package).rglob("*.py")
    ]
    met = {
        str(path.relative_to(ROOT)): dangers
        for path in modules
        if (dangers := _dangers(path.read_text(encoding="utf-8")))
    }
    promise.reached(
        f"{len(modules)} modules: {len(met)} calls that could run code from a file",
        met=not met and len(modules) > 200,
    )


@pytest.mark.promise("model-files")
def test_the_lint_refuses_what_could_run_code_from_a_file(promise):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--no-cache", "-"),
            *("--stdin-filename", ROOT / "training" / "planted.py"),
            *("--output-format", "json", "--config", ROOT / "pyproject.toml"),
        ],
        input=PLANTED,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = {
        one["location"]["row"]
        for one in json.loads(done.stdout)
        if one["code"] in ("TID251", "S301", "S302", "S506")
    }
    banned = {2, 3, 5, 6, 7}
    promise.reached(
        f"ruff refuses {len(banned & lines)} of {len(banned)} planted lines with "
        "pickle, torch.load, torch.save and yaml.load",
        met=banned <= lines,
    )


# -- pictures


@_LINUX
@pytest.mark.promise("images")
def test_no_picture_eats_memory_or_time(tmp_path, promise, times):
    found = _program("hostile_images.py", tmp_path, *times([], ["--largest"]))
    crashed = [one for one in found if one["said"] == "crashed"]
    unnamed = [
        one
        for one in found
        if one["said"] not in ("read", "crashed") and one["file"] not in one["said"]
    ]
    slowest = max(one["seconds"] for one in found)
    most = max(one["bytes"] for one in found) / 2**30
    cap = found[0]["cap"] / 2**30
    after = [one for one in found if not one["next"]]
    promise.reached(
        f"{len(found)} hostile pictures: {len(crashed)} crashes, the slowest "
        f"{slowest:.1f} s, at most {most:.2f} GiB (the cap is {cap:.2f}), "
        f"{len(unnamed)} reported without name and reason, "
        f"{len(after)} after which the next file did not open",
        met=len(found) >= 40
        and not crashed + unnamed + after
        and slowest <= 10
        and most <= 1 + cap,
    )


@pytest.mark.promise("images")
def test_a_folder_with_hostile_pictures_gives_the_cells_of_the_others(
    tmp_path, promise
):
    told, cells = hostile_images.extract_among_good(tmp_path)
    sentences = [one.fault for one in told if one.fault]
    named = [one for one in told if one.fault and f"{one.frame}." in one.fault]
    promise.reached(
        f"{len(sentences)} of {len(told)} frames reported with name and reason, "
        f"{len(cells)} cells cut from the others",
        met=len(sentences) == len(named) == len(told) - 2 and len(cells) > 0,
    )
