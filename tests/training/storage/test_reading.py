"""Broken JSON and arrays are a ValueError, and nothing large is made of a claim."""

import os
from contextlib import nullcontext

import numpy as np
import pytest

from training.storage.reading import (
    check_words,
    parse_json,
    read_array,
    read_json,
)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    return tmp_path / "a.npy"


def _headed(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_an_array_comes_back(path, mode):
    np.testing.assert_array_equal(read_array(path, mode), np.load(path))


@pytest.mark.parametrize("mode", [None, "r"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(3, 4)", b"(3, 4"),
        (b"(3, 4)", b"(-3, 4)"),
        (b"(3, 4), }", b"(599999999994,), }"),
        (b"(3, 4), }", b"(9223372036854775807, 4), }"),
        (b"'<f4'", b"'|O'"),
        (b"'<f4'", b"'\0f4'"),
        (b"{'descr'", b"(((((((("),
        (b"{'descr': ", b"__import__("),
        (b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
        (b"\x93NUMPY", b"PK\x03\x04aa"),
        (b"\x93NUMPY", b"\x80\x04aaaa"),
    ],
)
def test_a_header_that_lies(path, old, new, mode):
    _headed(path, old, new)
    with pytest.raises(ValueError, match=r"."):
        read_array(path, mode)


@pytest.mark.parametrize("keep", [0, 5, 60, 128, 170])
def test_an_array_that_is_cut_short(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"."):
        read_array(path)


@pytest.mark.parametrize("code", [0x110000, 0xD800, 0xFFFFFFFF])
def test_words_of_what_is_no_character(tmp_path, code):
    words = np.array(["ab", "c"])
    words.view(np.uint32)[1] = code
    np.save(tmp_path / "a.npy", words)
    with pytest.raises(ValueError, match="not text"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "1" + "0" * 19),
        *(r'"\ud800"', r'{"a": ["\uDFFF"]}', r'{"\ud800b": 1}'),
    ],
)
def test_what_is_no_json(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    for read, given in ((parse_json, text), (read_json, tmp_path / "a.json")):
        with pytest.raises(ValueError, match=r"."):
            read(given)


def test_what_is_named_often_is_looked_at_once():
    for word, refusal in (
        ("a", nullcontext()),
        ("\udc00", pytest.raises(UnicodeError)),
    ):
        shared = {word: []}
        for _ in range(100):
            shared = [shared, shared]
        with refusal:
            check_words(shared)


def test_a_pair_of_surrogates_is_a_character():
    assert (
        parse_json(r'"\ud83d\ude00"') == parse_json(rb'"\ud83d\ude00"') == "\U0001f600"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("read", [read_array, read_json])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(OSError, match="not a regular file"):
        read(tmp_path / "a")


@pytest.mark.parametrize("read", [read_array, read_json])
def test_a_file_that_is_not_there(tmp_path, read):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "a")
