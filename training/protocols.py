"""Folds, and the proof that nothing leaks.

The specimen is the unit: cells of one specimen look alike, so a fold that trains on
some of them and tests on others measures memory. No function here splits without
specimens, save `k_fold_ignoring_specimens`, which exists to show its optimism.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.config import ProtocolSettings
from training.data.cells import CellSet
from training.errors import LeakError, SpecimensError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """The held-out specimens and the rest.

    Cells of the set that are marked extra are trained on and never tested.

    Attributes
    ----------
    name
        The held-out specimen of LOSO (``68``, or ``11+12`` where specimens share
        identical cells), else ``group-1``, ``part-1``.
    train, test : (n,) int64
        Rows of the cell set, ascending and disjoint.
    """

    name: str
    train: Rows
    test: Rows


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


@dataclass(frozen=True)
class LeakProof:
    """What was counted in a fold; both last counts are 0 unless it leaks.

    Attributes
    ----------
    n_train, n_test
        Cells on each side.
    shared_specimens
        Specimens with cells on both sides.
    shared_images
        Distinct images, up to rotation and mirror, that stand on both sides.
    """

    n_train: int
    n_test: int
    shared_specimens: int
    shared_images: int


def make_folds(cells: CellSet, settings: ProtocolSettings) -> FoldPlan:
    """Make the folds of a protocol and prove that none leaks.

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
    groups = merge_specimens(cells)
    if settings.protocol == "loso":
        plan = _loso(cells, groups)
    else:
        plan = _grouped(cells, groups, settings.folds, settings.seed)
    keys = image_keys(cells)
    for fold in plan.folds:
        prove_no_leak(cells, fold, keys)
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
    parts = [np.flatnonzero(part == k) for k in range(folds)]
    made = tuple(
        _fold(cells, f"part-{k + 1}", held_out) for k, held_out in enumerate(parts)
    )
    note = "k-fold ignores specimens: its figures are optimistic"
    return FoldPlan("k-fold", made, leaky=True, notes=(note,))


def merge_specimens(cells: CellSet) -> dict[str, tuple[str, ...]]:
    """Group specimens that share a pixel-identical cell, in any of its eight views.

    Returns
    -------
    groups
        Name of each group (ids joined by ``+``) to its specimens; most have one.
    """
    parent = {str(specimen): str(specimen) for specimen in np.unique(cells.specimens)}
    first: dict[bytes, str] = {}
    for key, specimen in zip(image_keys(cells), cells.specimens, strict=True):
        one = _root(parent, first.setdefault(key, str(specimen)))
        other = _root(parent, str(specimen))
        parent[max(one, other)] = min(one, other)
    members = defaultdict(list)
    for specimen in parent:
        members[_root(parent, specimen)].append(specimen)
    ordered = sorted(members.values(), key=lambda group: natural_key(group[0]))
    return {"+".join(group): tuple(group) for group in ordered}


def image_keys(cells: CellSet) -> list[bytes]:
    """Return one hash an image, the same for all of its eight rotations and mirrors."""
    keys = []
    for image in cells.images:
        views = [np.rot90(side, k) for side in (image, image.T) for k in range(4)]
        keys.append(min(_hash(view) for view in views))
    return keys


def prove_no_leak(
    cells: CellSet, fold: Fold, keys: Sequence[bytes] | None = None
) -> LeakProof:
    """Count what stands on both sides of a fold.

    Raises
    ------
    LeakError
        If a specimen or an image, in any of its eight views, is on both sides.
    """
    proof = count_shared(cells, fold, keys)
    if proof.shared_specimens or proof.shared_images:
        raise LeakError(
            f"fold {fold.name}",
            f"{proof.shared_specimens} specimens and {proof.shared_images} images "
            "stand in training and in testing",
            "give copies of a cell the same specimen id",
        )
    return proof


def count_shared(
    cells: CellSet, fold: Fold, keys: Sequence[bytes] | None = None
) -> LeakProof:
    """Count specimens and images on both sides of a fold, without judging."""
    keys = image_keys(cells) if keys is None else keys
    specimens = np.intersect1d(cells.specimens[fold.train], cells.specimens[fold.test])
    images = {keys[row] for row in fold.train} & {keys[row] for row in fold.test}
    return LeakProof(
        len(fold.train), len(fold.test), len(specimens[specimens != ""]), len(images)
    )


def natural_key(text: str) -> tuple[int, int, str]:
    """Sort key that puts specimen 9 before specimen 10, and numbers before names."""
    return (0, int(text), text) if text.isdecimal() else (1, 0, text)


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


def _loso(cells: CellSet, groups: dict[str, tuple[str, ...]]) -> FoldPlan:
    pattern = _group_patterns(cells, groups)
    testable, notes = _testable(cells, groups, pattern)
    folds = tuple(_group_fold(cells, name, [groups[name]]) for name in testable)
    return FoldPlan("loso", folds, notes=(*_merge_notes(groups), *notes))


def _grouped(
    cells: CellSet, groups: dict[str, tuple[str, ...]], folds: int, seed: int
) -> FoldPlan:
    pattern = _group_patterns(cells, groups)
    testable, notes = _testable(cells, groups, pattern)
    if len(testable) < folds:
        raise SpecimensError(
            cells.source,
            f"{len(testable)} specimens can be held out, {folds} folds were asked for",
            f"use --folds {max(2, len(testable))} or fewer, or --protocol loso",
        )
    rng = np.random.default_rng(seed)
    dealt: list[list[tuple[str, ...]]] = [[] for _ in range(folds)]
    turn = 0
    for k in range(len(cells.vocabulary)):
        names = [name for name in testable if pattern[name] == k]
        for position in rng.permutation(len(names)):
            dealt[turn % folds].append(groups[names[position]])
            turn += 1
    made = tuple(
        _group_fold(cells, f"group-{k + 1}", held) for k, held in enumerate(dealt)
    )
    return FoldPlan("group-k", made, notes=(*_merge_notes(groups), *notes))


def _group_patterns(
    cells: CellSet, groups: dict[str, tuple[str, ...]]
) -> dict[str, int]:
    """Return the pattern that most cells of each group have."""
    count = len(cells.vocabulary)
    found = {}
    for name, specimens in groups.items():
        rows = np.isin(cells.specimens, specimens)
        found[name] = int(np.bincount(cells.patterns[rows], minlength=count).argmax())
    return found


def _testable(
    cells: CellSet, groups: dict[str, tuple[str, ...]], pattern: dict[str, int]
) -> tuple[list[str], list[str]]:
    """Return the groups whose pattern other groups can teach, and what was left out."""
    counts = np.bincount(list(pattern.values()), minlength=len(cells.vocabulary))
    own = set(cells.specimens[cells.own].tolist())
    tested = [name for name in groups if own.intersection(groups[name])]
    testable = [name for name in tested if counts[pattern[name]] > 1]
    notes = [
        f"{cells.vocabulary[pattern[name]].title} has one specimen only ({name}): "
        "it is trained on and cannot be tested"
        for name in tested
        if counts[pattern[name]] == 1
    ]
    if not testable:
        raise SpecimensError(
            cells.source,
            "no pattern has two specimens",
            "give at least two specimens of a pattern",
        )
    return testable, notes


def _merge_notes(groups: dict[str, tuple[str, ...]]) -> list[str]:
    return [
        f"specimens {', '.join(group)} share identical cells and are held out together"
        for group in groups.values()
        if len(group) > 1
    ]


def _group_fold(cells: CellSet, name: str, held: Sequence[tuple[str, ...]]) -> Fold:
    specimens = [specimen for group in held for specimen in group]
    return _fold(cells, name, np.flatnonzero(np.isin(cells.specimens, specimens)))


def _fold(cells: CellSet, name: str, held: Rows) -> Fold:
    """Hold rows out of training; those that are marked extra are not tested."""
    train = np.setdiff1d(np.arange(len(cells)), held)
    test = held[cells.own[held]]
    return Fold(name, train.astype(np.int64), test.astype(np.int64))


def _root(parent: dict[str, str], specimen: str) -> str:
    while parent[specimen] != specimen:
        parent[specimen] = parent[parent[specimen]]
        specimen = parent[specimen]
    return specimen


def _hash(view: npt.NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(view.tobytes(), digest_size=16).digest()


PROTOCOLS: dict[str, str] = {
    "loso": "leave one specimen out",
    "group-k": "grouped k-fold: specimens dealt in turn, a cheaper stand-in for LOSO",
    "k-fold": "k-fold that ignores specimens: leaky, kept to show its optimism",
}
