"""Small parts that the widgets share: base, status, command line, icons."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QRect, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QFont,
    QFontDatabase,
    QIcon,
    QKeySequence,
    QPainter,
    QPixmap,
    QShortcut,
    QShowEvent,
)
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_hep2.common.docks import DockedWidget
from napari_hep2.session import ViewerSession, session_of
from napari_hep2.state import SessionState
from napari_hep2.workers import worker_pool
from training.patterns import Pattern

Wire = tuple[Any, Callable[..., Any]]

WARNING_COLOUR = "#d55e00"
ALARM = "background: #b03a00; color: white; font-weight: bold; padding: 4px;"
"""Style of what must not be overlooked."""
GOOD_COLOUR = "#009e73"
_DARK, _LIGHT = "#101010", "#ffffff"
_LUMINANCE_SPLIT = 140
_NEWS_HEIGHT = 76
_LABEL_WIDTH = 260


class SessionWidget(DockedWidget):
    """Base of the widgets: builds, connects, refreshes, and disconnects at its end.

    Parameters
    ----------
    napari_viewer
        The viewer, or napari's proxy of it; napari gives it by this name.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session: ViewerSession = session_of(napari_viewer)
        self.state: SessionState = self.session.state
        self.setAcceptDrops(True)
        self._build()
        self._wires = self._wiring()
        for signal, slot in self._wires:
            signal.connect(slot)
        self.destroyed.connect(partial(disconnect_all, self._wires))
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """End the session with the window in which the widget stands."""
        super().showEvent(event)
        self.session.live_beside(self)
        worker_pool().warm()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a file or folder of this machine."""
        if _dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        path = _dropped(event)
        if path is not None:
            event.acceptProposedAction()
            self.session.open_path(path)

    def sizeHint(self) -> QSize:
        """Return the size that a dock takes at first; it can be made smaller."""
        return QSize(350, 640)

    def _build(self) -> None:
        raise NotImplementedError

    def _wiring(self) -> list[Wire]:
        """Return what outlives the widget and calls it: signal and bound method."""
        raise NotImplementedError

    def _refresh(self) -> None:
        raise NotImplementedError


def _dropped(event: QDropEvent) -> Path | None:
    """Return the first file or folder that is dragged, or None."""
    data = event.mimeData()
    urls = data.urls() if data is not None else []
    return Path(urls[0].toLocalFile()) if urls and urls[0].isLocalFile() else None


def disconnect_all(wires: list[Wire], *_: object) -> None:
    """Disconnect what `SessionWidget` connected."""
    for signal, slot in wires:
        signal.disconnect(slot)
    wires.clear()


def scrolled(content: QWidget, minimum_width: int = 300) -> QScrollArea:
    """Place a widget in an area that scrolls downwards; aside only where it must."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setMinimumWidth(minimum_width)
    area.setWidget(content)
    return area


def scroll_to(part: QWidget) -> None:
    """Bring a widget into view where it lies in an area that scrolls."""
    area: QWidget | None = part
    while area is not None and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    if area is not None:
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        area.ensureWidgetVisible(part)


def capped(content: QWidget, height: int = 130) -> QScrollArea:
    """Place a widget in an area that scrolls and never takes more than `height`."""
    area = scrolled(content, minimum_width=80)
    area.setFixedHeight(height)
    return area


def row(*parts: QWidget | int, spacing: int = 6) -> QHBoxLayout:
    """Lay parts out side by side; a number is a stretch."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            layout.addStretch(part)
        else:
            layout.addWidget(part)
    return layout


def shared_row(*buttons: QPushButton, spacing: int = 4) -> QFlowLayout:
    """Lay buttons out side by side, and on further lines where a font needs them.

    They never ask for more width than there is, as a window would grow by it.
    """
    layout = QFlowLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(spacing)
    layout.setVerticalSpacing(spacing)
    for one in buttons:
        layout.addWidget(one)
    return layout


def heading(text: str) -> QLabel:
    """Return a label that heads a section."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    label.setWordWrap(True)
    label.setContentsMargins(0, 6, 0, 0)
    return label


class WrappedLabel(QLabel):
    """A label that wraps, whose text can be selected, as high as its text needs.

    Qt's own hint for such a label is narrow and high, and would stretch a window.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """Return the height of the text at the width there is."""
        width = max(self.width(), _LABEL_WIDTH)
        return QSize(_LABEL_WIDTH, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """Return the size of a short line."""
        return QSize(40, self.fontMetrics().height())


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps and whose text can be selected."""
    return WrappedLabel(text)


def button(text: str, tip: str = "", name: str = "") -> QPushButton:
    """Return a push button."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setObjectName(name)
    return made


class Folds(QWidget):
    """Sections of which one at most is open, below their titles side by side.

    Attributes
    ----------
    toggles
        The titles, in the order given.
    turned
        Says that a section was opened, or the open one folded away.

    Parameters
    ----------
    sections
        Title and content of each.
    height
        Pixels that a content takes, which scrolls where it needs more; None gives
        each what it needs.
    """

    turned = Signal()

    def __init__(
        self, *sections: tuple[str, QWidget], height: int | None = None
    ) -> None:
        super().__init__()
        self.toggles = [_fold_title(title) for title, _ in sections]
        self._bodies = [
            content if height is None else capped(_at_top(content), height)
            for _, content in sections
        ]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(shared_row(*self.toggles))
        for toggle, body in zip(self.toggles, self._bodies, strict=True):
            body.setVisible(False)
            layout.addWidget(body)
            toggle.toggled.connect(partial(self._turn, body))

    @property
    def is_open(self) -> bool:
        """Return whether a section is open."""
        return any(toggle.isChecked() for toggle in self.toggles)

    def fold_away(self) -> None:
        """Fold the open section away."""
        for toggle in self.toggles:
            toggle.setChecked(False)

    def set_height(self, height: int) -> None:
        """Give the contents another height, in pixels."""
        for body in self._bodies:
            body.setFixedHeight(height)

    def _turn(self, body: QWidget, is_open: bool) -> None:
        if is_open:
            for toggle, other in zip(self.toggles, self._bodies, strict=True):
                if other is not body:
                    toggle.setChecked(False)
        body.setVisible(is_open)
        self.turned.emit()


def _at_top(content: QWidget) -> QWidget:
    """Keep a content as high as it needs to be, however high its place is."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(content)
    layout.addStretch(1)
    return holder


def _fold_title(title: str) -> QPushButton:
    made = button(title, title)
    made.setCheckable(True)
    return made


class CommandLine(QWidget):
    """Copies the command that does the same as the window; an arrow shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setReadOnly(True)
        self.line.setAccessibleName("Command")
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy = button("Copy command", "", "copy_command")
        self.unfold = QToolButton(checkable=True, arrowType=Qt.ArrowType.RightArrow)
        self.unfold.setToolTip("Show the command")
        self.unfold.setAccessibleName("Show the command")
        self.unfold.toggled.connect(self._turn)
        self.copy.clicked.connect(self._copy)
        inside = row(self.copy, self.unfold, self.line, spacing=2)
        inside.addStretch(1)
        inside.setStretch(2, 1000)
        self.setLayout(inside)
        self._turn(False)

    def _turn(self, shown: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        self.unfold.setArrowType(arrow)
        self.line.setVisible(shown)

    def show_command(self, command: str) -> None:
        """Offer a command; nothing to copy where it is empty."""
        self.line.setText(command)
        self.line.setCursorPosition(0)
        for part in (self.copy, self.unfold):
            part.setEnabled(bool(command))
        self.copy.setToolTip(f"The command that gives the same result:\n{command}")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.line.text())


class StatusStrip(QWidget):
    """Strip with the running job, its progress and Cancel, and the latest news."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session = session
        self.busy = QLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.bar.setFixedHeight(8)
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        self.cancel = button("Cancel", "Stop at the next step", "cancel")
        self.cancel.clicked.connect(session.runner.cancel)
        self.news = text_label()
        self.news.setObjectName("news")
        self.space = scrolled(self.news, minimum_width=80)
        self._build()

    def _build(self) -> None:
        self.running = QWidget()
        inner = QVBoxLayout(self.running)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(3)
        self.busy.setMinimumWidth(40)
        self.busy.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        top = row(self.busy, self.cancel)
        top.setStretch(0, 1)
        inner.addLayout(top)
        inner.addWidget(self.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.running)
        layout.addWidget(self.space)

    def wiring(self) -> list[Wire]:
        """Return the state's signals that this strip follows."""
        events = self._session.state.events
        running = (events.busy, events.opening, events.progress)
        signals = (*running, events.message, events.fault)
        return [(signal, self.refresh) for signal in signals]

    def refresh(self) -> None:
        """Show the state."""
        state = self._session.state
        doing = "Opening" if state.picture is None else "Finding nuclei of"
        opening = "" if not state.opening else f"{doing} {state.opening}"
        if state.blind and opening:
            opening = doing.removesuffix(" of")
        self.running.setVisible(bool(state.busy or opening))
        self.busy.setText("; ".join(text for text in (state.busy, opening) if text))
        # No bar where the share is not known: a moving one repaints the whole window,
        # since it holds an OpenGL canvas, and takes more than the job.
        self.bar.setVisible(state.progress is not None)
        self.bar.setValue(round(1000 * (state.progress or 0)))
        self.space.setVisible(bool(state.fault or state.message))
        self.news.setText(f"\u26a0 {state.fault}" if state.fault else state.message)
        font = self.news.font()
        font.setBold(bool(state.fault))
        self.news.setFont(font)
        colour = f"color: {WARNING_COLOUR};" if state.fault else ""
        self.news.setStyleSheet(colour)
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Give the news the lines it needs at the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give the news its height, up to some lines: more would grow the window."""
        wanted = self.news.heightForWidth(max(self.width(), 80))
        self.space.setFixedHeight(min(wanted + 4, _NEWS_HEIGHT))


def ink_on(colour: str) -> str:
    """Return black or white, whichever is read better on ``#rrggbb``."""
    c = QColor(colour)
    luminance = 0.299 * c.red() + 0.587 * c.green() + 0.114 * c.blue()
    return _DARK if luminance > _LUMINANCE_SPLIT else _LIGHT


def draw_chip(painter: QPainter, place: QRect, text: str, colour: str) -> None:
    """Draw a letter on a rounded patch of colour."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(place, 3, 3)
    font = QFont(painter.font())
    font.setBold(True)
    font.setPixelSize(max(8, round(place.height() * 0.72)))
    painter.setFont(font)
    painter.setPen(QColor(ink_on(colour)))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def pattern_pixmap(pattern: Pattern, side: int = 16) -> QPixmap:
    """Return the pattern's letter on its colour."""
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw_chip(painter, QRect(0, 0, side, side), pattern.letter, pattern.colour)
    painter.end()
    return pixmap


def pattern_icon(pattern: Pattern) -> QIcon:
    """Return the pattern's letter on its colour as an icon."""
    return QIcon(pattern_pixmap(pattern, 32))


def add_shortcut(widget: QWidget, keys: str, slot: Callable[[], None]) -> None:
    """Bind keys that act while `widget` or a part of it has the focus."""
    shortcut = QShortcut(QKeySequence(keys), widget)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(slot)
