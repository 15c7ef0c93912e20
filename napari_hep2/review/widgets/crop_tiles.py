"""The tiles of the gallery: a crop, its decision and what a model calls it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_hep2.common.crop_picture import crop_pixmap
from napari_hep2.common.parts import GOOD_COLOUR, WARNING_COLOUR, draw_chip
from napari_hep2.review.state import ReviewState
from napari_hep2.review.widgets.contours import ContourCache
from napari_hep2.state import SessionState
from training.curation.filtering import heading_count, heading_name
from training.curation.ordering import Group, Heading
from training.curation.review_set import ReviewSet
from training.patterns import Pattern, Vocabulary

if TYPE_CHECKING:
    from training.decisions.store import Decision

ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1
HEADING_ROLE = ROW_ROLE + 1
CACHE_BYTES = 64 * 2**20
"""Of pictures kept: several screens full of tiles of any size."""
TILE_MIN, TILE_MAX, TILE_START = 64, 176, 92
CAPTION = 16
HEADING = 26
"""Height of a heading between tiles, in pixels."""
_GAP = 3

_MARKS = {
    "accepted": ("\u2713", GOOD_COLOUR),
    "rejected": ("\u2717", WARNING_COLOUR),
}
_PAPER, _TEXT = QColor("#161616"), QColor("#f0f0f0")
_VEIL = QColor(22, 22, 22, 130)
_BAND = QColor(10, 10, 10, 170)
_CURRENT = QColor("#ffffff")
_CHOSEN = QColor("#7fb8ff")
_FLAG = QColor("#f0e442")
_LINE = QColor("#56b4e9")
_BOARD = QColor("#2b2f36")


def limits_of(
    review: ReviewSet | None, state: ReviewState, row: int
) -> tuple[float, float] | None:
    """Return the grey values that a cell's specimen is shown between, or None."""
    if state.contrast == "cell" or state.limits is None or review is None:
        return None
    low, high = state.limits[review.specimen_index[row]]
    return float(low), float(high)


class PixmapCache:
    """The pictures drawn last; the one unused for longest goes first.

    Parameters
    ----------
    budget
        Most bytes kept, at four a pixel; one picture is kept whatever its size.
    """

    def __init__(self, budget: int = CACHE_BYTES) -> None:
        self._budget = budget
        self._kept: OrderedDict[tuple[int, int], QPixmap] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, row: int, side: int, make: Callable[[], QPixmap]) -> QPixmap:
        """Return the picture of a row, made where it is not kept."""
        key = (row, side)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            most = max(1, self._budget // (4 * side * side))
            while len(self._kept) > most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found

    def clear(self) -> None:
        """Forget all pictures."""
        self._kept.clear()


class TileDelegate(QStyledItemDelegate):
    """Draws a crop, its decision as colour and mark, its label and leading patterns.

    Parameters
    ----------
    predicted
        Takes a row of the review set and returns the patterns that lead by the scores
        of a model, each with its score; none where there are no scores.
    """

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        predicted: Callable[[int], Sequence[tuple[Pattern, float]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._state = session, state
        self._predicted = predicted
        self.cache = PixmapCache()
        self.contours = ContourCache(session)
        self.side = TILE_START

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of a tile with its caption."""
        del option, index
        return QSize(self.side, self.side + CAPTION)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one tile, or a heading."""
        heading = index.data(HEADING_ROLE)
        if heading is not None:
            self._draw_heading(painter, option.rect, heading)
            return
        cell, review = index.data(ROW_ROLE), self._session.review
        if cell is None or review is None:
            return
        tile = option.rect.adjusted(_GAP, _GAP, -_GAP, -_GAP)
        picture = QRect(tile.left(), tile.top(), tile.width(), tile.width())
        below = tile.bottom() - picture.bottom()
        caption = QRect(tile.left(), picture.bottom() + 1, tile.width(), below)
        painter.save()
        painter.fillRect(tile, _PAPER)
        pixmap = self.cache.get(
            cell,
            tile.width(),
            lambda: crop_pixmap(
                review.crops[cell], tile.width(), limits_of(review, self._state, cell)
            ),
        )
        painter.drawPixmap(picture.topLeft(), pixmap)
        if self._state.contours:
            self._draw_contours(painter, picture, cell)
        self._draw_decision(painter, picture, review, cell)
        self._draw_leading(painter, picture, cell)
        self._draw_caption(painter, caption, review, cell)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        self._draw_frame(painter, tile, cell, chosen)
        painter.restore()

    def _draw_heading(self, painter: QPainter, place: QRect, heading: Heading) -> None:
        painter.save()
        painter.fillRect(place.adjusted(0, 2, 0, -1), _BOARD)
        font = QFont(painter.font())
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(_TEXT)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            place.adjusted(6, 0, -6, 0),
            middle,
            heading_text(self._session, self._state.group, heading),
        )
        painter.restore()

    def _draw_contours(self, painter: QPainter, place: QRect, cell: int) -> None:
        lines = self.contours.get(cell)
        if not lines:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(place.topLeft())
        painter.scale(place.width(), place.width())
        pen = QPen(_LINE)
        pen.setCosmetic(True)
        pen.setWidthF(1.5)
        painter.setPen(pen)
        for line in lines:
            painter.drawPolyline(line)
        painter.restore()

    def _draw_decision(
        self, painter: QPainter, place: QRect, review: ReviewSet, cell: int
    ) -> None:
        decision = self._session.decisions.get(str(review.ids[cell]))
        verdict = decision.verdict if decision is not None else "cleared"
        if review.dropped[cell] or verdict == "rejected":
            painter.fillRect(place, _VEIL)
        self._draw_marks(painter, place, str(review.ids[cell]))
        if decision is None or verdict == "cleared":
            return
        mark, colour = _mark_of(decision, review.vocabulary)
        band = QRect(place.left(), place.top(), place.width(), 3)
        painter.fillRect(band, QColor(colour))
        chip = QRect(place.right() - 20, place.top() + 4, 18, 18)
        draw_chip(painter, chip, mark, colour)

    def _draw_marks(self, painter: QPainter, place: QRect, cell: str) -> None:
        """Draw the reviewer's flag, and small what the others decided."""
        mark, review = self._state.marks.get(cell), self._session.review
        if mark is not None and mark.flagged:
            x, y = place.left() + 5, place.top() + 5
            painter.fillRect(QRect(x, y, 2, 16), _FLAG)
            painter.fillRect(QRect(x + 2, y, 10, 8), _FLAG)
        if review is None or self._session.blind:
            return
        for k, one in enumerate(self._state.others.get(cell, ())[:3]):
            if one.verdict != "cleared":
                chip = QRect(place.left() + 4 + 15 * k, place.bottom() - 32, 13, 13)
                draw_chip(painter, chip, *_mark_of(one, review.vocabulary))

    def _draw_leading(self, painter: QPainter, place: QRect, cell: int) -> None:
        """Draw the leading patterns over the lower edge of the picture."""
        leading = self._predicted(cell)
        if not leading:
            return
        band = QRect(place.left(), place.bottom() - 15, place.width(), 16)
        painter.fillRect(band, _BAND)
        half = band.width() // 2
        for k, (pattern, score) in enumerate(leading):
            part = QRect(band.left() + 3 + k * half, band.top(), half - 4, 16)
            self._draw_chip(painter, part, pattern, f"{100 * score:.0f}")

    def _draw_caption(
        self, painter: QPainter, place: QRect, review: ReviewSet, cell: int
    ) -> None:
        """Draw the given pattern and the specimen, or why a cell was dropped.

        A blind reviewer sees neither of the first two.
        """
        inside = place.adjusted(3, 0, -2, 0)
        index, blind = review.pattern_index[cell], self._session.blind
        text = "" if blind else review.specimen_names[review.specimen_index[cell]]
        if review.dropped[cell]:
            text = review.captions[cell]
        if index >= 0 and not blind:
            self._draw_chip(painter, inside, review.vocabulary[index], text)
        else:
            self._draw_text(painter, inside, text)

    def _draw_chip(
        self, painter: QPainter, place: QRect, pattern: Pattern, text: str
    ) -> None:
        """Draw a pattern's letter, and a text behind it as far as there is room."""
        chip = QRect(place.left(), place.top() + 1, 12, place.height() - 2)
        draw_chip(painter, chip, pattern.letter, pattern.colour)
        self._draw_text(painter, place.adjusted(16, 0, 0, 0), text)

    def _draw_text(self, painter: QPainter, place: QRect, text: str) -> None:
        font = QFont(painter.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(_TEXT)
        shown = painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideMiddle, place.width()
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)

    def _draw_frame(
        self, painter: QPainter, tile: QRect, row: int, chosen: bool
    ) -> None:
        current = row == self._session.current
        if not (current or chosen):
            return
        pen = QPen(_CURRENT if current else _CHOSEN)
        pen.setWidth(3 if current else 2)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(tile.adjusted(1, 1, -2, -2))


def _mark_of(decision: Decision, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return the mark of a decision and its colour; a letter for another pattern."""
    if decision.verdict == "relabelled" and decision.pattern:
        pattern = vocabulary[vocabulary.index(decision.pattern)]
        return pattern.letter, pattern.colour
    return _MARKS[decision.verdict]


def heading_text(session: SessionState, group: Group, heading: Heading) -> str:
    """Return what a heading says; a blind reviewer gets no specimen's name."""
    review = session.review
    if review is None:
        return ""
    hidden = session.blind and group == "specimen"
    name = "A specimen" if hidden else heading_name(review, group, heading.key)
    return f"{name}   {heading_count(group, heading)}"
