"""Verbs on what others said and what stood before: agreement, history, the past."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.decisions import DecisionVerbs
from napari_hep2.review.controllers.snapshot import MANY, Standing, read_standing
from training.curation.ordering import (
    OPEN,
    SETTLED,
    apart,
    own_patterns,
    votes_of,
)
from training.curation.review_set import ReviewSet
from training.decisions.agreement import agreement_text, compare
from training.decisions.applied import STORE
from training.decisions.consensus import apart_text, settle, settled_text
from training.decisions.model import event_text
from training.errors import Hep2Error

_SEED = 0


class ReaderVerbs(DecisionVerbs):
    """Read-only views of other reviewers' decisions and of earlier steps."""

    _now: Standing

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
                if (state.store / STORE).is_file() and not state.busy:
                    self.use_store(state.store)
            elif news := store.news(self._seen):
                if news < MANY:
                    self._absorb(store)
                elif not state.busy:
                    self._start(self._reading(state.store))
        except Hep2Error as fault:
            state.complain(fault)

    def compare_reviewers(self, show: Callable[[list[str]], None]) -> Job | None:
        """Compare the reviewer with each other one; `show` gets the sentences.

        It tells how far they agree and not on what, so that both still read blind.
        """
        store, review, name = self._store, self._state.review, self._state.reviewer
        folder = self._state.store
        others = [n for n in store.reviewers() if n != name] if store else []
        if folder is None or review is None or not others:
            show([])
            return None
        standing, codes, opinions = self._standing, self._codes, self._opinions

        def work() -> Work[list[str]]:
            patterns, specimens = _patterns(review), _specimens(review)
            lines: list[str] = []
            with self._open_store(folder / STORE, name) as read:
                mine = read.current()
                for other in others:
                    yield Progress(f"comparing with {other}")
                    rng = np.random.default_rng(_SEED)
                    theirs = read.current(other)
                    result = compare(mine, theirs, rng, patterns, specimens)
                    lines += agreement_text(name, other, result)
            own = own_patterns(review, codes, standing)
            found = apart(review, codes, own, votes_of(review, opinions.readers))
            settled, left = (int((found == code).sum()) for code in (SETTLED, OPEN))
            return [*lines, apart_text(settled, left)]

        return Job("Comparing reviewers", work, show)

    def settled_of_current(self) -> str:
        """Return how a disagreement on the current cell stands, '' without one.

        A blind reviewer is not told.
        """
        state, review = self._state, self._state.review
        if review is None or state.current is None or state.blind:
            return ""
        cell = str(review.ids[state.current])
        mine = state.decisions.get(cell)
        said = (*state.others.get(cell, ()), *([mine] if mine else []))
        return settled_text(settle(said, str(review.table["pattern"][state.current])))

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
        wanted, folder = min(max(step, 0), self._seen), state.store
        reviewer = state.reviewer
        if review is None:
            return None

        def work() -> Work[Standing]:
            yield Progress(f"loading step {wanted}")
            with self._open_store(folder / STORE, reviewer) as store:
                return read_standing(store, review, wanted)

        def done(past: Standing) -> None:
            if state.review is review and state.reviewer == reviewer:
                self._show_past(past)

        return Job("Loading an earlier step", work, done)

    def _show_past(self, past: Standing) -> None:
        state, seen = self._state, self._seen
        if state.as_of is None:
            self._now = Standing(
                self._store,
                state.reviewer,
                seen,
                self._standing,
                state.marks,
                self._opinions,
                self._codes,
            )
        state.as_of = past.step
        self._show(past)
        self._seen = seen
        self.refresh()
        state.saved = f"as of step {past.step}"

    def _come_back(self) -> None:
        """Show again how it stands, with what was done meanwhile."""
        state, store = self._state, self._store
        if state.as_of is None or store is None:
            return
        state.as_of, state.saved = None, ""
        self._show(self._now)
        try:
            self._absorb(store)
        except Hep2Error as fault:
            state.complain(fault)


def _patterns(review: ReviewSet) -> dict[str, str]:
    """Return the name of the specimen's pattern of each cell, '' where not known."""
    names = ["", *(pattern.name for pattern in review.vocabulary)]
    index = review.pattern_index.tolist()
    return {str(c): names[k + 1] for c, k in zip(review.ids, index, strict=True)}


def _specimens(review: ReviewSet) -> dict[str, str]:
    names = review.table["specimen"].astype(str).tolist()
    return dict(zip(map(str, review.ids), names, strict=True))
