"""Self-contained HTML reports of runs, and their figures in a sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError, Hep2Error
from training.evaluation.calibration import Calibration, measure_calibration
from training.evaluation.intervals import NEEDED, percent_range
from training.evaluation.metrics import Metrics, basis_words, borrowed_words
from training.evaluation.predictions import Predictions
from training.inference.cards import NOTICE
from training.models.base import INNER_ACCURACY
from training.patterns import I3A_TASK2, MIVIA
from training.reports.pages import in_own_style, render, svg
from training.reports.strips import SPECIMENS, specimen_strips
from training.reports.verdict_section import specimen_section
from training.runs.deviations import (
    changes_note,
    deviations,
    paper_figure,
    rerun_command,
)
from training.runs.execution import load_cells
from training.runs.experiments import EXPERIMENTS
from training.runs.figures import load_metrics
from training.runs.folder import REPORT, RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.runs.results import read_metrics
from training.splits.protocols import PROTOCOLS, natural_key
from training.storage.writing import write_text


def write_report(run: RunFolder) -> Path:
    """Write `report.html` of a finished run: one file that needs no network.

    Raises
    ------
    BadRunError
        If the run is not finished.
    StorageError
        If it cannot be written.
    """
    path = run.path / REPORT
    write_text(path, render(REPORT, _report_content(run)))
    return path


def _report_content(run: RunFolder) -> dict[str, Any]:
    config, description = run.config(), run.description()
    metrics, names = load_metrics(run)
    content = read_metrics(run)
    state = run.state()
    if not state.folds:
        raise BadRunError(run.path, "it has no events", "resume the run, then report")
    experiment = EXPERIMENTS[config.experiment]
    interval = metrics.interval
    said = read_predictions(run)
    calibration = measure_calibration(said.scores, said.truth, said.specimens)
    rows = _specimen_rows(said)
    strips, strips_note = _strips(config, said, [row["name"] for row in rows])
    return {
        "experiment": config.experiment,
        "title": experiment.title,
        "protocol": content["protocol"],
        "protocol_title": PROTOCOLS[content["protocol"]],
        "leaky": content["leaky"],
        "folds": content["folds"],
        "folds_done": content["folds_done"],
        "source": state.source,
        "notice": NOTICE,
        "mca": f"{100 * metrics.mean_class_accuracy:.2f}",
        "changes": changes_note(config),
        "interval": percent_range(interval) if interval else "",
        "needed": NEEDED,
        "tested": basis_words(metrics),
        "borrowed": borrowed_words(metrics, names),
        "n": metrics.n,
        "n_specimens": int(metrics.specimens.sum()),
        "paper_mca": paper_figure(config),
        "paper_protocol": PROTOCOLS[experiment.protocol.protocol].split(":")[0],
        "names": names,
        "classes": _class_rows(metrics, names),
        "confusion": _confusion_rows(metrics.confusion, names),
        "calibration": _calibration(calibration),
        "reliability": reliability_figure(calibration),
        "verdicts": specimen_section(run),
        "specimens": [{**row, "strip": strips.get(row["name"])} for row in rows],
        "strips_note": strips_note,
        "curves": _curves(run),
        "chosen": _chosen(run),
        "deviations": deviations(config),
        "notes": state.notes,
        "command": rerun_command(config),
        "provenance": _provenance(description),
    }


def _provenance(description: dict[str, Any]) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in description["versions"].items())
    seed = description["config"]["protocol"]["seed"]
    return (
        f"{versions}, Python {description['python']} on {description['machine']}; "
        f"seed {seed}; data {description['data_fingerprint']}."
    )


def _class_rows(metrics: Metrics, names: list[str]) -> list[dict[str, Any]]:
    rows = []
    for k, name in enumerate(names):
        cells = int(metrics.confusion[k].sum())
        rate = f"{100 * metrics.rates[k]:.1f}" if cells else "not tested"
        specimens = int(metrics.specimens[k])
        bounds = metrics.rate_intervals[k]
        rows.append(
            {
                "title": _title(name),
                "rate": rate,
                "interval": percent_range(bounds) if bounds else "",
                "cells": cells,
                "specimens": specimens,
            }
        )
    return rows


def _confusion_rows(
    confusion: npt.NDArray[np.int64], names: list[str]
) -> list[dict[str, Any]]:
    rows = []
    for name, counts in zip(names, confusion, strict=True):
        total = int(counts.sum())
        cells = [
            {
                "count": int(count) if total else "",
                "percent": f"{100 * count / total:.1f}" if total else "",
                "share": round(float(count / max(total, 1)), 3),
            }
            for count in counts
        ]
        rows.append({"name": name, "cells": cells})
    return rows


@dataclass
class _Tally:
    pattern: str
    taken: dict[str, int]

    @property
    def cells(self) -> int:
        return sum(self.taken.values())

    @property
    def share(self) -> float:
        return self.taken.get(self.pattern, 0) / self.cells


def _strips(
    config: RunConfig, said: Predictions, specimens: list[str]
) -> tuple[dict[str, str], str]:
    """Return the worst cells of each specimen, and a sentence on what they are."""
    try:
        cells, _ = load_cells(config)
    except Hep2Error as fault:
        return {}, f"Its cells cannot be shown: {fault}"
    shown = "The worst cells are those whose own pattern has the lowest score."
    if len(specimens) > SPECIMENS:
        shown += f" They are shown of the {SPECIMENS} worst specimens."
    return specimen_strips(said, cells, specimens), shown


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "error": f"{100 * calibration.expected_error:.1f}",
        "brier": f"{calibration.brier:.3f}",
        "log_loss": f"{calibration.log_loss:.2f}",
        "risks": [
            {"coverage": f"{100 * coverage:.0f}", "risk": f"{100 * risk:.1f}"}
            for coverage, risk in calibration.risk_at.items()
        ],
    }


@in_own_style
def reliability_figure(calibration: Calibration) -> str:
    """Return the reliability diagram and the risk over coverage as one SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    reliability, risk = figure.subplots(1, 2)
    filled = calibration.bin_n > 0
    reliability.plot([0, 100], [0, 100], color="#9aa5af", linewidth=1)
    reliability.scatter(
        100 * calibration.bin_confidence[filled],
        100 * calibration.bin_right[filled],
        s=4 + 120 * calibration.bin_n[filled] / max(calibration.n, 1),
        color="#0072b2",
    )
    reliability.set(xlabel="mean top score, %", ylabel="right, %")
    reliability.set(xlim=(0, 100), ylim=(0, 100))
    risk.plot(100 * calibration.coverage, 100 * calibration.risk, color="#0072b2")
    risk.set(xlabel="cells answered, %", ylabel="wrong among them, %")
    risk.set(xlim=(0, 100), ylim=(0, None))
    return svg(figure)


def _specimen_rows(said: Predictions) -> list[dict[str, Any]]:
    tallies: dict[str, _Tally] = {}
    for specimen, truth, predicted in zip(
        said.specimens, said.truth, said.predicted, strict=True
    ):
        tally = tallies.setdefault(str(specimen), _Tally(said.patterns[truth], {}))
        name = said.patterns[predicted]
        tally.taken[name] = tally.taken.get(name, 0) + 1
    ordered = sorted(
        tallies.items(), key=lambda item: (item[1].share, natural_key(item[0]))
    )
    return [
        {
            "name": name,
            "pattern": tally.pattern,
            "cells": tally.cells,
            "percent": f"{100 * tally.share:.0f}",
            "taken_for": _most_wrong(tally),
        }
        for name, tally in ordered
    ]


def _most_wrong(tally: _Tally) -> str:
    wrong = {name: n for name, n in tally.taken.items() if name != tally.pattern}
    if not wrong:
        return ""
    worst = max(wrong, key=lambda name: wrong[name])
    return f"{worst} ({100 * wrong[worst] / tally.cells:.0f} %)"


def _chosen(run: RunFolder) -> list[tuple[str, int]]:
    """Return what folds chose inside themselves, and how many did, commonest first."""
    folds = {e["fold"]: e for e in run.events() if e["kind"] == "fold-done"}
    found = Counter(
        ", ".join(
            f"{name} {value:g}"
            for name, value in event["chosen"].items()
            if name != INNER_ACCURACY
        )
        for event in folds.values()
        if event.get("chosen")
    )
    return found.most_common()


@in_own_style
def _curves(run: RunFolder) -> str:
    """Return the learning curves of all folds as one SVG; '' where there are none."""
    from matplotlib.figure import Figure

    folds = run.state().folds.values()
    if not any(fold.curve for fold in folds):
        return ""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for fold in folds:
        alone = "o" if len(fold.curve) == 1 else ""
        style = {"color": "#0072b2", "alpha": 0.5, "linewidth": 1, "marker": alone}
        epochs = [point.epoch for point in fold.curve]
        loss.plot(epochs, [point.loss for point in fold.curve], **style)
        right = [100 * point.accuracy for point in fold.curve]
        accuracy.plot(epochs, right, **style)
    loss.set(xlabel="epoch", ylabel="loss on training cells", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="accuracy on training cells, %", ylim=(0, 100))
    return svg(figure)


def _title(name: str) -> str:
    for vocabulary in (I3A_TASK2, MIVIA):
        index = vocabulary.find(name)
        if index is not None:
            return vocabulary[index].title
    return name
