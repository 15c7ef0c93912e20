"""Figures of finished runs, as JSON and in a sentence."""

from __future__ import annotations

import numpy as np

from training.errors import BadRunError
from training.evaluation.comparison import Comparison, compare, matched
from training.evaluation.intervals import percent_range
from training.evaluation.metrics import Metrics, measure
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.runs.results import read_metrics
from training.splits.protocols import PROTOCOLS


def load_metrics(run: RunFolder) -> tuple[Metrics, list[str]]:
    """Read the figures of a finished run.

    One of an earlier version, whose interval was too narrow, is measured again.

    Returns
    -------
    metrics, patterns

    Raises
    ------
    BadRunError
        If the run is not finished, or the file damaged.
    """
    content = read_metrics(run)
    names, interval = content["patterns"], content["interval"]
    if content["rate_intervals"] is None:
        said = read_predictions(run)
        return measure(said.truth, said.predicted, said.specimens, len(names)), names
    each = [content["rate_intervals"].get(name) for name in names]
    rates = [content["rates"][name] for name in names]
    mean = content["mean_class_accuracy"]
    return (
        Metrics(
            content["n"],
            np.asarray(content["confusion"], np.int64),
            np.asarray(rates, np.float64),
            np.nan if mean is None else mean,
            (interval[0], interval[1]) if interval else None,
            np.asarray([content["specimens"][name] for name in names], np.int64),
            tuple((one[0], one[1]) if one else None for one in each),
            np.isin(names, content["borrowed"]),
        ),
        names,
    )


def measured_sentence(run: RunFolder) -> str:
    """Return the figures of a finished run in one sentence, for a model's card."""
    metrics, _ = load_metrics(run)
    content = read_metrics(run)
    interval = ""
    if metrics.interval:
        interval = f" (95 % over specimens {percent_range(metrics.interval)})"
    protocol = PROTOCOLS[content["protocol"]].split(":")[0]
    return (
        f"mean class accuracy {100 * metrics.mean_class_accuracy:.1f} %{interval}, "
        f"{protocol}, {metrics.n} held-out cells of "
        f"{int(metrics.specimens.sum())} specimens"
    )


def figures_for_card(run: RunFolder, config: RunConfig, fingerprint: str) -> str:
    """Return the figures of a finished run for the card of a model.

    Parameters
    ----------
    run
        What was measured.
    config, fingerprint
        The recipe of the model, and its training cells.

    Raises
    ------
    BadRunError
        If the run measured another recipe: its figures say nothing of the model.
    """
    theirs = run.config()
    for its, ours in (
        (theirs.classifier, config.classifier),
        (theirs.training_set, config.training_set),
    ):
        there, here = its.model_dump(), ours.model_dump()
        other = [key for key in here if here[key] != there.get(key)]
        if other:
            key = other[0]
            raise BadRunError(
                run.path,
                f"it measured another recipe: {key} is {there.get(key)} there and "
                f"{here[key]} here",
                "fit with the settings of the run, or omit --measured",
            )
    figures = measured_sentence(run)
    if run.description()["data_fingerprint"] != fingerprint:
        figures += "; measured on other cells than those of this model"
    return figures


def compare_runs(first: RunFolder, second: RunFolder) -> Comparison:
    """Compare two finished runs over the same held-out cells.

    A pattern that only one of them could test, for want of specimens, is left out.

    Raises
    ------
    BadRunError
        If one is not finished, or they did not hold out the same cells with the same
        patterns and specimens.
    """
    one, other = read_predictions(first), read_predictions(second)
    both = np.intersect1d(one.truth, other.truth)
    one, other = (said.take(np.isin(said.truth, both)) for said in (one, other))
    rows, other_rows = matched(one.ids, other.ids)
    same = (
        one.patterns == other.patterns
        and np.array_equal(one.truth[rows], other.truth[other_rows])
        and np.array_equal(one.specimens[rows], other.specimens[other_rows])
    )
    if not same:
        raise BadRunError(
            second.path,
            f"its cells have other patterns or specimens than those of {first.path}",
            "compare runs on the same data",
        )
    return compare(
        one.truth[rows],
        one.predicted[rows],
        other.predicted[other_rows],
        one.specimens[rows],
        len(one.patterns),
    )
