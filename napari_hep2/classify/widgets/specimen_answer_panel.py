"""Panel of a person's answer on the open specimen: result, patterns, and a name."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_hep2.common.parts import (
    Wire,
    add_shortcut,
    button,
    row,
    scroll_to,
    text_label,
)
from napari_hep2.common.reviewer_field import ReviewerField
from napari_hep2.session import ViewerSession
from training.decisions.model import GRADES, RESULTS
from training.decisions.specimens import LONGEST_COMMENT, Answer, checked_answer
from training.errors import Hep2Error
from training.icap import NEGATIVE_CODE, PATTERNS, CellPattern, search, title_of

_SAVE_KEY = "Ctrl+Return"


class SayingPanel(QWidget):
    """*Specimen 7 is: [positive] [++] [1:160]*, its patterns, and what stands."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._saying = session.saying
        self._shown_for: tuple[str, Answer | None] = ("", None)
        self.codes: list[str] = []
        self._make_fields()
        self.reviewer = ReviewerField(session.state, session.name_reviewer)
        self.save = button(
            "Save", f"Record it under this name ({_SAVE_KEY})", "save_specimen"
        )
        self.take_back = button(
            "Withdraw", "Withdraw your decision; it stays in the history", ""
        )
        self.sentence = QLabel()
        self.stands = text_label()
        self._lay_out()
        self.result.currentIndexChanged.connect(self._show_ready)
        self.pattern.returnPressed.connect(self._add_typed)
        self.save.clicked.connect(self._save)
        self.take_back.clicked.connect(self._saying.take_back)
        for keys in (_SAVE_KEY, "Ctrl+Enter"):
            add_shortcut(self, keys, self._save)

    def _make_fields(self) -> None:
        self.result = _choice(RESULTS, "Result", "Positive, negative or borderline")
        self.grade = _choice(("", *GRADES), "Grade", "How strong a positive one is")
        self.grade.setCurrentIndex(0)
        self.titre = _line("Titre", "1:160", "Last dilution that is positive")
        self.titre.setMaximumWidth(70)
        self.pattern = _line(
            "Pattern",
            "add a pattern: code, name or synonym",
            "Search the ICAP patterns, competent level first; Return adds the first",
        )
        self._offers = QStringListModel(self.pattern)
        offered = QCompleter(self._offers, self.pattern)
        # The list is that of the search, so that Return adds what stands on top.
        offered.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        offered.setMaxVisibleItems(12)
        self.pattern.textEdited.connect(self._offer_found)
        # Queued, as the completer writes what was chosen into the field itself.
        offered.activated.connect(self._add_typed, Qt.ConnectionType.QueuedConnection)
        self.pattern.setCompleter(offered)
        self.comment = _line("Comment", "comment", "In your words")
        self.comment.setMaxLength(LONGEST_COMMENT)
        self.chosen = QWidget()
        self._chips = QFlowLayout(self.chosen)
        self._chips.setContentsMargins(0, 0, 0, 0)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        answer = row(self.result, self.grade, self.titre)
        answer.setStretch(0, 1)
        signed = row(QLabel("by"), self.reviewer, self.save)
        signed.setStretch(1, 1)
        before = row(self.stands, self.take_back)
        before.setStretch(0, 1)
        layout.addWidget(self.sentence)
        layout.addLayout(answer)
        layout.addWidget(self.pattern)
        layout.addWidget(self.chosen)
        layout.addWidget(self.comment)
        layout.addLayout(signed)
        layout.addLayout(before)

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events = self._state.events
        return [
            (self._saying.found.events.sayings, self.refresh),
            (self._saying.asked, self.take_keys),
            (events.cells, self.refresh),
            (events.opening, self.refresh),
            (events.blind, self.refresh),
            (events.specimen, self.refresh),
            (events.reviewer, self.refresh),
        ]

    def take_keys(self) -> None:
        """Let the next key choose the result."""
        self.window().activateWindow()
        self.result.setFocus()
        scroll_to(self)

    def refresh(self) -> None:
        """Show who says what of the open specimen."""
        state = self._state
        self.setEnabled(state.cells is not None and not state.opening)
        is_named = bool(state.specimen) and not state.blind and not state.opening
        self.sentence.setText(
            f"Specimen {state.specimen} is" if is_named else "The specimen is"
        )
        self.reviewer.refresh()
        own = self._saying.own()
        self.take_back.setVisible(own is not None)
        shown_for = (state.specimen or "", own)
        if shown_for != self._shown_for:
            # What is typed stays until another specimen or answer is there.
            self._shown_for = shown_for
            self._show_answer(own)
        self._show_ready()
        lines = self._saying.lines()
        self.stands.setText("\n".join(lines))
        self.stands.setVisible(bool(lines))

    def _show_answer(self, own: Answer | None) -> None:
        """Show what stands; of another specimen nothing is chosen beforehand."""
        answer = own or Answer(None)
        self.result.setCurrentIndex(self.result.findText(answer.result or "-"))
        self.grade.setCurrentIndex(self.grade.findText(answer.grade))
        self.titre.setText(answer.titre)
        self.comment.setText(answer.comment)
        self.pattern.clear()
        self.codes = list(answer.patterns)
        self._show_codes()

    def add(self, code: str) -> None:
        """Add a pattern, which makes a result that was not chosen positive."""
        if code == NEGATIVE_CODE:
            self.result.setCurrentText("negative")
        elif code not in self.codes:
            self.codes.append(code)
        if self.result.currentIndex() < 0:
            self.result.setCurrentText("positive")
        self._show_codes()

    def drop(self, code: str) -> None:
        """Take a pattern out of the answer; the keys go back to the field."""
        self.codes.remove(code)
        self._show_codes()
        self.pattern.setFocus()

    def _offer_found(self, words: str) -> None:
        self._offers.setStringList([_offer(one) for one in search(words)])

    def _add_typed(self, *_: object) -> None:
        text = self.pattern.text().strip()
        if not text:
            return
        found = _typed(text)
        if not found:
            self._state.complain(f"No pattern has all the words '{text}'.")
            return
        self.add(found)
        self.pattern.clear()

    def _show_codes(self) -> None:
        while (item := self._chips.takeAt(0)) is not None:
            made = item.widget()
            if made is not None:
                made.deleteLater()
        before: QWidget = self.pattern
        for code in self.codes:
            chip = QPushButton(f"{title_of(code)} \N{MULTIPLICATION SIGN}")
            chip.setToolTip(f"Take out {code}")
            chip.clicked.connect(partial(self.drop, code))
            self._chips.addWidget(chip)
            QWidget.setTabOrder(before, chip)
            before = chip
        self.chosen.setVisible(bool(self.codes))

    def _show_ready(self) -> None:
        result = self.result.currentText()
        self.grade.setEnabled(result == "positive")
        if result != "positive":
            self.grade.setCurrentIndex(0)
        self.save.setEnabled(self.result.currentIndex() >= 0)

    def _save(self) -> None:
        if not self.save.isEnabled() or not self.isEnabled():
            return
        left = self.pattern.text().strip()
        if left:
            self._state.complain(
                f"The pattern '{left}' is not added yet; press Return in its field, or "
                "empty it."
            )
            return
        try:
            answer = checked_answer(
                self.result.currentText(),
                self.codes,
                self.grade.currentText(),
                self.titre.text(),
                self.comment.text(),
            )
        except Hep2Error as fault:
            self._state.complain(fault)
            return
        self.reviewer.enter()
        self._saying.say(answer)


def _choice(words: tuple[str, ...], name: str, tip: str) -> QComboBox:
    made = QComboBox()
    made.addItems(words)
    made.setAccessibleName(name)
    made.setToolTip(tip)
    made.setPlaceholderText("choose")
    made.setCurrentIndex(-1)
    return made


def _line(name: str, ghost: str, tip: str) -> QLineEdit:
    made = QLineEdit()
    made.setAccessibleName(name)
    made.setPlaceholderText(ghost)
    made.setToolTip(tip)
    return made


def _offer(one: CellPattern) -> str:
    """Return a pattern with all the words that find it."""
    also = f" ({', '.join(one.synonyms)})" if one.synonyms else ""
    return f"{one.text}, {one.compartment}{also}"


def _typed(text: str) -> str:
    """Return the code of what was chosen from the list, or of the first found."""
    for one in PATTERNS:
        if text == _offer(one):
            return one.code
    found = search(text)
    return found[0].code if found else ""
