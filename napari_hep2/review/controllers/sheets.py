"""Verbs that put the cells shown on a picture sheet."""

from __future__ import annotations

from pathlib import Path

from napari_hep2.jobs import Job, Work, reported
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.state import SessionState
from training.config.commands import command_line
from training.curation.filtering import Said
from training.curation.review_set import ReviewSet
from training.errors import Hep2Error
from training.reports.sheets.files import Written, check_name
from training.reports.sheets.making import Shown, sheet_steps

BLIND = "A sheet names specimens: turn blind mode off first."
NO_CELL = "No cell is shown: choose another filter."


class SheetController:
    """Draws what the gallery shows, and names the command that does the same.

    Parameters
    ----------
    session
        Read; good and bad news are written.
    review
        By what the cells shown were chosen.
    """

    def __init__(self, session: SessionState, review: ReviewController) -> None:
        self._session, self._review = session, review

    def refusal(self) -> str:
        """Return why no sheet can be made now, or an empty string."""
        if self._session.review is None or not len(self._review.state.shown):
            return NO_CELL
        return BLIND if self._session.blind else ""

    def sheet_job(self, path: Path) -> Job | None:
        """Draw the cells shown, with their filters, order, groups and contrast.

        Parameters
        ----------
        path
            Ends in ``.png`` or ``.pdf``.
        """
        session, review = self._session, self._session.review
        refusal = self.refusal()
        if review is None or refusal:
            session.complain(refusal)
            return None
        try:
            check_name(path)
        except Hep2Error as fault:
            session.complain(fault)
            return None
        shown = self._shown(review)

        def work() -> Work[Written]:
            return reported(f"drawing {path.name}", sheet_steps(path, shown))

        def done(made: Written) -> None:
            count, pages = made.provenance["shown"], made.pages
            text = f"{count:,} cell{'' if count == 1 else 's'} drawn on "
            text += "1 page" if pages == 1 else f"{pages} pages"
            session.tell(f"{text}: {path}")

        return Job("Picture sheet", work, done)

    def _shown(self, review: ReviewSet) -> Shown:
        """Return what is shown now; what the state holds is replaced, never changed."""
        state, snapshot = self._review.state, self._review.decision_session.shown
        return Shown(
            Said(review, snapshot.codes, snapshot.decisions, snapshot.marks),
            self._review.order.choice(),
            state.shown,
            state.headings,
            state.limits if state.contrast == "specimen" else None,
            snapshot.reviewer,
            snapshot.step,
        )

    def no_command(self) -> str:
        """Return why no command makes the same sheet, or an empty string."""
        review, choice = self._session.review, self._review.order.choice()
        if review is None or not review.is_folder:
            return "A command draws the cells of a cell folder, not of the open frame."
        called = choice.pattern is not None and choice.pattern.kind == "predicted"
        if called or choice.sort in ("uncertainty", "suspicion"):
            return "There is no command for scores that are loaded in this window."
        if choice.filter == "proposed" or choice.group == "reason":
            return "There is no command for what is proposed in this window."
        return ""

    def command(self, path: Path) -> str:
        """Return the command that makes the same sheet, or '' where none does."""
        session, review = self._session, self._session.review
        if review is None or review.store is None or self.no_command():
            return ""
        choice, contrast = self._review.order.choice(), self._review.state.contrast
        pattern, step = choice.pattern, self._review.decision_session.shown.step
        return command_line(
            "sheet",
            review.store,
            out=path,
            filter=choice.filter if choice.filter != "all" else None,
            pattern=review.vocabulary[pattern.index].name if pattern else None,
            specimen=choice.specimen,
            reason=choice.reason,
            sort=choice.sort if choice.sort != "order" else None,
            like=choice.like,
            group=choice.group if choice.group != "none" else None,
            descending=choice.descending,
            contrast=contrast if contrast == "specimen" else None,
            decisions=session.store if session.store != review.store else None,
            reviewer=session.reviewer if step else None,
            as_of=step or None,
        )
