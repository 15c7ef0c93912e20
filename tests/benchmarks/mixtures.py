"""How often a mixture of two patterns is called mixed, and a pure specimen.

    OMP_NUM_THREADS=1 python tests/benchmarks/mixtures.py RUN --share 0.5

A mixture is made of cells of two held-out specimens of a finished run that differ in
pattern and were recognised by themselves. It is judged by constants fitted on all other
specimens; so is each held-out specimen by itself. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.config import VerdictSettings
from training.evaluation.verdict import SpecimenVerdict, specimen_verdict
from training.evaluation.verdict_constants import (
    JudgedSpecimens,
    fit_constants,
    judge_specimens,
)
from training.patterns import Vocabulary, vocabulary_for
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions


def mixtures(
    judged: JudgedSpecimens, draws: int, share: float, rng: np.random.Generator
) -> Iterator[tuple[int, int, npt.NDArray[np.float32]]]:
    """Draw pairs of specimens; yield both and the scores of their cells together.

    Parameters
    ----------
    judged
        All held-out specimens.
    draws
        Pairs drawn; those of one pattern are passed over.
    share
        Of the cells that come from the first, over 0 and under 1.
    rng
        Draws the pairs and the cells.
    """
    recognised = np.flatnonzero(judged.recognised)
    for _ in range(draws):
        a, b = rng.choice(recognised, 2, replace=False).tolist()
        if judged.truth[a] == judged.truth[b]:
            continue
        one, other = judged.cells[a], judged.cells[b]
        total = min(len(one) / share, len(other) / (1 - share))
        first, second = round(share * total), round((1 - share) * total)
        parts = [rng.permutation(one)[:first], rng.permutation(other)[:second]]
        yield a, b, np.concatenate(parts)


def named(verdict: SpecimenVerdict, vocabulary: Vocabulary) -> set[int]:
    """Return the places of both patterns of a verdict."""
    both = (verdict.pattern, verdict.second)
    return {vocabulary.index(one.name) for one in both if one is not None}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=150)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    said = read_predictions(RunFolder.open(given.run))
    known = vocabulary_for(said.patterns, given.run)
    patterns = [known[known.index(name, given.run)] for name in said.patterns]
    vocabulary = Vocabulary(known.name, tuple(patterns))
    judged = judge_specimens(
        said.scores,
        said.truth,
        said.specimens,
        said.patterns,
        np.random.default_rng(0),
    )
    rng, settings = np.random.default_rng(given.seed), VerdictSettings()
    everyone = np.arange(len(judged))

    def judge(scores: npt.NDArray[np.float32], *own: int) -> SpecimenVerdict:
        fitted = fit_constants(judged, np.setdiff1d(everyone, own), settings)
        return specimen_verdict(scores, vocabulary, settings, fitted)

    drawn = list(mixtures(judged, given.draws, given.share, rng))
    verdicts = [judge(scores, a, b) for a, b, scores in drawn]
    pairs = [{judged.truth[a], judged.truth[b]} for a, b, _ in drawn]
    pure = [judge(judged.cells[k], k) for k in everyone.tolist()]
    told = {
        "mixtures": len(verdicts),
        "called_mixed": sum(one.mixed for one in verdicts),
        "both_right": sum(
            one.mixed and named(one, vocabulary) == pair
            for one, pair in zip(verdicts, pairs, strict=True)
        ),
        "specimens": len(pure),
        "specimens_called_mixed": sum(one.mixed for one in pure),
        "one_pattern": sum(not one.mixed and not one.withheld for one in verdicts),
        "withheld": dict(Counter(one.withheld for one in verdicts if one.withheld)),
        **{name: value for name, value in vars(given).items() if name != "run"},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
