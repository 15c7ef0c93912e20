"""The promises of reliability, and the pages that report their figures.

Each test of this folder names its promise by `@pytest.mark.promise("KEY")` and reports
its figure through the fixture `promise`. `pytest tests/trust --long --record` writes
the figures to `figures.json` and, from them, two pages: `docs/reliability.md` with one
figure a promise, and `docs/reliability-figures.md` with all of them.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs" / "reliability.md"
DETAILS = ROOT / "docs" / "reliability-figures.md"

DECISIONS = "Decisions of the reviewers"
TRAINING = "Training"
INPUT = "Hostile or broken input"
HANDED = "What is handed over or shared"
PACKAGE = "What is installed"


@dataclass(frozen=True)
class Promise:
    """One property that must hold, and the figure to reach.

    Attributes
    ----------
    key : name by which tests refer to it
    part : heading of the table that lists it
    words : the promise
    goal : the figure to reach, in the quick suite and in the long one
    main : start of the name of the test whose figure the summary shows; the first
        test where empty
    """

    key: str
    part: str
    words: str
    goal: str
    main: str = ""


@dataclass(frozen=True)
class Figure:
    """Figure that one test reached.

    Attributes
    ----------
    promise : key of the promise
    test : `FILE::NAME`
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
    """Figures that a test reports for its promise.

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
        "A saved decision survives SIGKILL",
        "1,000 kills of a writer and 50 of the real window (long), 60 quick: 0 lost, "
        "0 corrupt",
        "test_no_saved_decision_is_lost_by_kill",
    ),
    Promise(
        "power-cut",
        DECISIONS,
        "A saved decision survives a power cut that drops and reorders unsynced writes",
        "2,000 cuts, 0 lost (long); 200 quick",
        "test_no_saved_decision_is_lost_by_a_power_cut",
    ),
    Promise(
        "two-reviewers",
        DECISIONS,
        "Two reviewers can work in one file at the same time",
        "2 processes of 5,000 decisions with undo (long), 80 quick, both killed at "
        "random: 0 lost, none refused, both reviewers present",
    ),
    Promise(
        "full-disk",
        DECISIONS,
        "A full disk or a read-only folder loses nothing that was saved",
        "earlier work intact, unsaved work shown as unsaved; opened read-only, 0 "
        "tracebacks",
        "test_on_a_full_disk_what_was_saved_stays",
    ),
    Promise(
        "clock",
        DECISIONS,
        "A clock that jumps does not change the order of steps",
        "0 reorderings",
    ),
    Promise(
        "history",
        DECISIONS,
        "Random sequences of decide, undo, redo, relabel and reopen match a reference "
        "model",
        "1,000 random histories (long), 30 quick",
    ),
    Promise(
        "old-files",
        DECISIONS,
        "Files of earlier formats are read; those of later formats are refused",
        "a file of each format; killed during the upgrade: old or new, never half",
        "test_killed_while_it_is_brought_up",
    ),
    Promise(
        "speed",
        DECISIONS,
        "A decision is on disk before the delay is noticed",
        "50,000 cells loaded (long): key press to commit and next cell drawn, 95th "
        "percentile at most 50 ms",
    ),
    Promise(
        "resume",
        TRAINING,
        "Training that is killed and resumed gives the same model",
        "bit-identical, 5 of 5 quick, 100 of 100 long; at most one epoch lost",
    ),
    Promise(
        "torn-checkpoint",
        TRAINING,
        "A damaged checkpoint does not end a run",
        "200 of 200 truncated or altered at random fall back to the previous one",
    ),
    Promise(
        "worker-death",
        TRAINING,
        "The death of a worker costs at most one fold",
        "83 of 83 folds done (long; quick: 4 with local processes, 8 with Dask), each "
        "counted once, finished folds not trained again",
        "test_local_workers_that_are_killed_cost_no_fold",
    ),
    Promise(
        "gpu-memory",
        TRAINING,
        "Out of GPU memory: the batch is computed in smaller parts, or only that fold "
        "fails",
        "raised artificially at each batch in turn: the effective batch is unchanged",
        "test_a_step_that_does_not_fit_is_taken_in_smaller_pieces",
    ),
    Promise(
        "divergence",
        TRAINING,
        "A loss that is not finite is detected in its step and never hidden in a mean",
        "NaN pixel, learning rate 1e6: fold marked as diverged (on a GPU at the end of "
        "the epoch, to avoid a synchronisation in each step)",
        "test_a_nan_pixel_is_caught_in_its_step",
    ),
    Promise(
        "detached",
        TRAINING,
        "The trainer outlives its window",
        "reattached within 2 s with the complete curve; Stop leaves no process after "
        "5 s",
    ),
    Promise(
        "stream",
        TRAINING,
        "The metrics stay readable while their writers are killed",
        "0 parse errors, no gap, the window never blocked over 50 ms",
    ),
    Promise(
        "leak",
        TRAINING,
        "No cell of a held-out specimen, nor a pixel duplicate of one, is trained on",
        "0 in every fold of 1,000 random tables (long); of 300 quick",
    ),
    Promise(
        "two-trainers",
        TRAINING,
        "Two trainers cannot write to one run folder",
        "the second ends with a clear message; the lock of a killed one is released",
        "test_of_trainers_that_start_at_once_one_holds_the_folder",
    ),
    Promise(
        "model-files",
        INPUT,
        "A model file never runs code",
        "at least 60 hostile files: 0 side effects, refused within 1 s",
        "test_no_model_file_runs_code",
    ),
    Promise(
        "images",
        INPUT,
        "An image cannot exhaust memory or crash the window",
        "0 crashes, 0 over 10 s, memory at most 1 GiB over the cap; file and reason "
        "shown, the next file opened",
        "test_no_picture_eats_memory_or_time",
    ),
    Promise(
        "any-ground",
        INPUT,
        "Nuclei are looked for in bounded time on any ground, and a job is left soon",
        "flat, saturated, striped, chequered and noisy fields, 21 of a megapixel "
        "(long), 6 small ones (quick): at most a second and 10 s a "
        "megapixel of one core, 2 s a step",
    ),
    Promise(
        "window",
        INPUT,
        "The window can be closed during any work",
        "15 kinds of work, 120 windows closed at random moments (long): nothing "
        "raised, no half-written file",
    ),
    Promise(
        "careless",
        INPUT,
        "A careless action in the window costs an error message, and no work",
        "folder removed, frame renamed, text named .png, 3 GB TIFF, mask of another "
        "image, foreign models, store moved: each reported, none unforeseen",
    ),
    Promise(
        "paths",
        INPUT,
        "Paths in a table stay inside the data folder",
        "at least 200 cases, 0 read outside",
    ),
    Promise(
        "spreadsheets",
        INPUT,
        "An exported table is safe in a spreadsheet",
        "10,000 strings: 0 live formulas, all read back unchanged",
        "test_a_table_holds_no_formula_and_gives_every_word_back[decisions]",
    ),
    Promise(
        "identity",
        INPUT,
        "No identity is disclosed by accident",
        "500 planted names, 0 found in any output",
    ),
    Promise(
        "network",
        INPUT,
        "Nothing is downloaded or sent",
        "every test watched, with the processes it starts; the commands without a "
        "network: 0 connections beyond the loopback",
        "test_a_test_of_the_suite_that_reaches_another_machine_fails",
    ),
    Promise(
        "sentences",
        INPUT,
        "Invalid input is reported in one sentence: which file, what is wrong, what to "
        "do",
        "each class of error has a test of its text; 0 tracebacks",
        "test_every_command_answers_wrong_input_with_a_sentence",
    ),
    Promise(
        "fuzzing",
        INPUT,
        "Random bytes crash no file reader",
        "one hour of `make fuzz` over all readers: 0 faults other than the documented "
        "messages",
        "run.py",
    ),
    Promise(
        "handed-over",
        HANDED,
        "A folder that is handed over decides nothing about trust",
        "engines, stores, models, folds and reports of others: 0 asked, run, believed "
        "or mixed with one's own unseen",
        "test_a_store_that_is_not_made_as_ours_is_refused_and_left_alone",
    ),
    Promise(
        "outside",
        HANDED,
        "No file outside the folder that was named is written, moved or removed",
        "links at each place that a command writes to: 0 followed, what is not ours "
        "stays",
        "test_no_link_is_written_moved_or_removed_through",
    ),
    Promise(
        "machines",
        HANDED,
        "Two machines or containers cannot write to one folder at the same time",
        "run, extract, specimens and fit in two process namespaces on one folder, 50 "
        "times each (long), 1 quick: 0 mixed, the other is told to wait",
        "test_of_containers_that_lock_at_once_one_holds_the_folder",
    ),
    Promise(
        "screens",
        HANDED,
        "Words from outside cannot steer or forge what a screen shows",
        "names with markup, controls and line ends in folders, files and decisions, "
        "through every command that shows them: 0 tracebacks, 0 controls, 0 lines "
        "forged",
    ),
    Promise(
        "system",
        HANDED,
        "What the system refuses is one sentence, and the exit code reports it",
        "unreadable files (as a user who is not root), full disks, a full output, an "
        "early Ctrl-C: 0 tracebacks, 0 with exit code 0, nothing left half",
        "test_what_may_not_be_read_is_one_sentence",
    ),
    Promise(
        "floors",
        PACKAGE,
        "No dependency is older than the release that fixes a known vulnerability",
        "torch 2.10, Pillow 13.0, safetensors 0.5; none of the ruled-out packages",
    ),
    Promise(
        "licences",
        PACKAGE,
        "The licences of all dependencies are known and allowed",
        "0 unknown; copyleft only in the extras of PyQt and CZI",
    ),
    Promise(
        "wheel",
        PACKAGE,
        "The wheel works on its own",
        "installed in an empty environment: napari finds the plugin, the demo writes "
        "its files",
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
    figures: Iterable[Figure],
    path: Path = FIGURES,
    page: Path = PAGE,
    details: Path = DETAILS,
) -> None:
    """Replace the recorded figures by `figures`, and write both pages.

    Figures of promises that did not run stay; those of promises that no longer exist
    are dropped.
    """
    known = {promise.key for promise in PROMISES}
    recorded = read_figures(path)
    recorded.update({f"{one.test} {one.suite}": one for one in figures})
    rows = [one for _, one in sorted(recorded.items()) if one.promise in known]
    path.write_text(
        json.dumps([asdict(one) for one in rows], indent=1) + "\n", encoding="utf-8"
    )
    page.write_text(page_of(rows), encoding="utf-8")
    details.write_text(details_of(rows), encoding="utf-8")


HEAD = """\
# Reliability

What must hold, and the latest figure that shows it. "Loses nothing" means: after a
crash, the state is that of before or after the last acknowledged action; never in
between, never earlier.

The tests write this page. `make test` runs them with small counts, `make trust` (long)
with the full ones; the long figure is shown where there is one. Each test drives the
real component: the real store, the real trainer process, the real window. Each figure
links to [all figures and tests](reliability-figures.md) of its promise.

"""

TAIL = """\
## Not tested

* **Network file systems** (NFS, SMB): locking is the server's. The store uses SQLite's
  rollback journal, which is made for them; none was tried.
* **Real power cuts**: they are simulated below SQLite, by a file system that drops and
  reorders unsynced writes, with the SQLite that apsw bundles rather than Python's own.
  Whether a disk really syncs when it reports so is not tested.
* **Two machines**: two process namespaces of one kernel stand for them. That a network
  folder shows a lock to all machines within a minute is assumed.
* **Windows and macOS**: nothing was run there. Tests that need SIGKILL, a mount or a
  network namespace are for Linux and are skipped elsewhere.
* **A GPU**: running out of memory is raised artificially, not by a full card.
"""

DETAILS_HEAD = """\
# Reliability: all figures

The tests behind each promise of [the summary](reliability.md), with the latest figure
of each and the seconds it takes in the quick and in the long suite. The tests write
this page.

"""


def page_of(figures: Iterable[Figure]) -> str:
    """Return the summary: one row and one figure a promise, Markdown."""
    by_promise = _by_promise(figures)
    parts = [HEAD]
    for part, promises in _by_part().items():
        parts.append(
            f"## {part}\n\n| promise | goal | latest figure |\n|---|---|---|\n"
        )
        parts += [
            f"| {one.words} | {one.goal} | {_main_figure(one, by_promise)} |\n"
            for one in promises
        ]
        parts.append("\n")
    return "".join([*parts, TAIL])


def details_of(figures: Iterable[Figure]) -> str:
    """Return the page of all figures: one table a promise, Markdown."""
    by_promise = _by_promise(figures)
    parts = [DETAILS_HEAD]
    for part, promises in _by_part().items():
        parts.append(f"## {part}\n\n")
        parts += [_table(one, by_promise.get(one.key, [])) for one in promises]
    return "".join(parts).rstrip("\n") + "\n"


def _by_part() -> dict[str, list[Promise]]:
    parts: dict[str, list[Promise]] = {}
    for promise in PROMISES:
        parts.setdefault(promise.part, []).append(promise)
    return parts


def _by_promise(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    by_promise: dict[str, list[Figure]] = {}
    for one in figures:
        by_promise.setdefault(one.promise, []).append(one)
    return by_promise


def _best(figures: Iterable[Figure]) -> dict[str, Figure]:
    """Return the figure of each test, that of the long suite where there is one."""
    best: dict[str, Figure] = {}
    for one in figures:
        if one.test not in best or one.suite == "long":
            best[one.test] = one
    return best


def _main_figure(promise: Promise, by_promise: Mapping[str, list[Figure]]) -> str:
    """Return the figure of the promise's main test, with a link to the others."""
    best = list(_best(by_promise.get(promise.key, [])).values())
    if not best:
        return "**not measured**"
    main = [one for one in best if _name(one.test).startswith(promise.main)]
    shown = (main or best)[0]
    place = f"reliability-figures.md#{_anchor(promise.words)}"
    return f"{shown.reached} ([{shown.suite}, {shown.date}]({place}))"


def _name(test: str) -> str:
    """Return the name of a test without its file, or the file of a script."""
    return test.split("::")[-1].rsplit("/", 1)[-1]


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _table(promise: Promise, figures: list[Figure]) -> str:
    """Return the heading of a promise and the table of its tests."""
    head = f"### {promise.words}\n\n"
    if not figures:
        return f"{head}**not measured**\n\n"
    seconds: dict[str, dict[str, str]] = {}
    for one in figures:
        seconds.setdefault(one.test, {})[one.suite] = f"{one.seconds:.0f}"
    rows = [
        f"| {one.reached} ({one.suite}, {one.date}) | `{one.test}` | "
        f"{seconds[one.test].get('quick', '')} | {seconds[one.test].get('long', '')} | "
        f"{one.machine} |\n"
        for one in _best(figures).values()
    ]
    columns = "| figure | test | seconds, quick | seconds, long | machine |\n"
    return f"{head}{columns}|---|---|---|---|---|\n{''.join(rows)}\n"
