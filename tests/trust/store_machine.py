"""The store of decisions against lists in memory, for hypothesis to play with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from training.decisions.model import Decision
from training.decisions.store import DecisionStore, Mark

_NAMES = "abcd"
_CELL = st.sampled_from(_NAMES)
_CELLS = st.lists(_CELL, min_size=1, max_size=3, unique=True)
_WHO = st.sampled_from(["ann", "bob"])
_PLAIN = st.sampled_from([("accepted", None), ("rejected", None), ("cleared", None)])
_RELABELLED = st.tuples(st.just("relabelled"), st.sampled_from(["Golgi", "NuMem"]))
_SAID = st.one_of(_PLAIN, _RELABELLED)

_Shown = tuple[dict[str, tuple[str, str | None]], dict[str, Mark]]


class StoreMachine(RuleBasedStateMachine):
    """Two reviewers' stores of one file, whatever is done in whatever order.

    Attributes
    ----------
    histories, actions
        How many were played by all machines since the counts were set to 0.
    """

    histories: ClassVar[int] = 0
    actions: ClassVar[int] = 0

    @initialize()
    def start(self) -> None:
        """Begin with no file."""
        type(self).histories += 1
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "curation.sqlite"
        self.done: dict[str, list[tuple[str, dict[str, Any]]]] = {"ann": [], "bob": []}
        self.undone: dict[str, list[tuple[str, dict[str, Any]]]]
        self.undone = {"ann": [], "bob": []}
        self.past: list[dict[str, _Shown]] = [{"ann": ({}, {}), "bob": ({}, {})}]
        self.stores = {who: self._open(who) for who in self.done}

    def _open(self, who: str) -> DecisionStore:
        store = DecisionStore(self.path, who)
        store._db.execute("PRAGMA synchronous = OFF")
        return store

    @rule(who=_WHO, cells=_CELLS, said=_SAID)
    def decide(self, who: str, cells: list[str], said: tuple[Any, Any]) -> None:
        """Say one thing of some cells."""
        step = self.stores[who].decide(cells, *said)
        self._did(who, step, ("verdict", dict.fromkeys(cells, said)))

    @rule(who=_WHO, said=st.dictionaries(_CELL, _SAID, min_size=1))
    def decide_each(self, who: str, said: dict[str, tuple[Any, Any]]) -> None:
        """Say something of its own of each of some cells."""
        each = [(cell, *words, None) for cell, words in said.items()]
        self._did(who, self.stores[who].decide_each(each), ("verdict", said))

    @rule(who=_WHO, cells=_CELLS, on=st.booleans())
    def flag(self, who: str, cells: list[str], on: bool) -> None:
        """Flag some cells, or take their flags off."""
        step = self.stores[who].flag(cells, on)
        self._did(who, step, ("flag", dict.fromkeys(cells, on)))

    @rule(who=_WHO, cells=_CELLS, text=st.sampled_from(["", "odd", "ask bob"]))
    def note(self, who: str, cells: list[str], text: str) -> None:
        """Put a note on some cells, or take it off."""
        step = self.stores[who].note(cells, text)
        self._did(who, step, ("note", dict.fromkeys(cells, text)))

    @rule(who=_WHO)
    def undo(self, who: str) -> None:
        """Take the last step back."""
        self._turned(self.done[who], self.undone[who], self.stores[who].undo())

    @rule(who=_WHO)
    def redo(self, who: str) -> None:
        """Do again what was taken back."""
        self._turned(self.undone[who], self.done[who], self.stores[who].redo())

    @rule(who=_WHO)
    def reopen(self, who: str) -> None:
        """Close a store and open it anew."""
        self.stores[who].close()
        self.stores[who] = self._open(who)

    @rule(data=st.data(), who=_WHO)
    def look_back(self, data: st.DataObject, who: str) -> None:
        """Compare what stood after a step of the past."""
        step = data.draw(st.integers(0, len(self.past) - 1))
        for store in self.stores.values():
            decisions, marks = self.past[step][who]
            assert _said(store.at(step, who).values()) == decisions
            assert store.marks(who, step) == marks

    @invariant()
    def agree(self) -> None:
        """Compare all that is shown with the model."""
        stores = getattr(self, "stores", {})
        type(self).actions += bool(stores)
        for who, store in stores.items():
            decisions, marks = self._expected(who)
            assert _said(store.current().values()) == decisions
            assert store.marks() == marks
            assert store.last_step == len(self.past) - 1
            for cell in _NAMES:
                found = store.decision_on(cell)
                assert _said([found] if found else []).get(cell) == decisions.get(cell)

    def teardown(self) -> None:
        """Leave nothing."""
        for store in getattr(self, "stores", {}).values():
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _did(self, who: str, step: int, said: tuple[str, dict[str, Any]]) -> None:
        assert step == len(self.past)
        self.done[who].append(said)
        self.undone[who].clear()
        self._remember()

    def _turned(
        self, source: list[Any], target: list[Any], cells: tuple[str, ...]
    ) -> None:
        if not source:
            assert cells == ()
            return
        target.append(source.pop())
        assert cells == tuple(target[-1][1])
        self._remember()

    def _remember(self) -> None:
        self.past.append({who: self._expected(who) for who in self.done})

    def _expected(self, who: str) -> _Shown:
        kinds: dict[str, dict[str, Any]] = {"verdict": {}, "flag": {}, "note": {}}
        for kind, content in self.done[who]:
            kinds[kind].update(content)
        marked = {
            cell: Mark(kinds["flag"].get(cell, False), kinds["note"].get(cell, ""))
            for cell in _NAMES
        }
        return (
            {c: said for c, said in kinds["verdict"].items() if said[0] != "cleared"},
            {cell: mark for cell, mark in marked.items() if mark != Mark()},
        )


def _said(decisions: Iterable[Decision]) -> dict[str, tuple[str, str | None]]:
    return {one.cell: (one.verdict, one.pattern) for one in decisions}
