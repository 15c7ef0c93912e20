"""``python -m training``, and the installed command ``hep2``."""

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run the command line with nothing imported from the current folder.

    It may hold data of others, with a file of the name of some module among them.
    """
    signal.signal(signal.SIGINT, _interrupt)
    _leave_current_folder()
    _run()


def _run() -> None:
    from training.cli import main as run

    run()


def _leave_current_folder() -> None:
    """Take the current folder off the import path, unless this program stands there."""
    here = Path.cwd()
    if Path(__file__).parents[1] != here:
        sys.path[:] = [place for place in sys.path if Path(place or ".") != here]
        sys.path[:] = [place for place in sys.path if place not in ("", ".")]


def _interrupt(_signal: int, _frame: object) -> None:
    """End before there is anything to interrupt, while modules are read."""
    sys.stderr.write("hep2: it was interrupted before it began; repeat the command.\n")
    sys.stderr.flush()
    os._exit(3)


if __name__ == "__main__":
    main()
