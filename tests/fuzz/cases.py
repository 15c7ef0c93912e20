"""One case: a file is damaged as its seed says, and a reader is given it.

Cases run in a forked child with a limit on its memory, so that a crash, a hang or a
greedy reader takes the child along and no more.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import resource
import select
import shutil
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from mutations import mutate

from training.errors import Hep2Error

SECONDS, MEMORY = 10.0, 2**30
"""What a reader may take: seconds, and bytes over what the process had.

They are seconds of the processor, so that a busy machine is no fault; it may wait, for
a disk or a lock, six times as long.
"""

_SPACE = 4 * 2**30
"""Address space over that of the process: an allocation beyond it fails at once."""

_STARTED, _FAULT = "started", "fault"


Read = Callable[[Path], None]


@dataclass(frozen=True)
class Target:
    """A reader of the product.

    Attributes
    ----------
    folders
        Of the seeds, which it needs; copied anew for each case.
    damaged
        Patterns of the files in them of which one is damaged in each case.
    read
        What is called with the damaged file; the current folder holds `folders`.
    """

    name: str
    folders: tuple[str, ...]
    damaged: tuple[str, ...]
    read: Read


@dataclass(frozen=True)
class Fault:
    """What a reader did that it must not.

    Attributes
    ----------
    target, seed
        The case.
    file
        The damaged one, as it lay among the seeds.
    what
        The exception with its place, or `crash`, `hang`, `memory`: alike for faults
        that are one.
    told
        The traceback, or what is known.
    """

    target: str
    seed: int
    file: str
    what: str
    told: str


def damaged(target: Target, seeds: Path, seed: int) -> tuple[Path, bytes]:
    """Return the file that a case damages, relative to the seeds, and its content."""
    random = Random(f"{target.name} {seed}")
    found = sorted(
        {
            path
            for folder in target.folders
            for glob in target.damaged
            for path in (seeds / folder).glob(glob)
            if path.is_file()
        }
    )
    path = random.choice(found)
    alike = [p.read_bytes() for p in found if p.suffix == path.suffix and p != path]
    # The name of a hidden file is all suffix: .zarray.
    suffix = path.suffix or path.name
    return path.relative_to(seeds), mutate(path.read_bytes(), suffix, alike, random)


def read_case(target: Target, seeds: Path, seed: int) -> Fault | None:
    """Do one case in this process, in a folder of its own; return what went wrong."""
    for folder in target.folders:
        shutil.copytree(seeds / folder, folder)
    path, content = damaged(target, seeds, seed)
    path.write_bytes(content)
    try:
        target.read(path)
    except Hep2Error:
        return None
    except BaseException as fault:  # noqa: BLE001 - whatever it is, it is the fault
        what = f"{type(fault).__name__} at {_place(fault)}"
        return Fault(target.name, seed, str(path), what, traceback.format_exc())
    finally:
        for entry in Path().iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if _peak() > _peak.start + MEMORY:
        return Fault(target.name, seed, str(path), "memory", f"{_peak()} bytes")
    return None


def _place(fault: BaseException) -> str:
    """Return the last line of our own code that the exception went through."""
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [f for f in frames if "/training/" in f.filename or "hep2/" in f.filename]
    last = (ours or frames)[-1]
    return f"{'/'.join(Path(last.filename).parts[-2:])}:{last.lineno}"


class _Peak:
    """The most memory that this process ever had, in bytes."""

    start = 0

    def __call__(self) -> int:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_peak = _Peak()


def do_cases(
    target: Target, seeds: Path, work: Path, first: int, stop: Callable[[int], bool]
) -> Iterator[int | Fault]:
    """Do cases in a child until `stop` is true of the next seed, or the child ends.

    Yields
    ------
    seed or fault
        Each seed that was started, and each fault.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _be_child(target, seeds, work, first, stop, writing)
    os.close(writing)
    seed = first
    try:
        with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
            for kind, said in _messages(pipe):
                if kind == _STARTED:
                    seed = said
                yield seed if kind == _STARTED else Fault(**said)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        yield Fault(target.name, seed, "", "hang", "it waits")
        return
    finally:
        status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        ended = signal.Signals(os.WTERMSIG(status))
        what = "hang" if ended == signal.SIGPROF else f"crash by {ended.name}"
        yield Fault(target.name, seed, "", what, _last_words(work))
    elif status:
        yield Fault(target.name, seed, "", f"ended with {status}", _last_words(work))


def _last_words(work: Path) -> str:
    return work.with_suffix(".log").read_text("utf-8", "replace")[-5000:]


def _messages(pipe) -> Iterator[tuple[str, object]]:
    rest = b""
    while True:
        if not select.select([pipe], [], [], 6 * SECONDS)[0]:
            raise TimeoutError
        block = pipe.read(65536)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        yield from map(json.loads, lines)


def _be_child(
    target: Target,
    seeds: Path,
    work: Path,
    first: int,
    stop: Callable[[int], bool],
    writing: int,
) -> None:
    """Do the cases and leave by `os._exit`: nothing of the parent may run again."""
    code = 1
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _limit(work.with_suffix(".log"))
        os.chdir(work)
        seed = first
        while not stop(seed):
            _say(writing, _STARTED, seed)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            fault = read_case(target, seeds, seed)
            if fault is not None:
                _say(writing, _FAULT, asdict(fault))
                if fault.what == "memory":
                    break  # the peak stays: each case after this one would look so
            seed += 1
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not return
        traceback.print_exc()
    finally:
        os._exit(code)


def _limit(log: Path) -> None:
    # What C libraries and crashes say goes there as well.
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)
    warnings.simplefilter("ignore")
    logging.disable()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * resource.getpagesize() + _SPACE
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    _peak.start = _peak()


def _say(writing: int, kind: str, content: object) -> None:
    line = json.dumps([kind, content]).encode() + b"\n"
    while line:
        line = line[os.write(writing, line) :]
