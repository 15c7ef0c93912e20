"""Readers that do what none may, given to the fuzzer: prints what it calls each."""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
import time
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"


def _traceback(path: Path) -> None:
    path.read_bytes()[10**9]


def _hang(_path: Path) -> None:
    time.sleep(600)


def _loop(_path: Path) -> None:
    while True:
        pass


def _crash(_path: Path) -> None:
    ctypes.string_at(0)


def _greedy(_path: Path) -> None:
    bytearray(b"x" * 100_000_000)


def _leave(_path: Path) -> None:
    sys.exit(0)


def main() -> None:
    """Let the fuzzer meet each of them once."""
    sys.path.insert(0, str(FUZZ))
    import cases

    cases.SECONDS, cases.MEMORY = 1.0, 50_000_000
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "seeds" / "files").mkdir(parents=True)
        (Path(folder) / "seeds" / "files" / "a.json").write_text('{"a": [1, 2]}')
        for read in (_traceback, _hang, _loop, _crash, _greedy, _leave):
            target = cases.Target(read.__name__, ("files",), ("*",), read)
            met = cases.do_cases(
                target, Path(folder, "seeds"), Path(folder, "work"), 7, lambda s: s > 7
            )
            faults = [one for one in met if isinstance(one, cases.Fault)]
            found[read.__name__] = [(one.what, one.seed) for one in faults]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
