"""Self-contained HTML reports of runs, and their figures in a sentence."""

from __future__ import annotations

import csv
import io
import json
import shlex
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from training.cards import NOTICE
from training.config import NetworkSettings
from training.data.images import write_text
from training.errors import BadRunError
from training.experiments import EXPERIMENTS, find_experiment
from training.metrics import Metrics
from training.patterns import I3A_TASK2, MIVIA
from training.protocols import PROTOCOLS, natural_key
from training.runs import RunConfig, RunFolder

_SVG_METADATA = ("Creator", "Date", "Format", "Type")
_WORDS = {
    "initialisation": "Weights start as He et al. (2015) propose and grey values are "
    "divided by 255: the paper's 'around 0.001', taken literally, does not train.",
    "defaults": "Momentum 0.9 and weight decay 0.0005 are MatConvNet's defaults; the "
    "paper gives neither.",
    "layers": "Kernel sizes and channels are a reconstruction, as the paper's layer "
    "table could not be found (docs/methods.md).",
}


def load_metrics(run: RunFolder) -> tuple[Metrics, list[str]]:
    """Read the figures of a finished run.

    Returns
    -------
    metrics, patterns

    Raises
    ------
    BadRunError
        If the run is not finished, or the file damaged.
    """
    content = _metrics_content(run)
    rates = [np.nan if r is None else r for r in content["rates"].values()]
    interval = content["interval"]
    return (
        Metrics(
            content["n"],
            np.asarray(content["confusion"], np.int64),
            np.asarray(rates),
            content["mean_class_accuracy"],
            (interval[0], interval[1]) if interval else None,
            np.asarray(list(content["specimens"].values()), np.int64),
        ),
        list(content["patterns"]),
    )


def measured_sentence(run: RunFolder) -> str:
    """Return the figures of a finished run in one sentence, for a model's card."""
    metrics, _ = load_metrics(run)
    content = _metrics_content(run)
    interval = ""
    if metrics.interval:
        low, high = (100 * bound for bound in metrics.interval)
        interval = f" (95 % over specimens {low:.1f} to {high:.1f})"
    protocol = PROTOCOLS[content["protocol"]].split(":")[0]
    return (
        f"mean class accuracy {100 * metrics.mean_class_accuracy:.1f} %{interval}, "
        f"{protocol}, {metrics.n} held-out cells of "
        f"{int(metrics.specimens.sum())} specimens"
    )


def write_report(run: RunFolder) -> Path:
    """Write `report.html` of a finished run: one file that needs no network.

    Raises
    ------
    BadRunError
        If the run is not finished.
    StorageError
        If it cannot be written.
    """
    template = resources.files("training").joinpath("templates/report.html")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(template.read_text(encoding="utf-8"))
    path = run.path / "report.html"
    write_text(path, page.render(_report_content(run)))
    return path


def rerun_command(config: RunConfig) -> str:
    """Return the command that does a run again, shortest first."""
    words = ["python", "-m", "training", "run", config.experiment]
    words += ["--data", config.data, "--out", "RUN"]
    experiment = find_experiment(config.experiment)
    changed = {
        **config.protocol.differing(experiment.protocol),
        **config.network.differing(experiment.network),
    }
    for key, value in changed.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def deviations(settings: NetworkSettings, recipe: NetworkSettings) -> list[str]:
    """Return what deviates from the paper, one sentence each.

    Parameters
    ----------
    settings
        Of the run.
    recipe
        Of its experiment: the paper's, or one of ours that changes it.
    """
    paper = NetworkSettings()
    lines = [
        f"{key} is {value}, the paper's recipe has {getattr(recipe, key)}."
        for key, value in settings.differing(recipe).items()
    ]
    if recipe.normalisation != paper.normalisation:
        lines.append("The intensity of each cell is normalised; the paper's is not.")
    lines.append(_WORDS["layers"])
    if settings.initialisation == paper.initialisation:
        lines.append(_WORDS["initialisation"])
    if not {"momentum", "weight_decay"} & set(settings.differing(paper)):
        lines.append(_WORDS["defaults"])
    return lines


def _report_content(run: RunFolder) -> dict[str, Any]:
    config, description = run.config(), run.description()
    metrics, names = load_metrics(run)
    content = _metrics_content(run)
    start = _last_start(run)
    experiment = EXPERIMENTS[config.experiment]
    interval = metrics.interval
    return {
        "experiment": config.experiment,
        "title": experiment.title,
        "protocol": content["protocol"],
        "protocol_title": PROTOCOLS[content["protocol"]],
        "leaky": content["leaky"],
        "folds": content["folds"],
        "folds_done": content["folds_done"],
        "source": start["source"],
        "notice": NOTICE,
        "mca": f"{100 * metrics.mean_class_accuracy:.2f}",
        "interval": [f"{100 * bound:.1f}" for bound in interval] if interval else None,
        "n": metrics.n,
        "n_specimens": int(metrics.specimens.sum()),
        "paper_mca": experiment.paper_mca,
        "paper_protocol": PROTOCOLS[experiment.protocol.protocol].split(":")[0],
        "names": names,
        "classes": _class_rows(metrics, names),
        "confusion": _confusion_rows(metrics.confusion, names),
        "specimens": _specimen_rows(run),
        "curves": _curves(run),
        "deviations": deviations(config.network, experiment.network),
        "notes": start["notes"],
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
        rows.append(
            {
                "title": _title(name),
                "rate": rate,
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
        total = max(int(counts.sum()), 1)
        cells = [
            {
                "count": int(count),
                "percent": f"{100 * count / total:.1f}",
                "share": round(float(count / total), 3),
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


def _specimen_rows(run: RunFolder) -> list[dict[str, Any]]:
    tallies: dict[str, _Tally] = {}
    text = (run.path / "predictions.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text)):
        tally = tallies.setdefault(row["specimen"], _Tally(row["pattern"], {}))
        tally.taken[row["predicted"]] = tally.taken.get(row["predicted"], 0) + 1
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


def _curves(run: RunFolder) -> str:
    """Return the learning curves of all folds as one SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    curves: dict[str, dict[int, tuple[float, float]]] = {}
    for event in run.events():
        if event["kind"] == "epoch":
            curve = curves.setdefault(event["fold"], {})
            curve[event["epoch"]] = (event["loss"], event["accuracy"])
    for curve in curves.values():
        epochs = sorted(curve)
        values = np.asarray([curve[epoch] for epoch in epochs])
        loss.plot(epochs, values[:, 0], color="#0072b2", alpha=0.5, linewidth=1)
        accuracy.plot(epochs, 100 * values[:, 1], color="#0072b2", alpha=0.5, lw=1)
    loss.set(xlabel="epoch", ylabel="loss on training cells", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="accuracy on training cells, %", ylim=(0, 100))
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(_SVG_METADATA))
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _metrics_content(run: RunFolder) -> dict[str, Any]:
    path = run.path / "metrics.json"
    if not path.is_file():
        raise BadRunError(run.path, "the run is not finished", "resume it, then report")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise BadRunError(path, "the file is damaged", "resume the run") from fault
    return content


def _last_start(run: RunFolder) -> dict[str, Any]:
    starts = [event for event in run.events() if event["kind"] == "run-started"]
    if not starts:
        raise BadRunError(run.path, "it has no events", "resume the run, then report")
    return starts[-1]


def _title(name: str) -> str:
    for vocabulary in (I3A_TASK2, MIVIA):
        index = vocabulary.find(name)
        if index is not None:
            return vocabulary[index].title
    return name
