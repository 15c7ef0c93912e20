"""The application that the commands belong to, and its exit codes."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TypeVar

import typer

from training.errors import Hep2Error, InterruptedRunError, StorageError

Function = TypeVar("Function", bound=Callable[..., Any])


class Commands(typer.Typer):
    """Commands listed by the whole first sentence of their docstring.

    The list of the reference would cut it after 45 characters.
    """

    def command(
        self, name: str | None = None, **settings: Any
    ) -> Callable[[Function], Function]:
        """Return a decorator that adds a command; see `typer.Typer.command`."""
        add = super().command

        def decorate(function: Function) -> Function:
            first, *_ = (function.__doc__ or "").split("\n\n")
            return add(name, **{"short_help": first, **settings})(function)

        return decorate


app = Commands(
    name="hep2",
    help="Train and evaluate HEp-2 cell classifiers on held-out specimens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
BAD_INPUT = 2
INTERRUPTED = 3


def main() -> None:
    """Run the command line and turn expected faults into one sentence."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except InterruptedRunError as stop:
        _end(stop, INTERRUPTED)
    except Hep2Error as fault:
        _end(fault, BAD_INPUT)
    except OSError as fault:
        _end(_of_the_system(fault), BAD_INPUT)


def _end(fault: Hep2Error, code: int) -> NoReturn:
    """Exit with a sentence; what is left of an output that failed is given up."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            if stream is sys.stderr:
                print(fault, file=stream)
            stream.flush()
            continue
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _of_the_system(fault: OSError) -> Hep2Error:
    """Return the sentence for what the system refused and nobody foresaw."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space and repeat the command"
    else:
        remedy = "check the disk, and who may read and write there"
    what = fault.filename or "the output of this command"
    return StorageError(what, f"the system refused it ({fault.strerror})", remedy)


@contextmanager
def going_on(what: object, remedy: str) -> Iterator[None]:
    """Report what was interrupted, and how to continue it."""
    try:
        yield
    except InterruptedRunError as stop:
        raise InterruptedRunError(what, stop.fault, remedy) from stop


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise InterruptedRunError(
        "hep2",
        "it was interrupted",
        "continue a run with: hep2 resume RUN",
    )
