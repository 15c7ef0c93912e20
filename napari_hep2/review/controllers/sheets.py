"""Verbs that put the cells shown on a picture sheet."""

from __future__ import annotations

import shlex
from pathlib import Path

from napari_hep2.jobs import Job, Work
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.measuring import told
from napari_hep2.state import SessionState
from training.curation.filtering import Choice, Said
from training.curation.review_set import ReviewSet, verdict_codes
from training.errors import Hep2Error
from training.reports.sheets.files import Written, check_name
from training.reports.sheets.making import Shown, sheet_steps

BLIND = "A sheet names specimens: turn blind mode off first."
NO_CELL = "No cell is shown: choose another filter."


class SheetController:
    """Draws what the gallery shows, and names the command that does the same.

    Parameters
    ----------
    state
        Read; good and bad news are written.
    review
        Tells by what the cells shown were chosen.
    """

    def __init__(self, state: SessionState, review: ReviewController) -> None:
        self._state, self._review = state, review

    def refusal(self) -> str:
        """Return why no sheet can be made now, or an empty string."""
        if self._state.review is None or not len(self._state.shown):
            return NO_CELL
        return BLIND if self._state.blind else ""

    def sheet_job(self, path: Path) -> Job | None:
        """Draw the cells shown, with their filters, order, groups and contrast.

        Parameters
        ----------
        path
            Ends in ``.png`` or ``.pdf``.
        """
        state, review = self._state, self._state.review
        refusal = self.refusal()
        if review is None or refusal:
            state.complain(refusal)
            return None
        try:
            check_name(path)
        except Hep2Error as fault:
            state.complain(fault)
            return None
        shown = self._shown(review)

        def work() -> Work[Written]:
            return told(f"drawing {path.name}", sheet_steps(path, shown))

        def done(made: Written) -> None:
            count, pages = made.provenance["shown"], made.pages
            text = f"{count:,} cell{'' if count == 1 else 's'} drawn on "
            text += "1 page" if pages == 1 else f"{pages} pages"
            state.tell(f"{text}: {path}")

        return Job("Picture sheet", work, done)

    def _shown(self, review: ReviewSet) -> Shown:
        """Return what is shown now; what the state holds is replaced, never changed."""
        state = self._state
        codes = verdict_codes(review, state.decisions)
        return Shown(
            Said(review, codes, state.decisions, state.marks),
            self._review.choice(),
            state.shown,
            state.headings,
            state.limits if state.contrast == "specimen" else None,
            state.reviewer,
            self._step(),
        )

    def _step(self) -> int:
        as_of = self._state.as_of
        return self._review.last_step if as_of is None else as_of

    def no_command(self) -> str:
        """Return why no command makes the same sheet, or an empty string."""
        review, choice = self._state.review, self._review.choice()
        if review is None or not review.is_folder:
            return "A command draws the cells of a cell folder, not of the open frame."
        called = choice.pattern is not None and choice.pattern.kind == "predicted"
        if called or choice.sort in ("uncertainty", "suspicion"):
            return "There is no command for scores that are loaded in this window."
        return ""

    def command(self, path: Path) -> str:
        """Return the command that makes the same sheet, or '' where none does."""
        state, review = self._state, self._state.review
        if review is None or review.store is None or self.no_command():
            return ""
        words = ["python", "-m", "training", "sheet", str(review.store)]
        words += ["--out", str(path), *_options(self._review.choice(), review)]
        if state.contrast == "specimen":
            words += ["--contrast", "specimen"]
        if state.store is not None and state.store != review.store:
            words += ["--decisions", str(state.store)]
        if self._step():
            words += ["--reviewer", state.reviewer, "--as-of", str(self._step())]
        return shlex.join(words)


def _options(choice: Choice, review: ReviewSet) -> list[str]:
    """Return the options of ``sheet`` for a choice, without those not chosen."""
    pattern = choice.pattern
    given = {
        "--filter": "" if choice.filter == "all" else choice.filter,
        "--pattern": "" if pattern is None else review.vocabulary[pattern.index].name,
        "--specimen": choice.specimen,
        "--reason": choice.reason,
        "--sort": "" if choice.sort == "order" else choice.sort,
        "--like": choice.like,
        "--group": "" if choice.group == "none" else choice.group,
    }
    words = [
        word for option, value in given.items() if value for word in (option, value)
    ]
    return [*words, "--descending"] if choice.descending else words
