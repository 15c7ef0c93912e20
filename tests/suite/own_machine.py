"""Every test is watched, with the processes it starts: none may reach another machine.

`audited/sitecustomize.py` notes what was reached; a test after which there are new
notes fails with them.
"""

from __future__ import annotations

import os
import runpy
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

AUDITED = Path(__file__).with_name("audited")
NOTES = pytest.StashKey["Notes"]()


class Notes:
    """What this process and those it starts reached, read as it comes."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="hep2-connects-")
        os.close(handle)
        self.path = Path(name)
        self._read = 0

    def new(self) -> list[str]:
        """Return the lines on other machines since the last call."""
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            content = stream.read()
        self._read += len(content)
        return [line for line in content.decode().splitlines() if line != "started"]


def watching(notes: Path) -> dict[str, str]:
    """Return the variables by which new processes of Python are watched."""
    paths = [str(AUDITED), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    return {"PYTHONPATH": path, "HEP2_CONNECTS": str(notes)}


def pytest_configure(config: pytest.Config) -> None:
    """Watch the process that runs tests, not the one that deals them out."""
    if config.getoption("tx", None) and not hasattr(config, "workerinput"):
        return
    notes = config.stash[NOTES] = Notes()
    os.environ.update(watching(notes.path))
    runpy.run_path(str(AUDITED / "sitecustomize.py"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if notes := config.stash.get(NOTES, None):
        notes.path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _stays_on_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    reached = request.config.stash[NOTES].new()
    assert not reached, f"reached another machine: {reached}"
