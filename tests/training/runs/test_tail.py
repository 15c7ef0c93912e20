"""The events of a run are read as they are appended, each once."""

import json
import subprocess
import sys
import time

from training.runs.tail import EventTail

ONE = b'{"kind": "x", "a": 1}\n'


def test_the_tail_reads_whole_lines_only(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    assert tail.read() == []
    path.write_bytes(b'{"kind": "x", "a": 1}\n{"kind": "x", "a": ')
    assert tail.read() == [{"kind": "x", "a": 1}]
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b'2}\n{"kind": "x", "a": 3}\n')
    assert tail.read() == [{"kind": "x", "a": 2}, {"kind": "x", "a": 3}]
    assert tail.read() == []
    assert tail.bad == 0


def test_the_tail_counts_what_a_killed_writer_left(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(ONE + b'{"a": {"b"\n\xff\xfe\n7\n' + ONE)
    tail = EventTail(path)
    assert tail.read() == [{"kind": "x", "a": 1}] * 2
    assert tail.bad == 3


def test_a_file_begun_anew_is_read_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind": "x", "a": 1}\n{"kind": "x", "a": 2}\n')
    tail = EventTail(path)
    tail.read()
    path.write_bytes(b'{"kind": "x", "a": 9}\n')
    assert tail.read() == [{"kind": "x", "a": 9}]


def test_a_line_longer_than_a_portion_is_one_event(tmp_path, monkeypatch):
    monkeypatch.setattr("training.runs.tail.CHUNK", 16)
    path = tmp_path / "events.jsonl"
    text = "x" * 100
    path.write_text(
        "".join(json.dumps({"kind": "x", "t": text, "i": i}) + "\n" for i in range(3))
    )
    tail = EventTail(path)
    found = []
    while events := tail.read():
        found += events
    assert [event["i"] for event in found] == [0, 1, 2]


def test_a_reader_beside_killed_writers_misses_nothing(tmp_path):
    """Each line that was whole on disk is read once, in order."""
    path = tmp_path / "events.jsonl"
    code = (
        "import sys, time\nwith open(sys.argv[1], 'ab', buffering=0) as f:\n"
        " f.write(b'\\n')\n i = 0\n"
        " while True:\n"
        '  f.write(b\'{"kind": "x", "w": %s, "i": %d\' % (sys.argv[2].encode(), i))\n'
        "  f.write(b'}\\n')\n  i += 1\n  time.sleep(i % 3 * 1e-4)\n"
    )
    tail = EventTail(path)
    found = []
    for writer in range(4):
        process = subprocess.Popen([sys.executable, "-c", code, str(path), str(writer)])
        late, seen = time.monotonic() + 30, 0
        while seen < 100 and time.monotonic() < late:
            news = tail.read()
            found += news
            seen += sum(event["w"] == writer for event in news)
        process.kill()
        process.wait()
    with path.open("ab") as file:
        file.write(b"\n")
    while events := tail.read():
        found += events
    whole = []
    for text in path.read_bytes().splitlines():
        if text.endswith(b"}"):
            whole.append(json.loads(text))
    assert found == whole
    assert len({event["w"] for event in found}) == 4


def test_a_line_that_is_nested_too_deeply_is_counted_as_bad(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("[" * 100_000 + '\n{"kind": "stopped"}\n')
    tail = EventTail(path)
    assert tail.read() == [{"kind": "stopped"}]
    assert tail.bad == 1


def test_a_line_that_is_written_over_while_it_is_read_is_read_again(tmp_path):
    """The half that a killed writer left, and then the end of the line in its place."""
    path = tmp_path / "events.jsonl"
    lines = [b'{"kind": "a", "k": 1}\n', b'{"kind": "b", "words": "long", "k": 2}\n']
    path.write_bytes(lines[0] + lines[1])
    half = b'{"kind": "metrics"'
    mixed = lines[0] + half + lines[1][len(half) + 2 :]

    met = [mixed]

    class Interrupted(EventTail):
        def _block(self):
            return met.pop() if met else super()._block()

    tail = Interrupted(path)
    assert [event["k"] for event in tail.read()] == [1, 2]
    assert tail.bad == 0
    assert tail.offset == path.stat().st_size
    path.write_bytes(mixed)
    tail = EventTail(path)
    assert [event["k"] for event in tail.read()] == [1]
    assert tail.bad == 1, "it stays as it is"
