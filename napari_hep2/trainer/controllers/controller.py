"""Verbs of the LOSO trainer: plan, forecast, start, stop, resume, follow.

No Qt here, and nothing waits: the window calls `TrainerController.poll` and
`CostProbe.poll` as often as it likes.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.process import Follower, StopStep
from napari_hep2.trainer.words import duration
from training.config import as_typed
from training.config.commands import process_words
from training.errors import BadRunError
from training.runs.experiments import Experiment
from training.runs.folder import LOG, RunFolder
from training.runs.replay import BUSY, RunState

BUDGET = 0.02
"""Seconds that one call of `poll` may spend on reading events."""


# --- plan ---------------------------------------------------------------------------


@dataclass(frozen=True)
class RunPlan:
    """Choices of the user for a run, before its start.

    Attributes
    ----------
    data, out
        Folders, or None where not chosen yet.
    settings
        Settings of the classifier, the training set and the protocol, device and
        workers, by name.
    extra
        Folder of the cells that are trained on only, or None.
    """

    experiment: Experiment
    data: Path | None
    out: Path | None
    settings: Mapping[str, object]
    extra: Path | None = None

    @property
    def options(self) -> dict[str, object]:
        """The settings that differ from the experiment's own."""
        own = own_settings(self.experiment)
        chosen = {k: v for k, v in self.settings.items() if v != own[k]}
        if not self.uses_folds:
            chosen.pop("folds", None)
        if self.uses_extra and self.extra is not None:
            chosen["extra"] = self.extra
        return chosen

    @property
    def uses_extra(self) -> bool:
        """Return whether extra cells are needed, for training only."""
        own = self.experiment.training_set.use_extra
        return bool(self.settings.get("use_extra", own))

    @property
    def protocol(self) -> str:
        """The protocol chosen, or the experiment's own."""
        return str(self.settings.get("protocol", self.experiment.protocol.protocol))

    @property
    def uses_folds(self) -> bool:
        """Return whether the number of folds is chosen; ``loso`` has one a specimen."""
        return self.protocol != "loso"

    @property
    def leaky(self) -> bool:
        """Return whether the protocol ignores specimens."""
        return self.protocol == "k-fold"

    def command(self) -> list[str]:
        """Return the command, with DATA or RUN where a folder is not chosen yet."""
        data, out = self.data or Path("DATA"), self.out or Path("RUN")
        name = self.experiment.name
        return trainer_process.build_command(name, data, out, self.options)

    def forecast_command(self) -> list[str]:
        """Return the command that tells what the run would cost here."""
        command = self.command()
        at = command.index("--out")
        return [*command[:at], *command[at + 2 :], "--forecast", "--json"]

    def obstacle(self) -> str:
        """Return why the run cannot be started, or ''."""
        if self.data is None:
            return "Choose the folder of the cells."
        if not self.data.is_dir():
            return f"{self.data}: there is no such folder; choose another."
        if self.uses_extra and self.extra is None:
            return "Choose the folder of the extra cells."
        if self.uses_extra and self.extra is not None and not self.extra.is_dir():
            return f"{self.extra}: there is no such folder; choose another."
        if self.out is None:
            return "Choose a new folder for the run."
        if self.out.is_file():
            return f"{self.out}: this is a file; choose a new folder."
        if RunFolder.is_at(self.out):
            return f"{self.out}: it holds a run already; choose a new folder."
        held = {entry.name for entry in self.out.iterdir()} if self.out.is_dir() else ()
        if set(held) - {LOG}:
            return f"{self.out}: the folder is not empty; choose a new one."
        return ""


def own_settings(experiment: Experiment) -> dict[str, object]:
    """Return the settings of an experiment by name, as a form shows them."""
    own = {
        **experiment.classifier.model_dump(exclude={"name"}),
        **experiment.training_set.model_dump(),
        **experiment.protocol.model_dump(),
    }
    shown = {name: as_typed(value) for name, value in own.items()}
    return {**shown, "device": "auto", "workers": 0}


def free_run_folder(parent: Path, experiment: str) -> Path:
    """Return the first folder ``EXPERIMENT-NNN`` in `parent` that does not exist."""
    number = 1
    while (parent / f"{experiment}-{number:03d}").exists():
        number += 1
    return parent / f"{experiment}-{number:03d}"


# --- cost ---------------------------------------------------------------------------


class CostProbe:
    """Asks the command line, in a process of its own, what a run would cost.

    Attributes
    ----------
    text
        The forecast or the fault as a sentence; '' while there is none.
    """

    def __init__(self) -> None:
        self.text = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def asking(self) -> bool:
        """Return whether an answer is awaited."""
        return self._process is not None

    def ask(self, command: list[str]) -> None:
        """Ask; an answer that was awaited is given up."""
        self.cancel()
        self._process = subprocess.Popen(
            process_words(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=trainer_process.environment(),
        )

    def cancel(self) -> None:
        """Give up the answer."""
        self.text = ""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def poll(self) -> bool:
        """Return whether the answer has just come."""
        if self._process is None or self._process.poll() is None:
            return False
        process, self._process = self._process, None
        out, complaint = process.communicate()
        if process.returncode != 0:
            self.text = _last_line(complaint) or "The cost could not be estimated."
            return True
        try:
            self.text = cost_sentence(json.loads(out))
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            self.text = f"The forecast could not be read: {_last_line(out)}"
        return True


def cost_sentence(cost: Mapping[str, Any]) -> str:
    """Return the output of ``run --forecast --json`` as a sentence."""
    steps, speed = int(cost["image_steps"]), float(cost["images_per_second"])
    about = (
        f"{int(cost['folds'])} folds, {_many(steps)} training images; about "
        f"{duration(steps / speed)}"
    )
    known = f"on this machine at {speed:,.0f} images a second, measured just now."
    if not cost.get("measured", True):
        known = "at the speed of another machine with the default settings."
    said = [f"{about} {known}"]
    for key in ("specimens", "pilot"):
        words = str(cost.get(key) or "")
        said += [f"{words[:1].upper()}{words[1:]}."] if words else []
    return " ".join(said)


def _many(n: int) -> str:
    return f"{n / 1e6:,.1f} million" if n >= 1_000_000 else f"{n:,}"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


# --- the run ------------------------------------------------------------------------


@dataclass
class Watched:
    """A run that is followed, and how far its trainer has been stopped."""

    follower: Follower
    stopping: Iterator[StopStep] | None = None
    step: StopStep | None = None

    @property
    def busy(self) -> bool:
        """Return whether a trainer starts, runs or stops."""
        return self.follower.state.status in BUSY


class TrainerController:
    """Starts, follows and stops trainers; one of the runs is shown.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: dict[Path, Watched] = {}
        self._shown: Watched | None = None

    @property
    def run(self) -> Path | None:
        """The run folder that is shown, or None."""
        return self._shown.follower.run if self._shown else None

    @property
    def state(self) -> RunState | None:
        """State of the run that is shown, or None."""
        return self._shown.follower.state if self._shown else None

    def state_of(self, run: Path) -> RunState:
        """Return the state of a run that is followed."""
        return self._watched[run].follower.state

    @property
    def step(self) -> StopStep | None:
        """How far the trainer of the run that is shown has been stopped."""
        return self._shown.step if self._shown else None

    @property
    def busy(self) -> bool:
        """Return whether a trainer of the run that is shown starts, runs or stops."""
        return self._shown is not None and self._shown.busy

    @property
    def training(self) -> list[Path]:
        """The runs that are followed and have a trainer, shown or not."""
        return [path for path, one in self._watched.items() if one.busy]

    @property
    def alive(self) -> set[Path]:
        """Those whose trainer's process runs: a run just shown was not read yet."""
        return {run for run in self.training if self._watched[run].follower.alive}

    @property
    def folds_done(self) -> dict[Path, tuple[str, int]]:
        """Status and finished folds of each run that was followed."""
        states = {path: one.follower.state for path, one in self._watched.items()}
        return {path: (one.status, one.count("done")) for path, one in states.items()}

    @property
    def can_resume(self) -> bool:
        """Return whether there are folds to train and no trainer is running."""
        shown = self._shown
        if shown is None or shown.stopping is not None:
            return False
        state = shown.follower.state
        if state.status == "done":
            return state.count("failed") > 0
        paused = state.status in {"stopped", "failed", "vanished"}
        return paused and RunFolder.is_at(shown.follower.run)

    @property
    def unreadable(self) -> int:
        """Lines of the events that could not be read."""
        return self._shown.follower.tail.bad if self._shown else 0

    def start(self, plan: RunPlan) -> None:
        """Start a run.

        Raises
        ------
        BadRunError, RunLockedError, StorageError
            If it cannot be started; the sentence says why.
        """
        obstacle = plan.obstacle()
        if obstacle or plan.out is None:
            raise BadRunError("the run", obstacle.rstrip("."), "then start it")
        self._launch(plan.command(), plan.out)

    def resume(self) -> None:
        """Go on with the run that is shown.

        Raises
        ------
        RunLockedError, StorageError
            If it cannot be started; the sentence says why.
        """
        if self.run is not None:
            self._launch(trainer_process.resume_command(self.run), self.run)

    def _launch(self, command: list[str], run: Path) -> None:
        handle = trainer_process.start(command, run)
        watched = self._watched.get(run) or Watched(Follower(run))
        watched.follower.expect(handle)
        watched.stopping = watched.step = None
        self._show(watched)

    def attach(self, run: Path) -> None:
        """Show a run that exists, also one that is running.

        Raises
        ------
        BadRunError
            If the folder holds no run.
        """
        self._show(self._watched.get(run) or Watched(trainer_process.follow(run)))

    def _show(self, watched: Watched) -> None:
        self._watched[watched.follower.run] = self._shown = watched

    def stop(self) -> None:
        """Begin to stop the trainer; `poll` sees to it that nothing is left.

        Raises
        ------
        StorageError
            If the stop file cannot be written.
        """
        shown = self._shown
        if shown is None or shown.stopping is not None:
            return
        follower = shown.follower
        RunFolder(follower.run).request_stop()
        shown.stopping = trainer_process.stopping(
            follower.run, follower.handle, clock=self._clock
        )
        shown.step = "asked"

    def poll(self) -> bool:
        """Read new events; return whether there are more to read at once."""
        end = self._clock() + BUDGET
        more = False
        for one in self._watched.values():
            if one.stopping is not None:
                one.step = next(one.stopping, None)
                if one.step is None:
                    one.stopping = None
            while (one is self._shown or one.busy) and one.follower.poll():
                if self._clock() > end:
                    more = True
                    break
        return more
