"""Starts trainers one after the other, without importing torch for each.

A process that has imported everything forks for each of them; what it forks is a real
trainer in a session of its own, to be killed like any other. It starts the run where
there is none yet, goes on with it where there is, and draws nothing.

`python forking_trainer.py` reads lines of JSON, a run folder and its recipe; it answers
with the process id, and with the exit code when that process has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from training.runs.folder import RunConfig, RunFolder

MODEL = "model.safetensors"


class ForkingTrainer:
    """The test's side of that process; a context manager.

    Parameters
    ----------
    cache : folder of the packed cells
    """

    def __init__(self, cache: Path) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, "HEP2_CACHE": str(cache)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self) -> ForkingTrainer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def train(
        self, run: Path, config: RunConfig, kill_after: float | None = None
    ) -> int:
        """Start a run or go on with it, to its end or killed after so many seconds.

        Returns
        -------
        code : its exit code, -9 where it was killed
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps([str(run), config.model_dump(mode="json")])
        print(line, file=self._process.stdin, flush=True)
        pid = int(self._process.stdout.readline())
        if kill_after is not None:
            ready, _, _ = select.select([self._process.stdout], [], [], kill_after)
            if not ready:
                # Its zombie stays until it is waited for: the id is still its own.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def seconds(self, run: Path, config: RunConfig) -> float:
        """Train a run to its end; return how long it took."""
        started = time.perf_counter()
        assert self.train(run, config) == 0
        return time.perf_counter() - started


def main() -> None:
    """Answer each line until the input ends."""
    import torch

    import training.runs.execution
    from training.runs.engines import base

    assert training.runs.execution
    torch.set_num_threads(1)
    base.write_result = _keep_model(base.write_result)
    print("ready", flush=True)
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _become(*json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _keep_model(write_result: Callable[..., None]) -> Callable[..., None]:
    """Keep the last checkpoint of a fold, which its result takes away, as `MODEL`."""

    def write(folder: Path, result: object) -> None:
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(folder / "checkpoint.safetensors", folder / MODEL)
        write_result(folder, result)

    return write


def _become(run: str, recipe: dict[str, object]) -> None:
    """Be the trainer, to its end."""
    from training.runs.execution import execute, start_run

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    code = 1
    try:
        folder = RunFolder(Path(run))
        if not (folder.path / "config.yaml").is_file():
            start_run(folder.path, RunConfig.model_validate(recipe))
        for _ in execute(folder):
            pass
        code = 0
    except Exception as fault:
        traceback.print_exc()
        raise SystemExit(code) from fault
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
