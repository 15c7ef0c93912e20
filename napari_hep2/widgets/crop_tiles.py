"""The tiles of the gallery: a crop, its decision and what a model calls it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_hep2.review_set import ReviewSet
from napari_hep2.state import SessionState
from napari_hep2.widgets.parts import GOOD_COLOUR, WARNING_COLOUR, draw_chip
from training.patterns import Pattern, Vocabulary

if TYPE_CHECKING:
    from training.data.curation import Decision

ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1
CACHE_BYTES = 64 * 2**20
"""Of pictures kept: several screens full of tiles of any size."""
TILE_MIN, TILE_MAX, TILE_START = 64, 176, 92
CAPTION = 16
_GAP = 3

_MARKS = {
    "accepted": ("\u2713", GOOD_COLOUR),
    "rejected": ("\u2717", WARNING_COLOUR),
}
_PAPER, _TEXT, _DIM = QColor("#161616"), QColor("#f0f0f0"), QColor("#9a9a9a")
_VEIL = QColor(22, 22, 22, 130)
_CURRENT = QColor("#ffffff")
_CHOSEN = QColor("#7fb8ff")


def stretched(crop: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a crop stretched for the eye between percentiles 1 and 99.7.

    Parameters
    ----------
    crop : (S, S) uint8 or uint16

    Returns
    -------
    grey : (S, S) uint8
        For display only; nothing is ever computed from it.
    """
    low, high = np.percentile(crop, (1, 99.7))
    span = max(float(high - low), 1.0)
    scaled = (crop.astype(np.float32) - low) * (255.0 / span)
    return np.clip(scaled, 0, 255).astype(np.uint8)


def crop_pixmap(crop: npt.NDArray[Any], side: int) -> QPixmap:
    """Return a stretched crop as a picture of `side` pixels."""
    grey = np.ascontiguousarray(stretched(crop))
    height, width = grey.shape
    image = QImage(
        grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8
    )
    return QPixmap.fromImage(
        image.scaled(
            side,
            side,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    )


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
    """Draws a crop, its decision as colour and mark, and its predicted pattern.

    Parameters
    ----------
    predicted
        Takes a row of the review set and returns the pattern that a model calls it
        and the score, or None.
    """

    def __init__(
        self,
        state: SessionState,
        predicted: Callable[[int], tuple[Pattern, float] | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._predicted = predicted
        self.cache = PixmapCache()
        self.side = TILE_START

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of a tile with its caption."""
        del option, index
        return QSize(self.side, self.side + CAPTION)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one tile."""
        cell, review = index.data(ROW_ROLE), self._state.review
        if cell is None or review is None:
            return
        tile = option.rect.adjusted(_GAP, _GAP, -_GAP, -_GAP)
        picture = QRect(tile.left(), tile.top(), tile.width(), tile.width())
        below = tile.bottom() - picture.bottom()
        caption = QRect(tile.left(), picture.bottom() + 1, tile.width(), below)
        painter.save()
        painter.fillRect(tile, _PAPER)
        pixmap = self.cache.get(
            cell, tile.width(), lambda: crop_pixmap(review.crops[cell], tile.width())
        )
        painter.drawPixmap(picture.topLeft(), pixmap)
        self._draw_decision(painter, picture, review, cell)
        self._draw_caption(painter, caption, review, cell)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        self._draw_frame(painter, tile, cell, chosen)
        painter.restore()

    def _draw_decision(
        self, painter: QPainter, place: QRect, review: ReviewSet, cell: int
    ) -> None:
        decision = self._state.decisions.get(str(review.ids[cell]))
        verdict = decision.verdict if decision is not None else "cleared"
        if review.dropped[cell] or verdict == "rejected":
            painter.fillRect(place, _VEIL)
        if decision is None or verdict == "cleared":
            return
        mark, colour = _mark_of(decision, review.vocabulary)
        band = QRect(place.left(), place.top(), place.width(), 3)
        painter.fillRect(band, QColor(colour))
        chip = QRect(place.right() - 20, place.top() + 4, 18, 18)
        draw_chip(painter, chip, mark, colour)

    def _draw_caption(
        self, painter: QPainter, place: QRect, review: ReviewSet, cell: int
    ) -> None:
        font = QFont(painter.font())
        font.setPixelSize(11)
        painter.setFont(font)
        middle = Qt.AlignmentFlag.AlignVCenter
        called = self._predicted(cell)
        if called is not None:
            pattern, score = called
            chip = QRect(place.left() + 3, place.top() + 1, 12, place.height() - 2)
            draw_chip(painter, chip, pattern.letter, pattern.colour)
            painter.setPen(_TEXT)
            painter.drawText(place.adjusted(18, 0, 0, 0), middle, f"{score:.2f}")
            return
        text = str(review.table["dropped"].iat[cell] or review.table["label"].iat[cell])
        painter.setPen(_DIM)
        painter.drawText(place.adjusted(4, 0, -2, 0), middle, text)

    def _draw_frame(
        self, painter: QPainter, tile: QRect, row: int, chosen: bool
    ) -> None:
        current = row == self._state.current
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
