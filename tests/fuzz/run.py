"""Gives damaged files to every reader of the product: python tests/fuzz/run.py.

A reader has to return or to raise one of the product's own errors, within 10 s and with
1 GiB. Files that it stumbles over are kept in build/fuzz/READER-SEED, and
``--target READER --seed SEED`` does that case again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "fuzz"
sys.path.append(str(ROOT / "tests" / "trust"))
_TURN = 3.0
"""Seconds that one reader is given at a time."""


def main() -> int:
    """Fuzz, say what was met, and return 1 where that was a fault."""
    asked = _arguments()
    # BLAS reads it when numpy is imported; a child of a process with threads may hang.
    os.environ.update(
        OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
    )
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        os.environ["HEP2_CACHE"] = str(Path(folder, "cache"))
        fuzzing = Fuzzing(Path(folder), asked.target, asked.seed, asked.first)
        started = time.monotonic()
        fuzzing.run(60 * asked.minutes)
        seconds = time.monotonic() - started
    words = fuzzing.words(seconds)
    print(words)
    if asked.record and not fuzzing.faults:
        _record(words, seconds)
    return 1 if fuzzing.faults else 0


def _memory() -> str | None:
    """Return a folder in memory, where syncing a file costs nothing."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--target", action="append", help="a reader; all by default")
    parser.add_argument("--seed", type=int, help="one case alone")
    parser.add_argument(
        "--first", type=int, help="seed of the first case; by default of the clock"
    )
    parser.add_argument(
        "--record", action="store_true", help="write the figure of the promise"
    )
    return parser.parse_args()


class Fuzzing:
    """Cases of all readers in turn.

    Parameters
    ----------
    folder
        For the seeds and for the cases.
    names
        Of the readers; None takes all.
    seed
        The only case, or None.
    first
        Seed of the first case of each reader, or None for one by the clock.
    """

    def __init__(
        self,
        folder: Path,
        names: list[str] | None,
        seed: int | None,
        first: int | None,
    ) -> None:
        from targets import TARGETS

        self.targets = {name: TARGETS[name] for name in names or TARGETS}
        self.cases: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self._seeds, self._work = folder / "seeds", folder / "work"
        self._only = seed
        start = int(time.time()) * 1000 if first is None else first
        self._next = dict.fromkeys(self.targets, start if seed is None else seed)

    def run(self, seconds: float) -> None:
        """Go round the readers until the time is over, each at least once."""
        _make_seeds(self._seeds)
        end = time.monotonic() + seconds
        while True:
            for name in self.targets:
                self._turn(name, min(_TURN, max(seconds / len(self.targets), 0.2)))
            if time.monotonic() > end or self._only is not None:
                return

    def _turn(self, name: str, seconds: float) -> None:
        from cases import Fault

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for met in self._cases(name, end):
                if isinstance(met, Fault):
                    self._keep(met)
                else:
                    self.cases[name] += 1
                    self._next[name] = met + 1
            if self._only is not None:
                return

    def _cases(self, name: str, end: float) -> Iterator[object]:
        from cases import do_cases

        first, only = self._next[name], self._only
        return do_cases(
            self.targets[name],
            self._seeds,
            self._work / name,
            first,
            lambda seed: seed > first and (only is not None or time.monotonic() > end),
        )

    def _keep(self, fault) -> None:
        from cases import damaged

        key = fault.target, fault.what
        self.faults[key] += 1
        if self.faults[key] > 1:
            return
        path, content = damaged(self.targets[fault.target], self._seeds, fault.seed)
        folder = KEPT / f"{fault.target}-{fault.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(content)
        (folder / "fault.txt").write_text(f"{path}: {fault.what}\n{fault.told}\n")
        print(f"{fault.target} --seed {fault.seed}: {path}: {fault.what}", flush=True)

    def words(self, seconds: float) -> str:
        """Return what was met in a sentence, with a line for each reader before it."""
        counts = ", ".join(f"{name} {n:,}" for name, n in self.cases.items())
        return (
            f"{sum(self.cases.values()):,} damaged files in {seconds / 60:.1f} minutes "
            f"for {len(self.targets)} readers ({counts}): {len(self.faults)} faults"
        )


def _make_seeds(folder: Path) -> None:
    """Make the seeds in a child: the threads that training starts end with it."""
    child = os.fork()
    if not child:
        code = 1
        try:
            import torch
            from seeds import make_seeds

            torch.set_num_threads(1)
            folder.mkdir()
            make_seeds(folder)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the seeds could not be made")


def _record(words: str, seconds: float) -> None:
    import promises

    figure = promises.Figure(
        promise="fuzzing",
        test="../fuzz/run.py",
        reached=words,
        suite="long",
        date=dt.date.today().isoformat(),
        seconds=round(seconds, 1),
        machine=promises.machine(),
    )
    promises.write_figures([figure])


if __name__ == "__main__":
    sys.exit(main())
