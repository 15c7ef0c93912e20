"""Verbs that write the decisions to a table and take them from one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.state import SessionState
from training.decisions.applied import STORE
from training.decisions.exchange import (
    Imported,
    export_decisions,
    import_decisions,
    read_decisions,
)
from training.decisions.store import DecisionStore


class ExchangeController:
    """Exports and imports every step of the store, of all reviewers.

    Parameters
    ----------
    state
        Read; good and bad news are written.
    look_again
        Called after an import: shows what the store holds now.
    """

    def __init__(self, state: SessionState, look_again: Callable[[], None]) -> None:
        self._state, self._look_again = state, look_again

    def export_job(self, table: Path) -> Job | None:
        """Write every step, with who, when, what and why, to CSV or Parquet.

        Parameters
        ----------
        table
            Parquet where its name ends so, else CSV.
        """
        state, folder, reviewer = self._state, self._state.store, self._state.reviewer
        if folder is None or not (folder / STORE).is_file():
            state.complain("There are no decisions to export yet.")
            return None

        def work() -> Work[int]:
            yield Progress(f"writing {table.name}")
            with DecisionStore(folder / STORE, reviewer) as store:
                return export_decisions(store, table)

        def done(steps: int) -> None:
            state.tell(f"{_steps(steps)} written to {table}")

        return Job("Exporting the decisions", work, done)

    def import_job(self, table: Path) -> Job | None:
        """Add the steps of a table that are not in the store yet.

        Nothing is overwritten: they are added at the end, all or none.
        """
        state, folder, reviewer = self._state, self._state.store, self._state.reviewer
        refusal = self._no_import()
        if folder is None or refusal:
            state.complain(refusal)
            return None

        def work() -> Work[Imported]:
            yield Progress(f"reading {table.name}")
            read_decisions(table)  # a refused table leaves no empty store behind
            yield Progress("adding what is new")
            with DecisionStore(folder / STORE, reviewer) as store:
                return import_decisions(store, table)

        def done(found: Imported) -> None:
            if state.store == folder:
                self._look_again()
            state.tell(imported_text(found))

        return Job("Importing decisions", work, done, protected=True)

    def _no_import(self) -> str:
        state = self._state
        if state.store is None:
            return "Choose a folder for the decisions first."
        if state.as_of is not None:
            return f"Shown as of step {state.as_of}: press Now first."
        return ""

    def export_command(self, table: Path) -> str:
        """Return the command that writes the same table."""
        words = ("export", str(self._state.store), "--out", str(table))
        return shlex.join(("python", "-m", "training", "decisions", *words))

    def import_command(self, table: Path) -> str:
        """Return the command that takes the same table."""
        words = ("import", str(table), "--into", str(self._state.store))
        return shlex.join(("python", "-m", "training", "decisions", *words))


def imported_text(found: Imported) -> str:
    """Return what an import did as a sentence."""
    known = found.steps - found.added
    who = ", ".join(found.reviewers)
    return (
        f"Of {_steps(found.steps)} by {who or 'nobody'} {found.added:,} were added, "
        f"{known:,} were present already, none was refused."
    )


def _steps(n: int) -> str:
    return "1 step" if n == 1 else f"{n:,} steps"
