"""Identity of a cell: which nucleus of a new mask is which one of those known before.

A decision is on the id of a cell, and an id belongs to a nucleus for good. So when the
cells of a frame are cut again, each new nucleus takes the id of its partner among the
known ones, or an id that no nucleus of the frame ever had. Nothing in the store of
decisions is moved or rewritten: a decision follows its nucleus because the id does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.data.masks.nuclei import Ints, Nuclei
from training.data.masks.overlap import overlaps

PARTNER = 0.5
"""Least intersection over union of partners."""

CANDIDATE = 0.2
"""From this intersection over union on two nuclei have to do with each other."""

_AREA_RATIO = (0.5, 2.0)
_NOWHERE = -1e9

Bools = npt.NDArray[np.bool_]


class KnownNucleus(NamedTuple):
    """A nucleus that a cell of a frame was cut from, now or before.

    Attributes
    ----------
    number
        Of the cell's id, unique in the frame for good.
    present
        Whether a cell of the latest cut has it.
    height, width
        Of the frame in pixels.
    y, x
        Centroid in pixels; far outside the frame where only the number is known.
    area
        In pixels.
    runs
        Its pixels in the order of the rows, as lengths of gaps and runs by turns;
        empty where a program that did not keep them cut the cell.
    """

    number: int
    present: bool
    height: int
    width: int
    y: float
    x: float
    area: int
    runs: str


def only_number(number: int) -> KnownNucleus:
    """Return a nucleus of which nothing but the number is known: it has no partner."""
    return KnownNucleus(number, False, 0, 0, _NOWHERE, _NOWHERE, 0, "")


@dataclass(frozen=True)
class Identified:
    """The nuclei of a frame that was cut again, with their numbers.

    Attributes
    ----------
    numbers : (N,) int64
        In the order of the labels.
    known
        What is known of the frame from now on: these nuclei, and those without a
        partner among them, which keep their numbers.
    candidates
        Numbers of the new nuclei that an absent one may have become, by its number.
    """

    numbers: Ints
    known: tuple[KnownNucleus, ...]
    candidates: Mapping[int, tuple[int, ...]]

    def asked(self, decided: Collection[int]) -> Bools:
        """Return which nuclei a reviewer is asked about, (N,) bool.

        They are undecided, and one that was decided on may have become them.

        Parameters
        ----------
        decided
            Numbers of the frame that have a decision now.
        """
        open_now = {
            new
            for old, found in self.candidates.items()
            if old in decided
            for new in found
            if new not in decided
        }
        return np.isin(self.numbers, sorted(open_now))


def identify(known: Sequence[KnownNucleus], nuclei: Nuclei) -> Identified:
    """Give the nuclei of a new mask of a frame their numbers.

    Parameters
    ----------
    known
        Of the frame, in any order; empty where it is cut for the first time, and then
        the numbers are the labels of the mask.
    nuclei
        Of a label image, so that no two share a pixel.

    Notes
    -----
    Two nuclei are *candidates* from an intersection over union of 0.2 on. They are
    *partners* from 0.5 on, if neither has another candidate; and where their pixels are
    the same. Those of the latest cut come first; a nucleus that has no partner among
    them is then compared with those that were absent from it, so that a mask which is
    put back brings its ids back.

    Where the pixels of a known nucleus were not kept, its centroid and area stand in:
    partners are less than half its radius apart and differ at most by a factor of two
    in area; candidates have centroids inside the radius of the larger one.
    """
    pairs = _pairs(known, nuclei)
    present = np.array([one.present for one in known], np.bool_)
    found = np.full(len(nuclei), -1)
    latest = present[pairs.first]
    _match(found, pairs, latest, rivals=latest)
    _match(found, pairs, ~latest, rivals=np.ones_like(latest))
    numbers = _numbers(known, nuclei, found)
    after = _after(known, nuclei, numbers)
    return Identified(numbers, after, _candidates(known, pairs, found, numbers))


def candidates_of(known: Sequence[KnownNucleus]) -> dict[int, tuple[int, ...]]:
    """Return which present nuclei each absent one of a frame may have become.

    It gives their numbers by its number, also where there are none.
    """
    absent = [one for one in known if not one.present]
    present = painted([one for one in known if one.present])
    pairs = _pairs(absent, present)
    found: dict[int, list[int]] = {one.number: [] for one in absent}
    for old, new in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        found[absent[old].number].append(int(present.labels[new]))
    return {number: tuple(those) for number, those in found.items()}


def painted(known: Sequence[KnownNucleus]) -> Nuclei:
    """Return known nuclei whose pixels were kept, labelled with their numbers."""
    kept = sorted((one for one in known if one.runs), key=lambda one: one.number)
    shape = (kept[0].height, kept[0].width) if kept else (0, 0)
    drawn = [np.array(one.runs.split(), np.int64) for one in kept]
    ends = [np.cumsum(steps) for steps in drawn]
    empty = [np.zeros(0, np.int64)]
    starts = np.concatenate([*(one[::2] for one in ends), *empty])
    stops = np.concatenate([*(one[1::2] for one in ends), *empty])
    owner = np.repeat(np.arange(len(kept)), [len(one) // 2 for one in ends])
    order = np.argsort(starts, kind="stable")
    numbers = np.array([one.number for one in kept], np.int64)
    return Nuclei(shape, starts[order], stops[order], owner[order], numbers)


class _Pairs(NamedTuple):
    """Candidates: rows of known and of new nuclei; partners, and the same pixels."""

    first: Ints
    second: Ints
    close: Bools
    same: Bools


def _pairs(known: Sequence[KnownNucleus], nuclei: Nuclei) -> _Pairs:
    one, other = _by_pixels(known, nuclei), _by_place(known, nuclei)
    return _Pairs(
        np.concatenate([one.first, other.first]),
        np.concatenate([one.second, other.second]),
        np.concatenate([one.close, other.close]),
        np.concatenate([one.same, other.same]),
    )


def _by_pixels(known: Sequence[KnownNucleus], nuclei: Nuclei) -> _Pairs:
    size = nuclei.shape
    rows = [
        row
        for row, one in enumerate(known)
        if one.runs and (one.height, one.width) == size
    ]
    rows.sort(key=lambda row: known[row].number)
    found = overlaps(painted([known[row] for row in rows]), nuclei)
    near = found.iou >= CANDIDATE
    first, iou = np.array(rows, np.int64)[found.first[near]], found.iou[near]
    return _Pairs(first, found.second[near], iou >= PARTNER, iou == 1)


def _by_place(known: Sequence[KnownNucleus], nuclei: Nuclei) -> _Pairs:
    rows = np.array([k for k, one in enumerate(known) if not one.runs], np.int64)
    y, x = (np.array([known[k][at] for k in rows.tolist()], float) for at in (4, 5))
    area = np.array([known[k].area for k in rows.tolist()], float)
    distance = np.hypot(
        y[:, None] - nuclei.centroids[0], x[:, None] - nuclei.centroids[1]
    )
    radius, theirs = np.sqrt(area / np.pi), np.sqrt(nuclei.areas / np.pi)
    first, second = np.nonzero(distance < np.maximum(radius[:, None], theirs))
    ratio = nuclei.areas[second] / area[first]
    close = (distance[first, second] < radius[first] / 2) & (
        (ratio >= _AREA_RATIO[0]) & (ratio <= _AREA_RATIO[1])
    )
    return _Pairs(rows[first], second, close, np.zeros(len(first), np.bool_))


def _match(found: Ints, pairs: _Pairs, group: Bools, rivals: Bools) -> None:
    """Write the partner of each new nucleus that has none yet.

    Parameters
    ----------
    group
        Pairs to choose from.
    rivals
        Pairs that count as other candidates.
    """
    of_known = Counter(pairs.first[group].tolist())
    of_new = Counter(pairs.second[rivals].tolist())
    twins = Counter(pairs.second[group & pairs.same].tolist())
    for place in np.flatnonzero(group).tolist():
        old, new = int(pairs.first[place]), int(pairs.second[place])
        alone = of_known[old] == 1 and of_new[new] == 1
        same = bool(pairs.same[place]) and twins[new] == 1
        if found[new] < 0 and (same or (pairs.close[place] and alone)):
            found[new] = old


def _numbers(known: Sequence[KnownNucleus], nuclei: Nuclei, found: Ints) -> Ints:
    """Return the numbers: of the partner, else the label, else one never used."""
    used = {one.number for one in known}
    highest = int(nuclei.labels.max(initial=0))
    following = max([*used, highest], default=0) + 1
    numbers = []
    for row, label in zip(found.tolist(), nuclei.labels.tolist(), strict=True):
        if row >= 0:
            numbers.append(known[row].number)
        elif label not in used:
            numbers.append(label)
        else:
            numbers.append(following)
            following += 1
    return np.array(numbers, np.int64)


def _after(
    known: Sequence[KnownNucleus], nuclei: Nuclei, numbers: Ints
) -> tuple[KnownNucleus, ...]:
    taken = set(numbers.tolist())
    absent = [one._replace(present=False) for one in known if one.number not in taken]
    return (*known_nuclei(nuclei, numbers), *absent)


def known_nuclei(nuclei: Nuclei, numbers: Ints) -> Iterator[KnownNucleus]:
    """Yield the nuclei of a mask, present, under their numbers."""
    order = np.argsort(nuclei.owner, kind="stable")
    bounds = np.cumsum(np.bincount(nuclei.owner, minlength=len(nuclei)))[:-1]
    edges = np.stack([nuclei.starts[order], nuclei.ends[order]], axis=1)
    (height, width), (y, x) = nuclei.shape, nuclei.centroids
    columns = (numbers, np.round(y, 3), np.round(x, 3), nuclei.areas)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    parts = np.split(edges, bounds)
    for (number, own_y, own_x, area), part in zip(rows, parts, strict=True):
        steps = np.diff(part.ravel(), prepend=0)
        runs = " ".join(map(str, steps.tolist()))
        yield KnownNucleus(number, True, height, width, own_y, own_x, area, runs)


def _candidates(
    known: Sequence[KnownNucleus], pairs: _Pairs, found: Ints, numbers: Ints
) -> dict[int, tuple[int, ...]]:
    partners = set(found.tolist())
    out: dict[int, tuple[int, ...]] = {}
    for old, new in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        if old not in partners:
            number = known[old].number
            out[number] = (*out.get(number, ()), int(numbers[new]))
    return out
