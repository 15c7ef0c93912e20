"""The quick and the long measure of each promise, and the record of both."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import promises
import pytest
from nursery import Nursery

_FIGURE = "figure"


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Iterator[promises.Reached]:
    """Where the test says what it reached; it must say something."""
    (key,) = request.node.get_closest_marker("promise").args
    assert key in {one.key for one in promises.PROMISES}, f"no promise {key!r}"
    said, started = promises.Reached(), time.perf_counter()
    yield said
    assert said.words, "the test reached no figure"
    figure = promises.Figure(
        promise=key,
        test=request.node.nodeid.removeprefix("tests/trust/"),
        reached="; ".join(said.words),
        suite="long" if request.config.getoption("--long") else "quick",
        date=dt.date.today().isoformat(),
        seconds=round(time.perf_counter() - started, 1),
        machine=promises.machine(),
    )
    request.node.user_properties.append((_FIGURE, asdict(figure)))


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Choose how often: `times(quick, long)`."""
    chosen = bool(request.config.getoption("--long"))
    return lambda quick, long: long if chosen else quick


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """A program that forks children which can be killed."""
    (tmp_path / "logs").mkdir()
    with Nursery(tmp_path / "logs") as made:
        yield made


class _Recorder:
    """Writes the figures of the tests that passed, as they pass."""

    def __init__(self) -> None:
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when == "teardown" and report.nodeid not in self._failed:
            rows = [one for name, one in report.user_properties if name == _FIGURE]
            if rows:
                promises.write_figures([promises.Figure(**row) for row in rows])


def pytest_configure(config: pytest.Config) -> None:
    """Record on request, and not in the helpers of a run in several processes."""
    if config.getoption("--record", False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(), "promises")
