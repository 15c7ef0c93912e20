"""Verbs that write the decisions to a table and take them from one."""

from __future__ import annotations

from pathlib import Path

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.state import SessionState
from training.config.commands import command_line
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
    session
        Read; good and bad news are written.
    review
        Shows, after an import, what the store holds now.
    """

    def __init__(self, session: SessionState, review: ReviewController) -> None:
        self._session, self._review = session, review

    def export_job(self, table: Path) -> Job | None:
        """Write every step, with who, when, what and why, to CSV or Parquet.

        Parameters
        ----------
        table
            Parquet where its name ends so, else CSV.
        """
        session = self._session
        folder, reviewer = session.store, session.reviewer
        if folder is None or not (folder / STORE).is_file():
            session.complain("There are no decisions to export yet.")
            return None

        def work() -> Work[int]:
            yield Progress(f"writing {table.name}")
            with DecisionStore(folder / STORE, reviewer) as store:
                return export_decisions(store, table)

        def done(steps: int) -> None:
            session.tell(f"{_steps(steps)} written to {table}")

        return Job("Exporting the decisions", work, done)

    def import_job(self, table: Path) -> Job | None:
        """Add the steps of a table that are not in the store yet.

        Nothing is overwritten: they are added at the end, all or none.
        """
        session = self._session
        folder, reviewer = session.store, session.reviewer
        refusal = self._no_import()
        if folder is None or refusal:
            session.complain(refusal)
            return None

        def work() -> Work[Imported]:
            yield Progress(f"reading {table.name}")
            read_decisions(table)  # a refused table leaves no empty store behind
            yield Progress("adding what is new")
            with DecisionStore(folder / STORE, reviewer) as store:
                return import_decisions(store, table)

        def done(found: Imported) -> None:
            if session.store == folder:
                self._review.decision_session.refresh()
            session.tell(imported_text(found))

        return Job("Importing decisions", work, done, protected=True)

    def _no_import(self) -> str:
        session = self._session
        if session.store is None:
            return "Choose a folder for the decisions first."
        as_of = self._review.state.as_of
        if as_of is not None:
            return f"Shown as of step {as_of}: press Now first."
        return ""

    def export_command(self, table: Path) -> str:
        """Return the command that writes the same table."""
        return command_line("decisions", "export", self._session.store, out=table)

    def import_command(self, table: Path) -> str:
        """Return the command that takes the same table."""
        return command_line("decisions", "import", table, into=self._session.store)


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
