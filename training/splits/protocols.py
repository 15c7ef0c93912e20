"""Folds of each protocol; `training.splits.leaks` has the proof that nothing leaks.

The specimen is the unit: cells of one specimen look alike, so a fold that trains on
some of them and tests on others measures memory. No function here splits without
specimens, save `k_fold_ignoring_specimens`, which exists to show its optimism.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.config import ProtocolSettings
from training.data.cells.cell_set import CellSet
from training.errors import SpecimensError
from training.splits.duplicates import CellCodes
from training.splits.leaks import Fold, LeakProof, count_shared, prove_no_leak

__all__ = [
    "PROTOCOLS",
    "Fold",
    "FoldPlan",
    "LeakProof",
    "count_shared",
    "grouped_k_fold",
    "k_fold_ignoring_specimens",
    "leave_one_specimen_out",
    "make_folds",
    "merge_specimens",
    "natural_key",
    "pilot",
    "prove_no_leak",
]

Rows = npt.NDArray[np.int64]

_LONG_NUMBER = 1000
"""Digits of an id that is sorted as a word: Python refuses far longer numbers."""

_FEWEST_INNER = 3
"""Folds of which one is tested, one kept out of it, and one trained on."""


@dataclass(frozen=True)
class FoldPlan:
    """All folds of a protocol over one cell set.

    Attributes
    ----------
    leaky
        True if cells of one specimen stand on both sides, by intent.
    notes
        Sentences that the user should read: merged specimens, untestable patterns.
    """

    protocol: str
    folds: tuple[Fold, ...]
    leaky: bool = False
    notes: tuple[str, ...] = ()


def make_folds(
    cells: CellSet, settings: ProtocolSettings, codes: CellCodes | None = None
) -> FoldPlan:
    """Make the folds of a protocol and prove that none leaks.

    Parameters
    ----------
    cells
        What is trained and tested on.
    settings
        The protocol.
    codes
        Of `cells`, where they are known already.

    Raises
    ------
    SpecimensError
        If specimen ids are missing or too few.
    LeakError
        If a fold of a specimen-honest protocol would leak.
    """
    if settings.protocol == "k-fold":
        plan = k_fold_ignoring_specimens(cells, settings.folds, settings.seed)
        return pilot(cells, plan, settings)
    _need_specimens(cells)
    codes = CellCodes.of(cells) if codes is None else codes
    groups = _Groups.of(cells, codes)
    if settings.protocol == "loso":
        plan = _loso(cells, groups)
    else:
        plan = _grouped(cells, groups, settings)
    for fold in plan.folds:
        prove_no_leak(cells, fold, codes)
    return pilot(cells, plan, settings)


def pilot(cells: CellSet, plan: FoldPlan, settings: ProtocolSettings) -> FoldPlan:
    """Return the plan with only ``settings.pilot`` of its folds; all where that is 0.

    Folds are drawn from the patterns in turn, in an order that the seed decides, so
    that each pattern has as many as it can; they stay in the order of the plan.
    """
    if not 0 < settings.pilot < len(plan.folds):
        return plan
    rng = np.random.default_rng(settings.seed)
    queues: dict[int, list[int]] = defaultdict(list)
    for position in rng.permutation(len(plan.folds)).tolist():
        test = plan.folds[position].test
        queues[int(np.bincount(cells.patterns[test]).argmax())].append(position)
    drawn: list[int] = []
    while len(drawn) < settings.pilot:
        for pattern in sorted(queues):
            if queues[pattern] and len(drawn) < settings.pilot:
                drawn.append(queues[pattern].pop())
    note = f"a pilot: {len(drawn)} of {len(plan.folds)} folds, drawn over the patterns"
    folds = tuple(plan.folds[position] for position in sorted(drawn))
    return replace(plan, folds=folds, notes=(*plan.notes, note))


def leave_one_specimen_out(cells: CellSet) -> FoldPlan:
    """One fold a specimen (or group of specimens that share identical cells)."""
    return make_folds(cells, ProtocolSettings(protocol="loso"))


def grouped_k_fold(cells: CellSet, folds: int, seed: int = 0) -> FoldPlan:
    """Deal the specimens of each pattern in turn to `folds` groups."""
    settings = ProtocolSettings(protocol="group-k", folds=folds, seed=seed)
    return make_folds(cells, settings)


def k_fold_ignoring_specimens(cells: CellSet, folds: int, seed: int = 0) -> FoldPlan:
    """Deal single cells to `folds` parts: *leaky*, kept to show its optimism."""
    if cells.own.sum() < folds:
        raise SpecimensError(
            cells.source,
            f"{cells.own.sum()} cells are too few",
            f"use under {folds} folds",
        )
    rng = np.random.default_rng(seed)
    part = np.full(len(cells), -1, np.int64)
    start = 0
    for k in range(len(cells.vocabulary)):
        rows = rng.permutation(np.flatnonzero((cells.patterns == k) & cells.own))
        part[rows] = (start + np.arange(len(rows))) % folds
        start += len(rows)
    names = [f"part-{k + 1}" for k in range(folds)]
    made = _hold_out(cells, names, part)
    note = "k-fold ignores specimens: its figures are optimistic"
    return FoldPlan("k-fold", made, leaky=True, notes=(note,))


def merge_specimens(
    cells: CellSet, codes: CellCodes | None = None
) -> dict[str, tuple[str, ...]]:
    """Group specimens that share a pixel-identical cell, in any of its eight views.

    Returns
    -------
    groups
        Name of each group (ids joined by ``+``) to its specimens; most have one.
    """
    codes = CellCodes.of(cells) if codes is None else codes
    parent = {specimen: specimen for specimen in codes.names.tolist()}
    for pair in _specimens_of_copies(codes).tolist():
        one, other = (_root(parent, str(codes.names[k])) for k in pair)
        parent[max(one, other)] = min(one, other)
    members = defaultdict(list)
    for specimen in parent:
        members[_root(parent, specimen)].append(specimen)
    ordered = sorted(members.values(), key=lambda group: natural_key(group[0]))
    return {"+".join(group): tuple(group) for group in ordered}


def _specimens_of_copies(codes: CellCodes) -> Rows:
    """Return pairs of specimens that link all which share an image, (P, 2) int64."""
    order = np.argsort(codes.images, kind="stable")
    copies = np.flatnonzero(np.diff(codes.images[order]) == 0)
    pairs = np.column_stack([order[copies], order[copies + 1]])
    specimens = codes.specimens[pairs]
    return np.unique(specimens[specimens[:, 0] != specimens[:, 1]], axis=0)


def natural_key(text: str) -> tuple[int, int, str]:
    """Sort key that puts specimen 9 before specimen 10, and numbers before names."""
    is_number = text.isdecimal() and len(text) < _LONG_NUMBER
    return (0, int(text), text) if is_number else (1, 0, text)


def _need_specimens(cells: CellSet) -> None:
    if not cells.has_specimens:
        raise SpecimensError(
            cells.source,
            "its cells carry no specimen ids",
            "add a specimens.csv (Image ID,Specimen), or use --protocol k-fold, which "
            "is optimistic",
        )
    if len(np.unique(cells.specimens)) < 2:
        raise SpecimensError(
            cells.source,
            "all cells are of one specimen",
            "give at least two specimens of each pattern",
        )


@dataclass(frozen=True)
class _Groups:
    """Groups of specimens that share identical cells, and are held out together.

    Attributes
    ----------
    members
        Name of each of the G groups to its specimens.
    of_cells : (N,) int64 in 0..G-1
    patterns : (G,) int64
        The pattern that most cells of each group have.
    tested : (G,) bool
        Whether a group has cells that may be tested.
    """

    members: dict[str, tuple[str, ...]]
    of_cells: Rows
    patterns: Rows
    tested: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, cells: CellSet, codes: CellCodes) -> _Groups:
        """Find the groups of a cell set."""
        members = merge_specimens(cells, codes)
        number = {s: k for k, group in enumerate(members.values()) for s in group}
        of_names = np.array([number[name] for name in codes.names.tolist()], np.int64)
        of_cells, count = of_names[codes.specimens], len(cells.vocabulary)
        pairs = of_cells * count + cells.patterns
        tally = np.bincount(pairs, minlength=len(members) * count)
        own = np.bincount(of_cells[cells.own], minlength=len(members))
        patterns = tally.reshape(-1, count).argmax(axis=1)
        return cls(members, of_cells, patterns, own > 0)


def _loso(cells: CellSet, groups: _Groups) -> FoldPlan:
    testable, notes = _testable(cells, groups)
    names = list(groups.members)
    fold_of = np.full(len(names), -1, np.int64)
    fold_of[testable] = np.arange(len(testable))
    held = fold_of[groups.of_cells]
    folds = _hold_out(cells, [names[k] for k in testable], held)
    return FoldPlan("loso", folds, notes=(*_merge_notes(groups), *notes))


def _grouped(cells: CellSet, groups: _Groups, settings: ProtocolSettings) -> FoldPlan:
    folds, inner = settings.folds, settings.protocol == "inner-k"
    testable, notes = _testable(cells, groups)
    if len(testable) < folds:
        raise SpecimensError(
            cells.source,
            f"{len(testable)} specimens can be held out, {folds} folds were requested",
            f"use --folds {max(2, len(testable))} or fewer, or --protocol loso",
        )
    if inner and folds < _FEWEST_INNER:
        raise SpecimensError(
            cells.source,
            f"of {folds} folds none would be left to train on",
            f"use --folds {_FEWEST_INNER} or more",
        )
    rng = np.random.default_rng(settings.seed)
    fold_of = np.full(len(groups.members), -1, np.int64)
    turn = 0
    for k in range(len(cells.vocabulary)):
        its = testable[groups.patterns[testable] == k]
        dealt = its[rng.permutation(len(its))]
        fold_of[dealt] = (turn + np.arange(len(its))) % folds
        turn += len(its)
    names = [f"group-{k + 1}" for k in range(folds)]
    made = _hold_out(cells, names, fold_of[groups.of_cells])
    if inner:
        made = tuple(_without(f, made[k - 1]) for k, f in enumerate(made))
    plan_notes = (*_merge_notes(groups), *notes)
    return FoldPlan(settings.protocol, made, notes=plan_notes)


def _without(fold: Fold, other: Fold) -> Fold:
    """Return a fold that does not train on what another holds out either.

    What it measures may choose settings for the other fold, whose specimens it never
    saw.
    """
    held = np.union1d(fold.held, other.held)
    return Fold(fold.name, fold.test, held, fold.n_cells)


def _testable(cells: CellSet, groups: _Groups) -> tuple[Rows, list[str]]:
    """Return the groups whose pattern other groups can teach, and what was left out."""
    have = np.bincount(groups.patterns, minlength=len(cells.vocabulary))
    alone = have[groups.patterns] == 1
    names = list(groups.members)
    notes = [
        f"{cells.vocabulary[groups.patterns[k]].title} has one specimen only "
        f"({names[k]}): it is trained on and cannot be tested"
        for k in np.flatnonzero(groups.tested & alone)
    ]
    testable = np.flatnonzero(groups.tested & ~alone)
    if not len(testable):
        raise SpecimensError(
            cells.source,
            "no pattern has two specimens",
            "give at least two specimens of a pattern",
        )
    return testable, notes


def _merge_notes(groups: _Groups) -> list[str]:
    return [
        f"specimens {', '.join(group)} share identical cells and are held out together"
        for group in groups.members.values()
        if len(group) > 1
    ]


def _hold_out(cells: CellSet, names: Sequence[str], fold_of: Rows) -> tuple[Fold, ...]:
    """Make one fold a name; cells that are marked extra are held out and not tested.

    Parameters
    ----------
    fold_of : (N,) int64
        The fold that holds each cell out; -1 where none does.
    """
    order = np.argsort(fold_of, kind="stable")
    bounds = np.searchsorted(fold_of[order], np.arange(len(names) + 1))
    own = cells.own
    made = []
    for name, start, end in zip(names, bounds[:-1], bounds[1:], strict=True):
        held = order[start:end]
        tested = own[held]
        test = held if tested.all() else held[tested]
        made.append(Fold(name, test, held, len(cells)))
    return tuple(made)


def _root(parent: dict[str, str], specimen: str) -> str:
    while parent[specimen] != specimen:
        parent[specimen] = parent[parent[specimen]]
        specimen = parent[specimen]
    return specimen


PROTOCOLS: dict[str, str] = {
    "loso": "leave one specimen out",
    "inner-k": "grouped k-fold that leaves one more fold out of training: for "
    "choosing settings",
    "group-k": "grouped k-fold: whole specimens in turn, a cheaper approximation of "
    "LOSO",
    "k-fold": "k-fold that ignores specimens: leaky, kept to show its optimism",
}
