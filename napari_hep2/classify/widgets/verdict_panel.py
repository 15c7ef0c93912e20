"""The verdict on a specimen: the model's, and beside it the one with decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_hep2.classify.widgets.words import (
    CORRECTED,
    VerdictWords,
    risk_text,
    tell_verdict,
)
from napari_hep2.common.parts import ALARM, draw_chip, pattern_pixmap, row, text_label
from training.evaluation.decided_verdict import DecidedVerdict
from training.evaluation.verdict import SpecimenVerdict
from training.inference.cards import NOTICE, SIMULATED, ModelCard
from training.patterns import Pattern, Vocabulary

_CHIP = 16
_LARGE, _SMALL = 1.6, 1.1
"""Heights of a title, as shares of the height of the text."""


class ShareBars(QWidget):
    """One bar a pattern: letter, name, number of cells and their share."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[tuple[Pattern, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def _line(self) -> int:
        """Height of a line, in pixels."""
        return max(_CHIP + 6, self.fontMetrics().height() + 4)

    def show_counts(self, counts: list[tuple[Pattern, int]]) -> None:
        """Show the number of cells of each pattern."""
        self.counts = counts
        self.setAccessibleName(
            ", ".join(f"{pattern.title} {n}" for pattern, n in counts)
        )
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the height of all lines."""
        return QSize(260, self._line * max(len(self.counts), 1))

    def minimumSizeHint(self) -> QSize:
        """Return the least size in which names and numbers stand beside each other."""
        return QSize(220, self._line * max(len(self.counts), 1))

    def paintEvent(self, _event: Any) -> None:
        """Draw the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(n for _, n in self.counts)
        for k, (pattern, n) in enumerate(self.counts):
            self._draw_line(painter, k * self._line, pattern, n, total)
        painter.end()

    def _draw_line(
        self, painter: QPainter, top: int, pattern: Pattern, n: int, total: int
    ) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter
        draw_chip(
            painter, QRect(0, top + 4, _CHIP, _CHIP), pattern.letter, pattern.colour
        )
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        metrics = self.fontMetrics()
        names = max(metrics.horizontalAdvance(p.title) for p, _ in self.counts)
        texts = [_number_text(count, total) for _, count in self.counts]
        numbers = max(metrics.horizontalAdvance(text) for text in texts)
        left = _CHIP + 8
        painter.drawText(QRect(left, top, names + 4, self._line), middle, pattern.title)
        start = left + names + 10
        room = max(self.width() - start - numbers - 12, 20)
        self._draw_bar(painter, QRect(start, top + 7, room, 10), pattern, n, total)
        painter.setPen(ink)
        place = QRect(self.width() - numbers - 6, top, numbers + 4, self._line)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(place, middle | right, _number_text(n, total))

    def _draw_bar(
        self, painter: QPainter, space: QRect, pattern: Pattern, n: int, total: int
    ) -> None:
        faint = QColor(self.palette().windowText().color())
        faint.setAlpha(40)
        painter.fillRect(space, faint)
        filled = QRect(space)
        filled.setWidth(round(space.width() * n / total) if total else 0)
        painter.fillRect(filled, QColor(pattern.colour))


def _number_text(n: int, total: int) -> str:
    return f"{n:,}  {n / total:.0%}" if total else ""


class VerdictColumn(QWidget):
    """One verdict in words."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.caption = QLabel()
        self.caption.setMinimumWidth(60)
        self.chip, self.title = QLabel(), QLabel()
        self.title.setWordWrap(True)
        self.title.setMinimumWidth(60)
        self.title.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.group, self.probability, self.reason, self.second, self.note = (
            text_label() for _ in range(5)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.caption)
        head = row(self.chip, self.title)
        head.setStretch(1, 1)
        layout.addLayout(head)
        for part in self._texts():
            layout.addWidget(part)
        layout.addStretch(1)

    def _texts(self) -> tuple[QLabel, ...]:
        return (self.group, self.probability, self.reason, self.second, self.note)

    def show_words(self, words: VerdictWords, caption: str, note: str = "") -> None:
        """Show a verdict; `caption` says whose it is where there are two."""
        self._fill(words.title, words.pattern, caption)
        reason = words.reason
        if "cells" not in reason:
            reason = f"{reason} {words.cells}"
        texts = (words.group, words.probability, reason, words.second, note)
        for part, text in zip(self._texts(), texts, strict=True):
            part.setText(text)
            part.setVisible(bool(text))

    def show_nothing(self, title: str) -> None:
        """Show a title alone."""
        self._fill(title, None, "")
        for part in self._texts():
            part.setText("")
            part.setVisible(False)

    def _fill(self, title: str, pattern: Pattern | None, caption: str) -> None:
        share = _SMALL if caption else _LARGE
        size = round(share * self.caption.fontMetrics().ascent())
        self.title.setStyleSheet(f"font-size: {size}px; font-weight: bold;")
        self.title.setText(title)
        self.caption.setText(caption)
        self.caption.setVisible(bool(caption))
        self.chip.setVisible(pattern is not None)
        if pattern is not None:
            self.chip.setPixmap(pattern_pixmap(pattern, size + 8))


class VerdictPanel(QFrame):
    """The verdict on the specimen, or why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("verdict")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.model, self.yours = VerdictColumn("by_model"), VerdictColumn("by_you")
        self.yours.setVisible(False)
        self.alarm = text_label(SIMULATED)
        self.alarm.setStyleSheet(ALARM)
        self.alarm.setVisible(False)
        self.frames, self.risk = text_label(), text_label()
        self.bars = ShareBars()
        self.notice = text_label(NOTICE)
        bold = self.notice.font()
        bold.setBold(True)
        self.notice.setFont(bold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(5)
        layout.addWidget(self.alarm)
        beside = row(self.model, self.yours, spacing=10)
        beside.setStretch(0, 1)
        beside.setStretch(1, 1)
        layout.addLayout(beside)
        for part in (self.frames, self.risk, self.bars, self.notice):
            layout.addWidget(part)

    def show_model(self, card: ModelCard | None) -> None:
        """Say aloud that a model is of simulated cells."""
        self.alarm.setVisible(_is_simulated(card))

    def show_nothing(
        self, counts: list[tuple[Pattern, int]], title: str = "Not classified yet"
    ) -> None:
        """Show that there is no verdict, and why; the bars are the legend."""
        self.model.show_nothing(title)
        self.yours.setVisible(False)
        for part in (self.frames, self.risk):
            part.setVisible(False)
        self.bars.show_counts(counts)

    def show_verdict(
        self,
        verdict: SpecimenVerdict,
        vocabulary: Vocabulary,
        counts: list[tuple[Pattern, int]],
        card: ModelCard | None = None,
        judged_on: str = "",
    ) -> None:
        """Show the model's verdict, what it is on, and its measured risk."""
        caption = "By the model" if self.yours.isVisibleTo(self) else ""
        words = tell_verdict(verdict, vocabulary, _is_simulated(card))
        self.model.show_words(words, caption)
        for part, text in ((self.frames, judged_on), (self.risk, risk_text(card))):
            part.setText(text)
            part.setVisible(bool(text))
        self.bars.show_counts(counts)

    def show_decided(
        self,
        decided: DecidedVerdict | None,
        vocabulary: Vocabulary,
        card: ModelCard | None = None,
    ) -> None:
        """Show the verdict with decisions beside the model's; None takes it off.

        It is shown before `show_verdict`, which names both where there are two.
        """
        self.yours.setVisible(decided is not None)
        if decided is None:
            return
        n = decided.decisions
        caption = f"With your {n} decision{'' if n == 1 else 's'}"
        words = tell_verdict(decided.verdict, vocabulary, _is_simulated(card))
        if decided.verdict.probabilities is None:
            words = replace(words, probability="")
        self.yours.show_words(words, caption, _note(decided))


def _is_simulated(card: ModelCard | None) -> bool:
    return card is not None and card.simulated


def _note(decided: DecidedVerdict) -> str:
    parts = (
        (decided.rejected, "rejected, left out"),
        (decided.relabelled, "relabelled, counted as the new pattern"),
        (decided.accepted, "accepted, as the model scored them"),
    )
    lines = ["; ".join(f"{n} {words}" for n, words in parts if n) + "."]
    if decided.unknown:
        lines.append(f"{decided.unknown} of a pattern that the model does not know.")
    if decided.verdict.probabilities is not None:
        lines.append(CORRECTED)
    return " ".join(lines)
