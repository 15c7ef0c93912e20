"""Verbs on what others said and what stood before: agreement, history, the past."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from napari_hep2.controllers.decisions import DecisionVerbs
from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review_set import ReviewSet
from training.agreement import agreement_text, compare, disagreements
from training.data.curation import Decision, Mark
from training.data.decisions import event_text
from training.data.reviewed import STORE
from training.errors import Hep2Error

_SEED = 0
_Decisions = tuple[Decision, ...]
_Past = tuple[int, dict[str, Decision], dict[str, Mark], dict[str, _Decisions]]


class ReaderVerbs(DecisionVerbs):
    """What is known of other reviewers and of the past, without changing either."""

    _now: tuple[
        Mapping[str, Decision], Mapping[str, Mark], Mapping[str, tuple[Decision, ...]]
    ]

    # -- others

    def set_blind(self, on: bool) -> None:
        """Hide what other reviewers said, and names of specimens and frames, or not."""
        self._state.blind = on
        self._show_others()
        self.refresh()

    def refresh_store(self) -> None:
        """Show what another window or reviewer has written meanwhile.

        Meant to be called by a timer: it costs one look into the file where nothing is
        new.
        """
        state, store = self._state, self._store
        if state.store is None or state.review is None or state.as_of is not None:
            return
        try:
            if store is None:
                if (state.store / STORE).is_file() and self._connect(state.store):
                    self._reload()
            elif store.last_step != self._seen:
                self._absorb(store)
        except Hep2Error as fault:
            state.complain(fault)

    def disagreements(self) -> npt.NDArray[np.int64]:
        """Return (m,) int64, the rows that two reviewers say different things of.

        It tells which cells and not what was said, so a blind reviewer may use it.
        """
        review, mine = self._state.review, self._state.decisions
        if review is None:
            return np.empty(0, np.int64)
        standing = {
            cell: (*theirs, mine[cell]) if cell in mine else theirs
            for cell, theirs in self._opinions.items()
        }
        found = disagreements(standing, _patterns(review))
        rows = [review.row_of[cell] for cell in found if cell in review.row_of]
        return np.array(sorted(rows), np.int64)

    def compare_reviewers(self, show: Callable[[list[str]], None]) -> Job | None:
        """Compare the reviewer with each other one; `show` gets the sentences.

        It tells how far they agree and not on what, so that both still read blind.
        """
        store, review, name = self._store, self._state.review, self._state.reviewer
        others = [n for n in store.reviewers() if n != name] if store else []
        if store is None or review is None or not others:
            show([])
            return None
        mine = store.current()
        theirs = {other: store.current(other) for other in others}

        def work() -> Work[list[str]]:
            patterns, specimens = _patterns(review), _specimens(review)
            lines: list[str] = []
            for other, decisions in theirs.items():
                yield Progress(f"comparing with {other}")
                rng = np.random.default_rng(_SEED)
                found = compare(mine, decisions, rng, patterns, specimens)
                lines += agreement_text(name, other, found)
            return lines

        return Job("Comparing reviewers", work, show)

    # -- the past

    def history(self) -> list[str]:
        """Return all that was done to the current cell, a line an event, oldest first.

        A blind reviewer gets their own lines alone.
        """
        state, store = self._state, self._store
        if store is None or state.review is None or state.current is None:
            return []
        try:
            events = store.history(str(state.review.ids[state.current]))
        except Hep2Error as fault:
            state.complain(fault)
            return []
        hidden = state.blind
        shown = [e for e in events if not hidden or e.reviewer == state.reviewer]
        return [event_text(event) for event in shown]

    @property
    def last_step(self) -> int:
        """The number of the last step of the store, 0 where there is none."""
        return self._seen

    def show_as_of(self, step: int | None) -> Job | None:
        """Show decisions and marks as they stood after a step, for reading only.

        Parameters
        ----------
        step
            From 0 to `last_step`; None goes back to now.
        """
        state, review = self._state, self._state.review
        if step is None or self._store is None or state.store is None:
            self._come_back()
            return None
        wanted, path = min(max(step, 0), self._seen), state.store / STORE
        reviewer = state.reviewer

        def work() -> Work[_Past]:
            yield Progress(f"going back to step {wanted}")
            with self._open_store(path, reviewer) as store:
                others: dict[str, _Decisions] = {}
                for name in store.reviewers():
                    if name != reviewer:
                        _add(others, store.at(wanted, name))
                return wanted, store.at(wanted), store.marks(step=wanted), others

        def done(past: _Past) -> None:
            if state.review is review and state.reviewer == reviewer:
                self._show_past(past)

        return Job("Going back", work, done)

    def _show_past(self, past: _Past) -> None:
        state = self._state
        if state.as_of is None:
            self._now = state.decisions, state.marks, self._opinions
        state.as_of, decisions, state.marks, self._opinions = past
        self._show_decisions(decisions)
        self._show_others()
        self.refresh()
        state.saved = f"as of step {past[0]}"

    def _come_back(self) -> None:
        """Show again how it stands, with what was done meanwhile."""
        state, store = self._state, self._store
        if state.as_of is None or store is None:
            return
        decisions, state.marks, self._opinions = self._now
        state.as_of, state.saved = None, ""
        self._show_decisions(decisions)
        self._show_others()
        try:
            self._absorb(store)
        except Hep2Error as fault:
            state.complain(fault)


def _add(found: dict[str, _Decisions], decisions: Mapping[str, Decision]) -> None:
    for cell, decision in decisions.items():
        found[cell] = (*found.get(cell, ()), decision)


def _patterns(review: ReviewSet) -> dict[str, str]:
    """Return the name of the specimen's pattern of each cell, '' where not known."""
    names = ["", *(pattern.name for pattern in review.vocabulary)]
    index = review.pattern_index.tolist()
    return {str(c): names[k + 1] for c, k in zip(review.ids, index, strict=True)}


def _specimens(review: ReviewSet) -> dict[str, str]:
    names = review.table["specimen"].astype(str).tolist()
    return dict(zip(map(str, review.ids), names, strict=True))
