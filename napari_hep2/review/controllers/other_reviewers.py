"""Other reviewers and the past: agreement, consensus, history, an earlier step."""

from __future__ import annotations

from collections.abc import Callable

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.controllers.snapshot import Snapshot
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.ordering import OPEN, SETTLED, apart, own_patterns, votes_of
from training.curation.review_set import ReviewSet
from training.decisions.agreement import agreement_text, compare
from training.decisions.applied import STORE
from training.decisions.consensus import apart_text, settle, settled_text
from training.decisions.model import event_text
from training.errors import Hep2Error


class OtherReviewers:
    """Read-only views of other reviewers' decisions and of earlier steps."""

    def __init__(
        self, session: SessionState, state: ReviewState, decisions: DecisionSession
    ) -> None:
        self._session, self._state, self._decisions = session, state, decisions

    def compare(self, show: Callable[[list[str]], None]) -> Job | None:
        """Compare the reviewer with each other one; `show` gets the sentences.

        They show how far reviewers agree and not on what, so that both still decide
        blind.
        """
        session, review, name = (
            self._session,
            self._session.review,
            self._session.reviewer,
        )
        store, folder, shown = (
            self._decisions.store,
            session.store,
            self._decisions.shown,
        )
        others = [n for n in store.reviewers() if n != name] if store else []
        if folder is None or review is None or not others:
            show([])
            return None

        def work() -> Work[list[str]]:
            patterns, specimens = _patterns(review), _specimens(review)
            lines: list[str] = []
            with self._decisions.open_store(folder / STORE, name) as read:
                mine = read.current()
                for other in others:
                    yield Progress(f"comparing with {other}")
                    theirs = read.current(other)
                    result = compare(mine, theirs, patterns, specimens)
                    lines += agreement_text(name, other, result)
            return [*lines, _consensus_line(review, shown)]

        return Job("Comparing reviewers", work, show)

    def consensus_of_current(self) -> str:
        """Return the consensus on the current cell, '' without a disagreement.

        A blind reviewer gets none.
        """
        session, row = self._session, self._session.current
        cell, review = session.current_cell, session.review
        if review is None or row is None or cell is None or session.blind:
            return ""
        mine = session.decisions.get(cell)
        all_of_it = (*self._state.others.get(cell, ()), *([mine] if mine else []))
        pattern = str(review.table["pattern"][row])
        return settled_text(settle(all_of_it, pattern))

    def history_of_current(self) -> list[str]:
        """Return all that was done to the current cell, a line an event, oldest first.

        A blind reviewer gets their own lines alone.
        """
        session, store = self._session, self._decisions.store
        cell = session.current_cell
        if store is None or cell is None:
            return []
        try:
            events = store.history(cell)
        except Hep2Error as fault:
            session.complain(fault)
            return []
        return [
            event_text(event)
            for event in events
            if not session.blind or event.reviewer == session.reviewer
        ]


def _consensus_line(review: ReviewSet, shown: Snapshot) -> str:
    """Return on how many cells reviewers disagree, with and without a consensus."""
    own = own_patterns(review, shown.codes, shown.decisions)
    votes = votes_of(review, shown.opinions.readers)
    found = apart(review, shown.codes, own, votes)
    return apart_text(*(int((found == code).sum()) for code in (SETTLED, OPEN)))


def _patterns(review: ReviewSet) -> dict[str, str]:
    """Return the name of the specimen's pattern of each cell, '' where not known."""
    names = ["", *(pattern.name for pattern in review.vocabulary)]
    index = review.pattern_index.tolist()
    return {str(c): names[k + 1] for c, k in zip(review.ids, index, strict=True)}


def _specimens(review: ReviewSet) -> dict[str, str]:
    names = review.table["specimen"].astype(str).tolist()
    return dict(zip(map(str, review.ids), names, strict=True))
