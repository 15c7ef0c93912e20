"""What must hold, and the figures that show it.

Each test of this folder names its promise by `@pytest.mark.promise("KEY")` and says
what it reached by the fixture `promise`. `pytest tests/trust --long --record` writes
the figures to `figures.json` and, from them, `docs/reliability.md`.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs" / "reliability.md"

DECISIONS = "Decisions of the reviewers"
TRAINING = "Training"
INPUT = "Hostile or broken input"
PACKAGE = "What is installed"


@dataclass(frozen=True)
class Promise:
    """One thing that must hold.

    Attributes
    ----------
    key : the word by which tests name it
    part : heading of the table in which it stands
    words : the promise
    goal : the figure to reach, with those of the quick suite and of the long one
    """

    key: str
    part: str
    words: str
    goal: str


@dataclass(frozen=True)
class Figure:
    """What one test reached.

    Attributes
    ----------
    promise : key of the promise
    test : the test, `FILE::NAME`
    reached : the figure in words
    suite : `quick` or `long`
    date : day of the run, ISO
    seconds : how long the test took
    machine : system, cores and Python on which it ran
    """

    promise: str
    test: str
    reached: str
    suite: str
    date: str
    seconds: float
    machine: str


@dataclass
class Reached:
    """What a test says of its promise.

    Attributes
    ----------
    words : the figures given, in order
    """

    words: list[str] = field(default_factory=list)

    def reached(self, words: str, met: bool) -> None:
        """Note the figure, and fail where the promise does not hold.

        Parameters
        ----------
        words : what was counted or measured, with how many
        met : whether that keeps the promise
        """
        self.words.append(words)
        assert met, words


PROMISES = (
    Promise(
        "kill",
        DECISIONS,
        "A saved decision survives kill -9",
        "1,000 kills of a writer and 50 of the real window (long), 150 quick: 0 lost, "
        "0 corrupt",
    ),
    Promise(
        "power-cut",
        DECISIONS,
        "A saved decision survives a power cut that drops and reorders what was not "
        "synced",
        "2,000 cuts, 0 lost (long); 200 quick",
    ),
    Promise(
        "two-reviewers",
        DECISIONS,
        "Two reviewers work in one file",
        "2 processes x 5,000 decisions with undo (long), 200 quick, both killed at "
        "random: 0 lost, no refusal, both reviewers kept",
    ),
    Promise(
        "full-disk",
        DECISIONS,
        "A full disk or a read-only folder costs nothing that was saved",
        "earlier work intact, unsaved shown as unsaved; opened read-only, 0 tracebacks",
    ),
    Promise(
        "clock",
        DECISIONS,
        "A clock that jumps changes no order",
        "0 reorderings",
    ),
    Promise(
        "history",
        DECISIONS,
        "Deciding, undoing, redoing, relabelling and opening anew follow the model",
        "1,000 random histories (long), 60 quick",
    ),
    Promise(
        "old-files",
        DECISIONS,
        "Files of earlier formats are read; those of later ones are refused",
        "a file of each format; killed while it is brought up: old or new, never half",
    ),
    Promise(
        "speed",
        DECISIONS,
        "A key is a decision on the disk before it is felt",
        "50,000 cells loaded (long): key press to committed and the next cell drawn, "
        "95th percentile at most 50 ms",
    ),
    Promise(
        "resume",
        TRAINING,
        "Killed and started again, training gives the same model",
        "bit-identical, 5 of 5 quick, 100 of 100 long; at most one epoch lost",
    ),
    Promise(
        "torn-checkpoint",
        TRAINING,
        "A torn checkpoint is survived",
        "200 of 200 cut or flipped at random fall back to the one before",
    ),
    Promise(
        "worker-death",
        TRAINING,
        "The death of a worker costs one fold at most",
        "83 of 83 folds done (long; 4 of local processes and 8 of Dask quick), each "
        "counted once, finished folds not trained again",
    ),
    Promise(
        "gpu-memory",
        TRAINING,
        "Out of GPU memory: smaller pieces of the same batch, or the fold fails alone",
        "raised by hand at each batch in turn: the effective batch kept",
    ),
    Promise(
        "divergence",
        TRAINING,
        "A loss that is not finite is caught in its step and never hidden in a mean",
        "NaN pixel, learning rate 1e6: fold marked diverged (on a GPU, which would "
        "have to be waited for, at the end of the epoch)",
    ),
    Promise(
        "detached",
        TRAINING,
        "The trainer outlives its window",
        "reattached within 2 s with the whole curve; Stop leaves no process after 5 s",
    ),
    Promise(
        "stream",
        TRAINING,
        "A reader of the metrics follows writers that are killed",
        "0 parse errors, no gap, the window never blocked over 50 ms",
    ),
    Promise(
        "leak",
        TRAINING,
        "No cell of a held-out specimen, nor a copy of its pixels, is trained on",
        "0 in every fold of 1,000 random tables (long); of 300 quick",
    ),
    Promise(
        "two-trainers",
        TRAINING,
        "Two trainers cannot write one run folder",
        "the second ends with a clear line; the lock of a killed one clears itself",
    ),
    Promise(
        "model-files",
        INPUT,
        "A model file never runs code",
        "60 hostile files and more: 0 side effects, refused within 1 s",
    ),
    Promise(
        "images",
        INPUT,
        "An image cannot eat memory or kill the window",
        "0 crashes, 0 over 10 s, memory at most 1 GiB over the cap; file and reason "
        "shown, the next file opened",
    ),
    Promise(
        "window",
        INPUT,
        "The window may be closed in the middle of anything",
        "15 kinds of work, 120 windows closed at random moments (long): nothing "
        "raised, no half file",
    ),
    Promise(
        "careless",
        INPUT,
        "A careless act in the window costs a sentence, and no work",
        "folder pulled away, frame renamed, text named .png, 3 GB TIFF, mask of "
        "another image, foreign models, store moved: each told, none unforeseen",
    ),
    Promise(
        "paths",
        INPUT,
        "Paths in a table stay inside the data folder",
        "200 cases and more, 0 read outside",
    ),
    Promise(
        "spreadsheets",
        INPUT,
        "An exported table is safe in a spreadsheet",
        "10,000 strings: 0 live formulas, all come back unchanged",
    ),
    Promise(
        "identity",
        INPUT,
        "No identity leaves by accident",
        "500 planted names, 0 found in what is written",
    ),
    Promise(
        "network",
        INPUT,
        "Nothing is downloaded or sent",
        "every test watched, with the processes it starts; the commands without a "
        "network: 0 connects outside of the loopback",
    ),
    Promise(
        "sentences",
        INPUT,
        "Wrong input gets one sentence: which file, what is wrong, what to do",
        "each class of error has a test of its text; 0 tracebacks",
    ),
    Promise(
        "fuzzing",
        INPUT,
        "Random bytes find nothing new",
        "one hour of `make fuzz` over all readers: 0 faults but the known sentences",
    ),
    Promise(
        "floors",
        PACKAGE,
        "No dependency is older than the last release that mends a known hole",
        "torch 2.10, Pillow 13.0, safetensors 0.5; none of the ruled-out packages",
    ),
    Promise(
        "licences",
        PACKAGE,
        "The licences of all dependencies are known and allowed",
        "0 unknown; copyleft only in the extras of PyQt",
    ),
    Promise(
        "wheel",
        PACKAGE,
        "The wheel works on its own",
        "installed in an empty environment: plugin found by napari, the demo's files "
        "written",
    ),
)


def machine() -> str:
    """Say what this machine is: system, cores, Python."""
    return (
        f"{platform.system()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )


def read_figures(path: Path = FIGURES) -> dict[str, Figure]:
    """Read the figures last recorded, by test and suite."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {f"{row['test']} {row['suite']}": Figure(**row) for row in rows}


def write_figures(
    figures: Iterable[Figure], path: Path = FIGURES, page: Path = PAGE
) -> None:
    """Put `figures` in the place of those recorded before, and write the page.

    Figures of promises that did not run are kept; those of promises that are no
    longer made are dropped.
    """
    known = {promise.key for promise in PROMISES}
    kept = read_figures(path)
    kept.update({f"{one.test} {one.suite}": one for one in figures})
    rows = [one for _, one in sorted(kept.items()) if one.promise in known]
    path.write_text(
        json.dumps([asdict(one) for one in rows], indent=1) + "\n", encoding="utf-8"
    )
    page.write_text(page_of(rows), encoding="utf-8")


HEAD = """\
# Reliability

What must hold, the test that shows it, and the figure last reached. "Loses nothing"
means: after any crash the state is the one before or the one after the last action
that was acknowledged; never between, never earlier.

This page is written by the tests: `make test` runs them quickly, `make trust` (long) at
their full count, whose figure stands here where there is one. Each test drives the real
part: the real store, the real trainer process, the real window.

"""

TAIL = """\
## Not tested

* **Real network folders** (NFS, SMB): locking there is the server's. The store uses
  SQLite's rollback journal, which is made for them; nothing was tried.
* **Real power cuts**: simulated below SQLite, by a file system that loses and reorders
  what was not synced, with the SQLite that apsw brings, not Python's own. That a disk
  does what it says when it syncs is not tested.
* **Windows and macOS**: nothing was run there. The tests that need kill -9, a mount or
  a network namespace are for Linux and are skipped elsewhere.
* **A GPU**: out of memory is raised by hand, not by a full card.
"""


def page_of(figures: Iterable[Figure]) -> str:
    """Write the page of all promises, Markdown."""
    by_promise: dict[str, list[Figure]] = {}
    for one in figures:
        by_promise.setdefault(one.promise, []).append(one)
    parts = [HEAD]
    for part in dict.fromkeys(promise.part for promise in PROMISES):
        parts.append(f"## {part}\n\n| promise | to reach | reached |\n|---|---|---|\n")
        parts += [
            f"| {promise.words} | {promise.goal} | {_reached(promise, by_promise)} |\n"
            for promise in PROMISES
            if promise.part == part
        ]
        parts.append("\n")
    parts += [TAIL, "\n", _where(by_promise)]
    return "".join(parts)


def _reached(promise: Promise, by_promise: Mapping[str, list[Figure]]) -> str:
    """Say what each test of a promise reached, at the highest count that it was run."""
    best: dict[str, Figure] = {}
    for one in by_promise.get(promise.key, []):
        if one.test not in best or one.suite == "long":
            best[one.test] = one
    if not best:
        return "**not measured**"
    return "<br>".join(
        f"{one.reached} ({one.suite}, {one.date})" for one in best.values()
    )


def _where(by_promise: Mapping[str, list[Figure]]) -> str:
    """Say how long each test takes in each suite, and on what that was."""
    lines = [
        "## Where each is tested\n\n",
        "| test | seconds quick | seconds long | on |\n|---|---|---|---|\n",
    ]
    for promise in PROMISES:
        seconds: dict[str, dict[str, str]] = {}
        machines: dict[str, str] = {}
        for one in by_promise.get(promise.key, []):
            seconds.setdefault(one.test, {})[one.suite] = f"{one.seconds:.0f}"
            machines[one.test] = one.machine
        lines += [
            f"| `{test}` | {took.get('quick', '')} | {took.get('long', '')} | "
            f"{machines[test]} |\n"
            for test, took in seconds.items()
        ]
    return "".join(lines)
