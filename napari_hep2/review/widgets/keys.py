"""The one table of keys: what each does, how one is changed, how they are bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QSettings, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from training.errors import BadSettingError
from training.patterns import Vocabulary

MOST_PATTERNS = 9
_GROUP = "review keys"


@dataclass(frozen=True)
class Verb:
    """Something that a key does.

    Attributes
    ----------
    name
        As it is kept in the settings.
    text
        As the user reads it.
    keys
        The first can be changed; the others stay.
    section
        Where it stands in the sheet.
    """

    name: str
    text: str
    keys: tuple[str, ...]
    section: str


_DECIDE, _GO, _CHOOSE, _LOOK = "Decide", "Go", "Choose", "Look"

VERBS = (
    Verb("accept", "accept: a good cell of its pattern", ("A",), _DECIDE),
    Verb("reject", "reject", ("R", "Del"), _DECIDE),
    Verb("reject_why", "reject with a reason, from the menu", ("Shift+R",), _DECIDE),
    *(
        Verb(
            f"pattern_{k}",
            f"relabel as pattern {k} of the vocabulary",
            (str(k),),
            _DECIDE,
        )
        for k in range(1, MOST_PATTERNS + 1)
    ),
    Verb("clear", "clear the decision", ("C",), _DECIDE),
    Verb("take", "use the predicted pattern", ("P",), _DECIDE),
    Verb("flag", "set or remove the flag", ("F",), _DECIDE),
    Verb("note", "write a note", ("T",), _DECIDE),
    Verb("undo", "undo, without limit", ("Z", "Ctrl+Z"), _DECIDE),
    Verb("redo", "redo", ("Shift+Z", "Ctrl+Y", "Ctrl+Shift+Z"), _DECIDE),
    Verb("next", "next undecided", ("N",), _GO),
    Verb("back", "back to the previous cell", ("B",), _GO),
    Verb("show", "show in the viewer", ("Return", "Enter"), _GO),
    Verb("filter", "choose the filter", ("Shift+F",), _CHOOSE),
    Verb("pattern", "show one pattern only", ("Shift+P",), _CHOOSE),
    Verb("specimen", "show one specimen only", ("Shift+S",), _CHOOSE),
    Verb("sort", "choose the order", ("Shift+O",), _CHOOSE),
    Verb("turn", "reverse the order", ("Shift+D",), _CHOOSE),
    Verb("similar", "sort by similarity to this cell", ("S",), _CHOOSE),
    Verb("group", "choose the grouping", ("Shift+G",), _CHOOSE),
    Verb("select_all", "select all cells shown", ("Ctrl+A",), _CHOOSE),
    Verb("middle", "gallery in the middle of the window", ("G",), _LOOK),
    Verb("larger", "larger tiles", ("+", "="), _LOOK),
    Verb("smaller", "smaller tiles", ("-",), _LOOK),
    Verb("contours", "outlines of the nuclei", ("M",), _LOOK),
    Verb("contrast", "contrast per cell or per specimen", ("K",), _LOOK),
    Verb("context", "surroundings of the cell", ("V",), _LOOK),
    Verb("blind", "blind mode", ("Shift+B",), _LOOK),
    Verb("keys", "this list of keys", ("?", "F1"), _LOOK),
)

_ARROWS = ("Left", "Right", "Up", "Down", "PgUp", "PgDown", "Home", "End")
FIXED = (
    ("arrows, PgUp, PgDown, Home, End", _ARROWS, "move"),
    (
        "Shift and these",
        tuple(f"Shift+{key}" for key in _ARROWS),
        "select a range",
    ),
    ("Tab", ("Tab", "Shift+Tab"), "move to the other parts of the window"),
)
"""Keys that cannot be changed: as the user reads them, each of them, what they do."""


def normal(key: str) -> str:
    """Return a key as it is compared and kept, or an empty text for none."""
    return str(
        QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    ).split(",")[0]


def key_settings() -> QSettings:
    """Return where the user's own keys are kept."""
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-hep2", "review"
    )


class KeyTable:
    """The keys in force: those of `VERBS`, and what the user changed.

    Parameters
    ----------
    settings
        Where changes are kept; None keeps them nowhere.
    """

    def __init__(self, settings: QSettings | None = None) -> None:
        self._settings = settings
        self._own: dict[str, str] = {}
        for verb in VERBS:
            self._read(verb.name)

    def _read(self, name: str) -> None:
        """Take a key from the settings, unless it clashes: a file may be edited."""
        if self._settings is None:
            return
        kept = normal(str(self._settings.value(f"{_GROUP}/{name}", "")))
        if kept and self.holder(kept) is None:
            self._own[name] = kept

    def keys_of(self, name: str) -> tuple[str, ...]:
        """Return the keys of a verb, the one that can be changed first."""
        verb = next(verb for verb in VERBS if verb.name == name)
        first = self._own.get(name, normal(verb.keys[0]))
        return (first, *(normal(key) for key in verb.keys[1:]))

    def holder(self, key: str) -> str | None:
        """Return the text of what a key does, or None where it is free."""
        for _, keys, text in FIXED:
            if key in map(normal, keys):
                return text
        return next((v.text for v in VERBS if key in self.keys_of(v.name)), None)

    def change(self, name: str, key: str) -> None:
        """Assign another key to an action.

        Raises
        ------
        BadSettingError
            If it is no key, or already does something.
        """
        wanted = normal(key)
        if not wanted:
            raise BadSettingError("the key", "none was pressed", "press another")
        if wanted == self.keys_of(name)[0]:
            return
        holder = self.holder(wanted)
        if holder is not None:
            raise BadSettingError(
                f"the key {wanted}",
                f"it is already the key for: {holder}",
                "press another",
            )
        self._own[name] = wanted
        self._keep(name, wanted)

    def reset(self) -> None:
        """Give every action its own key again."""
        self._own.clear()
        if self._settings is not None:
            self._settings.remove(_GROUP)
            self._settings.sync()

    def _keep(self, name: str, key: str) -> None:
        if self._settings is not None:
            self._settings.setValue(f"{_GROUP}/{name}", key)
            self._settings.sync()

    def shown(self, name: str) -> str:
        """Return the keys of a verb as the user reads them."""
        return " or ".join(dict.fromkeys(map(_readable, self.keys_of(name))))


def _readable(key: str) -> str:
    text = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
    return "Enter" if text == "Return" else str(text)


def sheet(
    table: KeyTable, vocabulary: Vocabulary
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the sheet of keys: sections, each with keys and what they do."""
    out: dict[str, list[tuple[str, str]]] = {}
    for verb in verbs_of(vocabulary):
        line = (table.shown(verb.name), text_of(verb, vocabulary))
        out.setdefault(verb.section, []).append(line)
    moves = [(keys, text) for keys, _, text in FIXED]
    out[_GO] = [*out[_GO], *moves]
    return list(out.items())


def verbs_of(vocabulary: Vocabulary) -> list[Verb]:
    """Return the verbs that make sense with a vocabulary."""
    spare = {f"pattern_{k}" for k in range(len(vocabulary) + 1, MOST_PATTERNS + 1)}
    return [verb for verb in VERBS if verb.name not in spare]


def text_of(verb: Verb, vocabulary: Vocabulary) -> str:
    """Return what a verb does; the patterns by their names."""
    if verb.name.startswith("pattern_"):
        return vocabulary[int(verb.name.removeprefix("pattern_")) - 1].title
    return verb.text


class Shortcuts:
    """Binds the keys to a widget: they act while it, or a part of it, has the focus.

    Parameters
    ----------
    widget
        Where the keys act, and nowhere else.
    actions
        What is called for each verb's name.
    """

    def __init__(
        self, widget: QWidget, table: KeyTable, actions: Mapping[str, Callable[[], Any]]
    ) -> None:
        self._widget, self._table, self._actions = widget, table, actions
        self._made: list[QShortcut] = []
        self.bind()

    def bind(self) -> None:
        """Bind the keys as they are in the table now."""
        for old in self._made:
            old.setEnabled(False)
            old.deleteLater()
        self._made = [
            self._shortcut(key, slot)
            for name, slot in self._actions.items()
            for key in self._table.keys_of(name)
        ]

    def pause(self) -> None:
        """Leave the keys to a list or a menu that is open over the widget."""
        for one in self._made:
            one.setEnabled(False)

    def go_on(self) -> None:
        """Let the keys act again."""
        for one in self._made:
            one.setEnabled(True)

    def _shortcut(self, key: str, slot: Callable[[], Any]) -> QShortcut:
        made = QShortcut(QKeySequence(key), self._widget)
        made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.activated.connect(slot)
        return made
