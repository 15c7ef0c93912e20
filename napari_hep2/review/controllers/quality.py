"""Verbs on the quality of the cells under review: measure it, propose rejections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.state import SessionState
from training.config import QualitySettings
from training.config.commands import command_line
from training.curation.filtering import PROPOSED
from training.curation.proposals import propose_rejections
from training.curation.quality import measure_quality_parts
from training.curation.review_set import ReviewSet
from training.data.cells.masks import NucleusMasks, cut_masks, nucleus_masks
from training.decisions.model import REASONS

if TYPE_CHECKING:
    from training.curation.quality import Masks


class QualityController:
    """Measures cells and selects those whose rejection is proposed; decides nothing.

    Parameters
    ----------
    session
        Read and written, in the window's thread alone.
    review
        Filters and selects.

    Attributes
    ----------
    settings
        The limits by which rejections are proposed next.
    proposed
        Says that other rejections are proposed than before.
    """

    proposed: ClassVar[Signal] = Signal()

    def __init__(self, session: SessionState, review: ReviewController) -> None:
        self.settings = QualitySettings()
        self._session, self._review = session, review
        self._of: ReviewSet | None = None
        self._quality = pd.DataFrame()
        self._made = 0
        self._proposed: dict[int, tuple[str, str]] = {}

    def measure_job(self) -> Job:
        """Measure every cell under review, then propose rejections.

        The measures go to ``measures`` of the review's state.
        """
        review, masks, settings = self._session.review, self._masks(), self.settings

        def work() -> Work[tuple[pd.DataFrame, pd.DataFrame, int]]:
            if review is None:
                return pd.DataFrame(), pd.DataFrame(), 0
            found = _masks_of_folder(review) if masks is None else masks
            parts = []
            steps = measure_quality_parts(review.crops, found, review.table)
            for share, part in steps:
                parts.append(part)
                yield Progress("measuring quality", share)
            quality = pd.concat(parts) if parts else pd.DataFrame()
            proposals = propose_rejections(quality, settings, review.table)
            made = found.made if isinstance(found, NucleusMasks) else 0
            return quality, proposals, made

        def done(found: tuple[pd.DataFrame, pd.DataFrame, int]) -> None:
            session = self._session
            if review is None or session.review is not review:
                session.complain(
                    "Other cells are under review now; measure them again."
                )
                return
            quality, proposals, self._made = found
            self._of, self._quality = review, quality
            # The gallery sorts by the brightness of the crop, known without a mask.
            names = [str(name) for name in quality if name != "brightness"]
            arrays = {name: quality[name].to_numpy() for name in names}
            self._review.state.measures = {**self._review.state.measures, **arrays}
            self._propose(proposals)

        return Job("Measuring quality", work, done)

    def show_proposed(self) -> Job | None:
        """Show the undecided cells whose rejection is proposed, by reason.

        They are measured first where they were not.
        """
        if self.is_measured:
            self._review.order.set_filter("proposed")
            return None
        measuring = self.measure_job()

        def done(found: object) -> None:
            measuring.done(found)
            if self.is_measured:
                self._review.order.set_filter("proposed")

        return replace(measuring, done=done)

    def propose_anew(self, settings: QualitySettings) -> Job | None:
        """Propose by other limits; what was measured stays.

        Before the cells are measured the limits are kept for then.
        """
        self.settings = settings
        review, quality = self._measured(), self._quality
        if review is None:
            self._session.complain("Measure the quality of the cells first.")
            return None

        def work() -> Work[pd.DataFrame]:
            yield Progress("comparing with the limits")
            return propose_rejections(quality, settings, review.table)

        def done(proposals: pd.DataFrame) -> None:
            if self._session.review is not review:
                self._session.complain("Other cells are under review now.")
                return
            self._propose(proposals)

        return Job("Proposing again", work, done)

    def command(self) -> str:
        """Return the command that proposes the same, or '': no cell folder is open."""
        review = self._session.review
        if review is None or not review.is_folder:
            return ""
        return command_line(
            "quality", review.store, out="quality.csv", changed=[self.settings]
        )

    def proposals(self) -> pd.DataFrame:
        """Return the proposals that the reviewer has not decided on yet.

        Returns
        -------
        proposals
            ``row`` of the review, ``reason`` (a code of `REASONS`), ``why`` (sentences
            with the figures); empty before the cells are measured.
        """
        review, decisions = self._measured(), self._session.decisions
        open_ones = [
            (row, *said)
            for row, said in self._proposed.items()
            if review is not None and str(review.ids[row]) not in decisions
        ]
        return pd.DataFrame(open_ones, columns=["row", "reason", "why"])

    @property
    def is_measured(self) -> bool:
        """Return whether the cells under review were measured."""
        return self._measured() is not None

    def why(self, row: int) -> str:
        """Return why the rejection of a cell is proposed, or an empty string."""
        return self._proposed.get(row, ("", ""))[1] if self._measured() else ""

    def propose_rejections(self, reason: str | None = None) -> int:
        """Select the undecided cells that are proposed for a reason; decide nothing.

        Parameters
        ----------
        reason
            A code of `REASONS`, or None for the one with most proposals.

        Returns
        -------
        count
            Of the cells selected. `reason_of_selection` is then `reason`.
        """
        session = self._session
        if self._measured() is None:
            session.complain("Measure the quality of the cells first.")
            return 0
        self._review.order.set_filter("undecided")
        left = self.proposals()
        left = left[left["row"].isin(self._review.state.shown)]
        if reason is None and len(left):
            reason = str(left["reason"].value_counts().index[0])
        rows = [int(row) for row in left["row"][left["reason"] == reason]]
        if not rows:
            session.tell("No undecided cell shown is proposed for rejection.")
            return 0
        first = self._review.state.shown[np.isin(self._review.state.shown, rows)][0]
        self._review.navigation.select(int(first), rows)
        session.tell(
            f"{len(rows):,} selected, {REASONS[reason or '']}: review them, deselect "
            "the good ones, then reject."
        )
        return len(rows)

    def reason_of_selection(self) -> str | None:
        """Return the reason that all selected cells are proposed for, or None."""
        found = {self._proposed.get(row, ("", ""))[0] for row in self._session.selected}
        one = found.pop() if len(found) == 1 and self._measured() else ""
        return one or None

    def _measured(self) -> ReviewSet | None:
        """Return the cells under review if it is they that were measured."""
        review = self._session.review
        return review if review is not None and review is self._of else None

    def _propose(self, proposals: pd.DataFrame) -> None:
        columns = (proposals[name].tolist() for name in ("row", "reason", "why"))
        self._proposed = {
            int(row): (reason, why) for row, reason, why in zip(*columns, strict=True)
        }
        reasons = np.full(len(self._quality), np.nan)
        codes = proposals["reason"].map(list(REASONS).index)
        reasons[proposals["row"]] = codes.to_numpy(np.float64)
        state = self._review.state
        state.measures = {**state.measures, PROPOSED: reasons}
        self._review.order.refresh()
        counts = proposals["reason"].value_counts()
        by_reason = ", ".join(f"{n} {REASONS[str(code)]}" for code, n in counts.items())
        text = (
            f"{len(proposals):,} of {len(self._quality):,} cells proposed for rejection"
        )
        text += f": {by_reason}." if by_reason else "."
        if self._made:
            text += f" {self._made:,} masks were made from crops and are less reliable."
        self._session.tell(text)
        self.proposed.emit()

    def _masks(self) -> Masks | None:
        """Return the masks of the open frame, where its cells are under review."""
        review, frame = self._session.review, self._session.cells
        if review is None or frame is None or review.is_folder:
            return None
        return cut_masks(frame.labels, review.table, review.crops.shape[1])


def _masks_of_folder(review: ReviewSet) -> NucleusMasks:
    return nucleus_masks(review.crops, review.table, review.root)
