"""Nothing leaves by accident: no name in what is made, no word to another machine."""

import base64
import gzip
import io
import os
import re
import sqlite3
import subprocess
import sys
import zipfile
import zlib

import pytest
from deep_search import occurrences, planted
from main_jobs import REVIEWER
from own_machine import AUDITED
from PIL import Image, PngImagePlugin
from planted import commands_done, written

NAME = planted("zqx", "kw")


@pytest.mark.promise("identity")
def test_no_planted_name_is_in_a_file_that_the_commands_write(promise):
    done = commands_done()
    found, n = [], 0
    for path in written(done):
        content = path.read_bytes()
        if path.name == "printed.txt":
            # What is printed may name the folders that were typed, and no more.
            typed = str(done.made.parent).encode()
            content = content.replace(typed, b"")
        n += 1
        is_ours = path.is_relative_to(done.made)
        name = str(path.relative_to(done.made)).encode() if is_ours else b""
        # The key of this user's seals is random, and kept outside of what is handed on.
        if (
            not (is_ours or path.name == "seal.key")
            or occurrences(content, NAME)
            or occurrences(name, NAME)
        ):
            found.append(str(path.relative_to(done.home)))
    promise.reached(
        f"{done.planted} names planted, {done.commands} commands, {n} files: "
        f"{len(found)} with a planted name or in an unrequested place "
        f"{found or ''}".strip(),
        met=not found and done.planted >= 500 and n > 40,
    )


def test_the_name_of_a_reviewer_is_where_it_was_asked_for():
    """The search can find: what a reviewer gave as the own name is in the decisions."""
    done = commands_done()
    holding = {
        path.name for path in written(done) if REVIEWER.encode() in path.read_bytes()
    }
    assert {"curation.sqlite", "decisions.csv", "exported.csv"} <= holding
    kinds = {path.suffix for path in written(done)}
    assert {".onnx", ".safetensors", ".html", ".png", ".pdf", ".jsonl"} <= kinds


def _png(text):
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("Author", text, zip=True)
    Image.new("L", (4, 4)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def _zip(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.txt", text * 9)
    return out.getvalue()


def _sqlite(text, tmp_path):
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("create table t (word text)")
        db.execute("insert into t values (?)", (text,))
    db.close()
    return path.read_bytes()


def test_the_search_finds_a_name_however_it_is_packed(tmp_path):
    name = "by ZQX123KW."
    hidden = {
        "plain": name.encode(),
        "utf-16": name.encode("utf-16-le"),
        "gzip": gzip.compress(name.encode()),
        "stream of a pdf": b"stream\n" + zlib.compress(name.encode()) + b"\nendstream",
        "base64 in a page": b"src=data:x;base64," + base64.b64encode(_png(name)),
        "png": _png(name),
        "zip": _zip(name),
        "sqlite": _sqlite(name, tmp_path),
        "zip in zlib": zlib.compress(_zip(name)),
    }
    missed = [kind for kind, one in hidden.items() if not occurrences(one, NAME)]
    assert missed == []
    assert occurrences(b"zqx12kw zqxkw", NAME) == []


@pytest.mark.promise("network")
def test_the_main_commands_reach_no_other_machine(promise):
    done = commands_done()
    promise.reached(
        f"{done.commands} commands, watched: {done.watched}: {len(done.reached)} "
        f"connections beyond the loopback {done.reached[:3] or ''}".strip(),
        met=not done.reached,
    )


REACH = """
import contextlib, socket, subprocess, sys
def reach(host):
    with contextlib.suppress(OSError), socket.socket() as one:
        one.settimeout(0.01)
        one.connect((host, 9))
"""
TESTS = {
    "stays": "reach('127.0.0.1')",
    "connects": "reach('192.0.2.1')",
    "asks": (
        "\n    with contextlib.suppress(OSError):"
        "\n        socket.getaddrinfo('a.invalid', 80)"
    ),
    "sends_another": (
        "\n    words = [sys.executable, '-c', f\"{CODE}\\nreach('192.0.2.1')\"]"
        "\n    subprocess.run([sys.executable, '-c', f'import subprocess;"
        "subprocess.run({words!r})'], check=True)"
    ),
    "stays_again": "pass",
}


@pytest.mark.promise("network")
def test_a_test_of_the_suite_that_reaches_another_machine_fails(promise, tmp_path):
    """Tests and what they start are watched, and so is what that starts."""
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['own_machine']\n")
    # Else that of the project counts where temporary folders lie inside it.
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    cases = [f"def test_{name}(): {act}\n" for name, act in TESTS.items()]
    code = f"{REACH}\nCODE = {REACH!r}\n{''.join(cases)}"
    (tmp_path / "test_it.py").write_text(code)
    words = ["-p", "no:cacheprovider", "-rA", "-o", f"pythonpath={AUDITED.parent}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, tmp_path],
        cwd=tmp_path,
        # Else the suite that this test is of would note what is reached, too.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HEP2_CONNECTS": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    told = re.findall(r"^ERROR test_it.py::test_(\w+)", done.stdout, re.MULTILINE)
    promise.reached(
        f"tests and what they start, watched: {len(told)} of 3 that reach out "
        "fail, and no other",
        met=told == ["connects", "asks", "sends_another"],
    )
