"""How often each interval of the project holds the truth, and each test is wrong.

    OMP_NUM_THREADS=1 python tests/benchmarks/coverage.py

Specimens are drawn from known populations (`drawn_specimens`), measured by the code
that reports use, and compared with the truth of the population. Prints the tables of
docs/methods.md as Markdown, in per cent; a share of 4,000 repeats is known to about 0.7
points, one of 100 to about 4. Takes two minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import verdict_risk
from drawn_specimens import CONCENTRATIONS, ROWS, Drawn, beta, draw, held

from training.config import VerdictSettings
from training.decisions.agreement import kappa_interval, kappa_of
from training.evaluation.comparison import sign_flip_test
from training.evaluation.intensity import GRADES
from training.evaluation.intervals import (
    loss_interval,
    mean_interval,
    rate_intervals,
)
from training.evaluation.verdict_fit import cross_fit, risk_bound
from training.patterns import I3A
from training.studies.learning_curves import CurveStudy, Point, _fit

Floats = npt.NDArray[np.float64]
Row = list[object]

SIZES = (0.25, 0.5, 1.0)
"""Of the training sets of a drawn learning curve, whose error falls by the power."""

POWER = {"specimens": 0.4, "cells": 0.1}


def rates(repeats: int) -> Iterator[Row]:
    """Yield coverage of the mean's and the patterns' intervals, and the width."""
    yield (
        ["specimens of each pattern"]
        + [f"{what}, {c:g}" for c in CONCENTRATIONS for what in ("mean", "patterns")]
        + ["width, 2", "known spread"]
    )
    for name, counts in ROWS.items():
        row: Row = [name]
        for concentration in CONCENTRATIONS:
            rng = np.random.default_rng(1)
            drawn = draw(counts, concentration, repeats, rng)
            found = rate_intervals(drawn.right(rng), drawn.total)
            row += [
                held(found.mean, drawn.means.mean(axis=1)),
                held(found.each, drawn.means),
            ]
            if concentration == 2:
                ends = [float(np.diff(found.mean).mean()), known_width(drawn, 2)]
        yield [*row, *ends]


def known_width(drawn: Drawn, concentration: float) -> float:
    """Return the mean width of a normal interval if the spread were known."""
    total = drawn.total
    uneven = ((total / total.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    spread = drawn.means * (1 - drawn.means) / (concentration + 1)
    deviation = np.sqrt((spread * uneven).sum(axis=1)) / total.shape[2]
    return float(2 * 1.96 * deviation.mean())


def differences(repeats: int) -> Iterator[Row]:
    """Yield coverage of the difference of two systems, and the size of its test.

    Both have the same means, but for the last column, where the second is 13 points
    better; *few* differ on a fifth of the specimens alone, *uneven* have concentrations
    1 and 6.
    """
    cases = {"alike": (2, 2, 0.0), "few": (2, 2, 0.8), "uneven": (1, 6, 0.0)}
    yield ["specimens of each pattern", *cases, "better", "p, alike", "p, uneven"]
    for name, counts in ROWS.items():
        row, sizes = [name], []
        for case, (one, other, same) in cases.items():
            gained, drawn = _gained(counts, one, other, same, 0.0, repeats)
            row.append(held(mean_interval(gained, drawn.total), 0.0))
            if case != "few":
                sizes.append(_size(gained, drawn, min(repeats, 1500)))
        gained, drawn = _gained(counts, 2, 2, 0.5, 0.129, repeats)
        row.append(held(mean_interval(gained, drawn.total), 0.5 * 0.129))
        yield [*row, *sizes]


def _gained(
    counts: tuple[int, ...],
    one: float,
    other: float,
    same: float,
    shift: float,
    repeats: int,
) -> tuple[Floats, Drawn]:
    rng = np.random.default_rng(3)
    drawn = draw(counts, one, repeats, rng)
    second = beta(drawn.means[:, drawn.pattern] + shift, other, rng)
    second = np.where(rng.random(second.shape) < same, drawn.accuracy, second)
    return drawn.right(rng, second) - drawn.right(rng), drawn


def _size(gained: Floats, drawn: Drawn, repeats: int) -> float:
    """Return how often the sign-flip test rejects at 5 %."""
    rng = np.random.default_rng(0)
    cells = drawn.total.sum(axis=1, keepdims=True)
    terms = (gained / cells).sum(axis=2)[:repeats]
    return float(np.mean([sign_flip_test(one, rng, 400)[0] <= 0.05 for one in terms]))


def losses(repeats: int) -> Iterator[Row]:
    """Yield coverage of the intervals of a Brier score and of a log loss."""
    yield ["specimens of each pattern"] + [
        f"{what}, {c:g}" for what in ("Brier", "log loss") for c in CONCENTRATIONS
    ]
    for name, counts in ROWS.items():
        row: Row = [name]
        for heavy in (False, True):
            for concentration in CONCENTRATIONS:
                rng = np.random.default_rng(3)
                drawn = draw(counts, concentration, repeats, rng)
                loss = 1.5 * (1 - drawn.accuracy)
                if heavy:  # a gamma variable of the same mean: some are very wrong
                    mean = 1.5 * (1 - drawn.means[:, drawn.pattern])
                    shape = concentration / 1.5
                    loss = rng.gamma(shape, mean / shape)
                cells = drawn.total.sum(axis=1)
                truth = (cells * 1.5 * (1 - drawn.means)).sum(axis=1) / cells.sum(
                    axis=1
                )
                found = loss_interval(drawn.spread(drawn.cells * loss), drawn.total)
                row.append(held(found, truth))
        yield row


def curves(repeats: int) -> Iterator[Row]:
    """Yield coverage of points of learning curves and of what they say.

    The error of each specimen falls by the power law, with noise of its own at each
    size.
    """
    yield ["specimens of each pattern", "point", "gain of twice", "difference"]
    for name, counts in ROWS.items():
        rng = np.random.default_rng(5)
        drawn = draw(counts, 2.0, repeats, rng)
        rights = {
            (curve, size): drawn.right(rng, _learned(drawn, size**-power, rng))
            for curve, power in POWER.items()
            for size in SIZES
        }
        studies = [_study(drawn, rights, k) for k in range(repeats)]
        error = 1 - drawn.means.mean(axis=1)
        gains = {c: error * 0.9 * (1 - 2**-power) for c, power in POWER.items()}
        points = [[p.interval or (np.nan, np.nan) for p in s.points] for s in studies]
        truth = np.stack(
            [1 - 0.9 * error * z**-p for p in POWER.values() for z in SIZES]
        )
        told = [
            (s.gain("specimens").interval, s.difference().interval) for s in studies
        ]
        ends = np.array([[one or (np.nan, np.nan) for one in both] for both in told])
        yield [
            name,
            held(np.array(points), truth.T),
            held(ends[:, 0], gains["specimens"]),
            held(ends[:, 1], gains["specimens"] - gains["cells"]),
        ]


def _learned(drawn: Drawn, factor: float, rng: np.random.Generator) -> Floats:
    """Return accuracies whose mean error is 0.9 * `factor` times that of the drawn."""
    noise = rng.uniform(0.8, 1.0, drawn.accuracy.shape) * min(1.0, factor)
    wrong = (1 - drawn.accuracy) * noise
    if factor > 1:  # what was right goes wrong as well, in the same proportion
        share = (factor - 1) * (1 - drawn.means[:, drawn.pattern])
        right = drawn.means[:, drawn.pattern]
        wrong = wrong + drawn.accuracy * share / right * rng.uniform(
            0.8, 1.0, wrong.shape
        )
    return 1 - np.clip(wrong, 0, 1)


def _study(drawn: Drawn, rights: dict[tuple[str, float], Floats], k: int) -> CurveStudy:
    total = drawn.total[k]
    cells = total.sum(axis=0)
    points = []
    for (curve, size), right in rights.items():
        found = rate_intervals(right[k], total).mean
        mean = float((right[k].sum(axis=0) / cells).mean())
        ends = None if np.isnan(found[0]) else (found[0], found[1])
        points.append(Point(curve, size, size, 1, 1, 1, mean, ends, right[k]))
    fits = {c: _fit([p for p in points if p.curve == c]) for c in POWER}
    return CurveStudy(tuple(points), fits, total, (), True)


def kappas(repeats: int) -> Iterator[Row]:
    """Yield coverage of kappa between two reviewers of 20 to 80 cells a specimen."""
    counts = (3, 4, 6, 10, 20, 40)
    yield ["specimens agree", *(f"{n} specimens" for n in counts)]
    for words, concentration in (("very unevenly", 2.0), ("more evenly", 6.0)):
        many = reviewed(200_000, concentration, np.random.default_rng(2))
        truth = float(kappa_of(many.sum(axis=0)))
        row: Row = [words]
        for n in counts:
            rng = np.random.default_rng(1)
            found = [
                kappa_interval(reviewed(n, concentration, rng)) for _ in range(repeats)
            ]
            row.append(held(np.array(found), truth))
        yield row


def reviewed(n: int, concentration: float, rng: np.random.Generator) -> Floats:
    """Draw (n, 4, 4) cells of n specimens by what two reviewers said.

    Each specimen has a pattern, a pattern it is mistaken for, and a share of cells on
    which both say the same, beta distributed about 3/4.
    """
    own, cells = rng.integers(4, size=n), rng.integers(20, 81, n)
    other = (own + rng.integers(1, 4, n)) % 4
    alike = rng.binomial(cells, rng.beta(0.75 * concentration, 0.25 * concentration, n))
    mistaken, one = rng.binomial(alike, 0.15), rng.binomial(cells - alike, 0.5)
    table = np.zeros((n, 4, 4))
    for row, column, count in (
        (own, own, alike - mistaken),
        (other, other, mistaken),
        (own, other, one),
        (other, own, cells - alike - one),
    ):
        table[np.arange(n), row, column] += count
    return table


def readers(repeats: int) -> Iterator[Row]:
    """Yield coverage of kappa between two readers of specimens, one answer each.

    Grades are of six steps; a reader is off by none, or by a geometric number of steps.
    """
    counts = (10, 20, 40, 80)
    yield ["kappa of", *(f"{n} specimens" for n in counts)]
    steps = len(GRADES)
    places = np.arange(steps)
    apart = np.abs(places[:, None] - places)
    for words, kinds, weights in (
        ("positive or negative", 2, None),
        (
            "grade, linear weights",
            steps,
            apart,
        ),
    ):
        many = graded(200_000, kinds, np.random.default_rng(2))
        truth = float(kappa_of(many.sum(axis=0), weights))
        row: Row = [words]
        for n in counts:
            rng = np.random.default_rng(1)
            found = [
                kappa_interval(graded(n, kinds, rng), weights) for _ in range(repeats)
            ]
            row.append(held(np.array(found), truth))
        yield row


def graded(n: int, kinds: int, rng: np.random.Generator) -> Floats:
    """Draw (n, kinds, kinds): what two readers said of each specimen."""
    true = rng.integers(len(GRADES), size=n)
    said = []
    for _ in range(2):
        off = (rng.geometric(0.75, n) - 1) * rng.choice((-1, 1), n)
        found = np.clip(true + off, 0, len(GRADES) - 1)
        said.append(found if kinds == len(GRADES) else (found > 1).astype(int))
    table = np.zeros((n, kinds, kinds))
    table[np.arange(n), said[0], said[1]] = 1
    return table


def queues(repeats: int) -> Iterator[Row]:
    """Yield coverage of the share of right doubts among the first cells of a queue.

    The cells of a queue are of 36 specimens, some with many: a Poisson number whose
    mean is itself drawn; how many of a specimen's are right is drawn for each.
    """
    firsts = (20, 50, 100)
    yield ["share right", *(f"first {n}" for n in firsts)]
    for share in (0.5, 0.9):
        row: Row = [f"{100 * share:.0f} %"]
        for first in firsts:
            rng = np.random.default_rng(1)
            mean = rng.gamma(1, first / 36, (repeats, 36))
            total = rng.poisson(mean).astype(np.float64)
            chance = beta(np.full(total.shape, share), 2.0, rng)
            right = rng.binomial(total.astype(int), chance)[..., None]
            row.append(held(rate_intervals(right, total[..., None]).mean, share))
        yield row


def verdicts(fits: int) -> Iterator[Row]:
    """Yield how often the risk of verdicts is above what was guaranteed, or bounded."""
    yield ["specimens", "asked", "guaranteed", "missed", "no verdicts", "answered"]
    for specimens, risk in ((56, 0.1), (56, 0.2), (83, 0.1), (83, 0.2)):
        settings, rng = VerdictSettings(risk=risk), np.random.default_rng(0)
        found = [verdict_risk.kept_risk(specimens, settings, rng) for _ in range(fits)]
        answered, wrong = np.array(found).T
        over = wrong > risk * answered
        yield [
            str(specimens),
            risk,
            settings.confidence,
            float(over.mean()),
            float((answered == 0).mean()),
            float(answered.mean() / verdict_risk.FRESH),
        ]


def bounds(fits: int) -> Iterator[Row]:
    """Yield how often the one-sided 95 % bound of cross-fitted verdicts holds."""
    yield ["specimens", "bound holds", "fits with verdicts"]
    rng, settings = np.random.default_rng(0), VerdictSettings(risk=0.3)
    held_by = []
    for _ in range(fits):
        judged, fitted = verdict_risk.fit(24, settings, rng)
        told = [one for one in cross_fit(judged, I3A, settings) if one.verdict.pattern]
        bound = risk_bound(sum(one.wrong for one in told), len(told))
        given, wrong = verdict_risk.judge_fresh(fitted, settings, rng)
        if bound is not None and given:
            held_by.append(wrong / given <= bound)
    yield ["24", float(np.mean(held_by)), str(len(held_by))]


STUDIES: dict[str, tuple[Callable[[int], Iterable[Row]], int]] = {
    "rates": (rates, 4000),
    "differences": (differences, 4000),
    "losses": (losses, 4000),
    "curves": (curves, 400),
    "kappas": (kappas, 1500),
    "readers": (readers, 1500),
    "queues": (queues, 4000),
    "verdicts": (verdicts, 100),
    "bounds": (bounds, 60),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=STUDIES, nargs="*", default=list(STUDIES))
    parser.add_argument("--repeats", type=int, help="of each study named by --only")
    given = parser.parse_args()
    for name in given.only:
        study, repeats = STUDIES[name]
        repeats = given.repeats or repeats
        print(f"\n{name}: {(study.__doc__ or '').splitlines()[0]}\n")
        head, *rows = study(repeats)
        print(f"| {' | '.join(map(str, head))} |\n|{'---|' * len(head)}")
        for row in rows:
            print(f"| {' | '.join(map(_shown, row))} |", flush=True)


def _shown(value: object) -> str:
    return f"{100 * value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
