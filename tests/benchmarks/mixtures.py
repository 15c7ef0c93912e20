"""How often a mixture of two patterns is called mixed, or withheld.

    OMP_NUM_THREADS=1 python tests/benchmarks/mixtures.py RUN --share 0.5

A mixture is made of cells of two held-out specimens of a finished run that differ in
pattern and were recognised by themselves. It is judged by constants fitted on all other
specimens. Prints one line of JSON.
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
from training.evaluation.verdict import specimen_verdict
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
    everyone, verdicts = np.arange(len(judged)), []
    for a, b, scores in mixtures(judged, given.draws, given.share, rng):
        others = np.setdiff1d(everyone, [a, b])
        fitted = fit_constants(judged, others, settings)
        verdicts.append(specimen_verdict(scores, vocabulary, settings, fitted))
    told = {
        "mixtures": len(verdicts),
        "called_mixed": sum(one.mixed for one in verdicts),
        "one_pattern": sum(not one.mixed and not one.withheld for one in verdicts),
        "withheld": dict(Counter(one.withheld for one in verdicts if one.withheld)),
        **{name: value for name, value in vars(given).items() if name != "run"},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
