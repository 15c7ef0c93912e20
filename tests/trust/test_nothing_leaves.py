"""Nothing leaves by accident: no name in what is made, no word to another machine."""

import base64
import gzip
import io
import os
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import promises
import pytest
from deep_search import occurrences, planted
from main_jobs import REVIEWER
from PIL import Image, PngImagePlugin
from planted import commands_done, written

NAME = planted("zqx", "kw")
HERE = Path(__file__).parent
AT_ONCE = ("-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")


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
        if not is_ours or occurrences(content, NAME) or occurrences(name, NAME):
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


def watched(notes):
    paths = [str(HERE / "audited"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "HEP2_CONNECTS": str(notes),
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.promise("network")
def test_the_main_commands_reach_no_other_machine(promise):
    done = commands_done()
    promise.reached(
        f"{done.commands} commands, watched: {done.watched}: {len(done.reached)} "
        f"connections beyond the loopback {done.reached[:3] or ''}".strip(),
        met=not done.reached,
    )


def test_the_watch_notes_what_leaves_and_leaves_the_loopback_alone(tmp_path):
    words = (
        "import socket, subprocess, sys, contextlib\n"
        "def reach(host):\n"
        "    with contextlib.suppress(OSError), socket.socket() as one:\n"
        "        one.settimeout(0.01); one.connect((host, 9))\n"
        "reach('127.0.0.1'); reach('192.0.2.1')\n"
        "with contextlib.suppress(OSError): socket.getaddrinfo('a.invalid', 80)\n"
        "if len(sys.argv) < 2:\n"
        "    subprocess.run([sys.executable, *sys.orig_argv[1:], 'again'])\n"
    )
    notes = tmp_path / "notes.txt"
    subprocess.run([sys.executable, "-c", words], env=watched(notes), check=True)
    lines = notes.read_text().splitlines()
    assert lines.count("started") == 2
    assert len(lines) == 2 + 4
    assert not any("127.0.0.1" in line for line in lines)


@pytest.mark.promise("network")
@pytest.mark.timeout(1500)
@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root of Linux can leave the network",
)
@pytest.mark.skipif("not config.getoption('--long')", reason="takes minutes: --long")
def test_the_whole_suite_passes_without_a_network(promise, tmp_path):
    notes = tmp_path / "notes.txt"
    # The loopback of the new namespace is down until someone takes it up.
    script = 'ip link set lo up 2>/dev/null || true; exec "$@"'
    apart = ["unshare", "--net", "sh", "-c", script, "sh"]
    words = [sys.executable, "-m", "pytest", "-q", "--ignore=tests/trust", *AT_ONCE]
    done = subprocess.run(
        [*apart, *words],
        cwd=promises.ROOT,
        env=watched(notes),
        capture_output=True,
        text=True,
        timeout=1400,
        check=False,
    )
    lines = notes.read_text().splitlines()
    reached = [line for line in lines if line != "started"]
    last = done.stdout.strip().splitlines()[-1]
    promise.reached(
        f"the suite without a network: {last}; {lines.count('started')} processes, "
        f"{len(reached)} connections beyond the loopback {reached[:3]}",
        met=done.returncode == 0 and not reached,
    )
