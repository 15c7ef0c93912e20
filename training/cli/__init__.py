"""The command line: parse, call, print. Heavy modules are imported where they are used.

Exit codes: 0 done; 2 bad usage or input, told in one sentence; 3 interrupted and
resumable.
"""

from training.cli import (
    bench,
    cells,
    curate,
    decisions,
    models,
    nuclei,
    reproduce,
    review,
    sheet,
    specimens,
    studies,
    verdicts,
)
from training.cli.app import app, main

__all__ = [
    "app",
    "bench",
    "cells",
    "curate",
    "decisions",
    "main",
    "models",
    "nuclei",
    "reproduce",
    "review",
    "sheet",
    "specimens",
    "studies",
    "verdicts",
]
