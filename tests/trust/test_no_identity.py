"""Names in images, folders and surroundings are in nothing that is made."""

import base64
import gzip
import io
import sqlite3
import zipfile
import zlib

import pytest
from deep_search import occurrences, planted
from main_jobs import REVIEWER
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
        if not is_ours or occurrences(content, NAME) or occurrences(name, NAME):
            found.append(str(path.relative_to(done.home)))
    promise.reached(
        f"{done.planted} names planted, {done.commands} commands, {n} files: "
        f"{len(found)} with a name or where none was asked for {found or ''}".strip(),
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
