"""A run of the suite ends, and says by its exit code that a process of it died.

Where tests run side by side, the process that distributes them waits for the others.
It ends after `run_limit` seconds whatever they do; where one of them died, the run has
failed even if no test was left in it.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psutil
import pytest

LIMIT = "run_limit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(LIMIT, "seconds after which a run side by side is ended", default="0")


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run from the process that distributes the tests."""
    if config.getoption("tx", None) and not hasattr(config, "workerinput"):
        limit = float(config.getini(LIMIT))
        config.pluginmanager.register(WholeRun(limit), "whole-run")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: one more than cores, as some only wait."""
    affinity = getattr(os, "sched_getaffinity", None)
    return 1 + (len(affinity(0)) if affinity else os.cpu_count() or 1)


class WholeRun:
    """Ends the run after `limit` seconds, and counts the processes that died.

    Parameters
    ----------
    limit : seconds, 0 for none
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._at_work: dict[str, None] = {}
        self._died: list[str] = []
        self._timer = threading.Timer(limit, self._end)
        self._timer.daemon = True

    def pytest_sessionstart(self) -> None:
        if self._limit:
            self._timer.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._at_work[nodeid] = None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._at_work.pop(nodeid, None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            self._died.append(f"{node.gateway.id}: {error}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._timer.cancel()
        if self._died and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        for words in self._died:
            terminalreporter.write_line(f"a process of the suite died, {words}")

    def last_words(self) -> str:
        """Say which tests had begun when the time was over, and not ended."""
        at_work = ", ".join(self._at_work) or "no test"
        return f"The suite was ended after {self._limit:g} s. At work: {at_work}"

    def _end(self) -> None:
        """End this process and those that it started."""
        os.write(2, f"\n{self.last_words()}\n".encode())
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(pytest.ExitCode.INTERRUPTED)
