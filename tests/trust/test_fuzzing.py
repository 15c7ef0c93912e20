"""Damaged files for every reader; a fault is found, kept, and found again by seed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FUZZ = HERE.parent / "fuzz"
pytestmark = [
    pytest.mark.promise("fuzzing"),
    pytest.mark.skipif(sys.platform != "linux", reason="it forks, and limits memory"),
]


def _python(*words: str | Path, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_no_reader_stumbles_over_a_damaged_file(promise, times):
    minutes = times(0.05, 3)
    command = ("--minutes", str(minutes), *(("--first", "0") if minutes < 1 else ()))
    done = _python(FUZZ / "run.py", *command, seconds=60 * minutes + 200)
    said = done.stdout.strip().splitlines()[-1:] or [done.stderr[-2000:]]
    counted = re.match(r"([\d,]+) damaged files .* for (\d+) readers", said[0])
    words = f"{said[0]}{''.join(done.stdout.splitlines()[:-1])}"
    met = counted is not None and int(counted[2]) >= 20 and done.returncode == 0
    promise.reached(words, met=met)


def test_the_fuzzer_tells_each_kind_of_fault(promise):
    done = _python(HERE / "bad_readers.py", seconds=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = {
        "_traceback": r"IndexError at trust/bad_readers.py:\d+",
        "_hang": "hang",
        "_loop": "hang",
        "_crash": "crash by SIGSEGV",
        "_greedy": "memory",
        "_leave": r"SystemExit at trust/bad_readers.py:\d+",
    }
    missed = [
        f"{name[1:]}: {found[name]}"
        for name, what in expected.items()
        if [seed for _, seed in found[name]] != [7]
        or not re.fullmatch(what, found[name][0][0])
    ]
    promise.reached(
        f"{len(expected) - len(missed)} of {len(expected)} planted faults found "
        f"({', '.join(missed) or 'exception, hang, loop, crash, memory, exit'})",
        met=not missed,
    )
