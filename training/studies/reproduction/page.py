"""Writes a reproduction: one HTML file and its tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.comparison import Comparison
from training.evaluation.intervals import Interval, percent_range
from training.inference.cards import NOTICE
from training.paper import TABLE_4, TABLE_5, TASK2_FACTORS_NOTE
from training.patterns import I3A
from training.reports.pages import render
from training.runs.deviations import (
    changes_note,
    deviations,
    paper_figure,
    rerun_command,
)
from training.splits.sampling import Composition
from training.storage.csv_tables import csv_text, plain_word
from training.storage.writing import write_text
from training.studies.reproduction.study import (
    CHANGES,
    SYSTEMS,
    TRAINING_SETS,
    Study,
    finished_runs,
)
from training.studies.reproduction.tables import (
    StudyRun,
    agreement,
    compare_all,
    compositions,
    open_run,
    optimism_gap,
    percent_rows,
    protocol_title,
    result_row,
    specimen_rows,
)

BASE = "set-1"
"""What every other run is compared with."""

PRINTED = {"set-3": TABLE_4, "pooled-augmented": TABLE_5}
"""Experiments whose confusion matrix the paper prints."""


def write_reproduction(folder: Path, study: Study, command: str) -> Path:
    """Write `reproduction.html` and four CSV tables from the finished runs.

    Parameters
    ----------
    folder
        Of the study.
    study
        As `plan_study` returned it.
    command
        What does it again.

    Returns
    -------
    page

    Raises
    ------
    BadRunError
        If no run is finished, or the files of one are damaged.
    """
    runs = {n: open_run(n, run) for n, run in finished_runs(folder, study).items()}
    results = {name: result_row(one) for name, one in runs.items()}
    compared = compare_all(runs, BASE)
    composed = compositions(runs)
    specimens = specimen_rows(runs)
    _write_csv(folder / "results.csv", results.values())
    _write_csv(folder / "compositions.csv", _composition_table(composed))
    _write_csv(folder / "comparisons.csv", _comparison_table(compared))
    _write_csv(folder / "specimens.csv", _specimen_table(specimens))
    path = folder / "reproduction.html"
    content = {
        "simulated": study.simulated,
        "notice": NOTICE,
        "command": command,
        "groups": _groups(study, runs, results),
        "gap": optimism_gap(runs),
        "compositions": _composition_blocks(composed),
        "factors_note": TASK2_FACTORS_NOTE,
        "comparisons": [_comparison_words(*row) for row in compared],
        "base": BASE,
        "calibrations": [_calibration_words(one) for one in runs.values()],
        "confusions": _confusions(runs),
        "specimens": _specimen_grid(specimens, list(runs)),
        "specimen_columns": [name for name, one in runs.items() if not one.leaky],
        "run_notes": [_notes(one) for one in runs.values()],
        "source": _source(runs),
        "provenance": _provenance(runs),
    }
    write_text(path, render("reproduction.html", content))
    return path


def read_results(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `results.csv` of a reproduction."""
    text = (folder / "results.csv").read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text))
    return [{k: plain_word(word) for k, word in row.items()} for row in reader]


def _groups(
    study: Study, runs: Mapping[str, StudyRun], results: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the three tables of results; what is missing has its reason."""
    groups = []
    for title, names in (
        ("Training sets", TRAINING_SETS),
        ("Systems", ("set-1", *SYSTEMS)),
        ("One modern change at a time", ("set-1", *CHANGES)),
    ):
        rows = [
            _result_words(runs[name], results[name])
            if name in runs
            else {"name": name, "missing": study.left_out.get(name, "was not run")}
            for name in names
            if name in study.configs or name in study.left_out
        ]
        groups.append({"title": title, "rows": rows})
    return groups


def _result_words(one: StudyRun, row: Mapping[str, Any]) -> dict[str, Any]:
    patterns = one.predictions.patterns
    return {
        "name": one.name,
        "missing": "",
        "title": row["title"],
        "protocol": protocol_title(one),
        "leaky": one.leaky,
        "ours": f"{row['mean_class_accuracy']:.2f}",
        "interval": _range(one.metrics.interval),
        "changes": changes_note(one.config),
        "paper": f"{row['paper']:.2f}" if row["paper"] else "-",
        "cells": f"{row['cells']:,}",
        "specimens": row["specimens"],
        "rates": [_percent(row[f"rate_{name}"]) for name in patterns],
        "patterns": [
            f"{name} ({n})"
            for name, n in zip(patterns, one.metrics.specimens.tolist(), strict=True)
        ],
    }


def _calibration_words(one: StudyRun) -> dict[str, str]:
    found = one.calibration
    return {
        "name": one.name,
        "error": f"{100 * found.expected_error:.1f}",
        "brier": f"{found.brier:.3f}",
        "risk": f"{100 * found.risk_at[0.8]:.1f}",
        "all": f"{100 * found.risk_at[1.0]:.1f}",
        "minutes": f"{one.seconds / 60:.1f}",
    }


def _range(interval: Interval | None, sign: str = "") -> str:
    return percent_range(interval, sign) if interval else "too few specimens"


def _percent(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"


def _composition_table(composed: Mapping[str, Composition]) -> list[dict[str, Any]]:
    return [
        {
            "training_set": name,
            "pattern": pattern,
            "specimens": int(found.specimens[k]),
            "cells": int(found.cells[k]),
            "samples": int(found.samples[k]),
            "extra_cells": int(found.extra_cells[k]),
            "extra_samples": int(found.extra_samples[k]),
            "counts": agreement(name, found),
        }
        for name, found in composed.items()
        for k, pattern in enumerate(found.patterns)
    ]


def _composition_blocks(composed: Mapping[str, Composition]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "counts": agreement(name, found),
            "patterns": found.patterns,
            "rows": [
                (title, [f"{n:,}" for n in values], f"{values.sum():,}")
                for title, values in (
                    ("specimens", found.specimens),
                    ("cells", found.cells),
                    ("samples", found.samples),
                    ("of these extra", found.extra_samples),
                )
            ],
        }
        for name, found in composed.items()
    ]


def _comparison_table(
    compared: Sequence[tuple[str, Comparison]],
) -> list[dict[str, Any]]:
    return [
        {
            "experiment": name,
            "compared_with": BASE,
            "difference": 100 * one.difference,
            "low": 100 * one.interval[0] if one.interval else None,
            "high": 100 * one.interval[1] if one.interval else None,
            "specimens_better": one.second_better,
            "specimens_worse": one.first_better,
            "specimens_equal": one.equal,
            "p_value": one.p_value,
            "p_value_holm": one.p_holm,
        }
        for name, one in compared
    ]


def _comparison_words(name: str, one: Comparison) -> dict[str, Any]:
    return {
        "name": name,
        "difference": f"{100 * one.difference:+.1f}",
        "interval": _range(one.interval, "+"),
        "better": one.second_better,
        "worse": one.first_better,
        "equal": one.equal,
        "p": f"{one.p_value:.3f}",
        "adjusted": f"{one.p_holm:.3f}",
    }


def _confusions(runs: Mapping[str, StudyRun]) -> list[dict[str, Any]]:
    """Return matrices in per cent: those that the paper prints beside ours."""
    shown = [name for name in PRINTED if name in runs]
    shown += [BASE] if BASE in runs else []
    blocks = []
    for name in shown:
        names = runs[name].predictions.patterns
        tables = [("ours", percent_rows(runs[name].metrics.confusion))]
        its = len(names) == len(I3A) and paper_figure(runs[name].config)
        if name in PRINTED and its:
            tables.append(("the paper's", PRINTED[name]))
        blocks.append(
            {
                "name": name,
                "names": names,
                "tables": [(title, _shaded(names, t)) for title, t in tables],
            }
        )
    return blocks


def _shaded(
    names: Sequence[str], table: npt.NDArray[np.float64]
) -> list[tuple[str, list[tuple[str, float]]]]:
    return [
        (
            name,
            [(_percent(v), round(float(np.nan_to_num(v)) / 100, 3)) for v in row],
        )
        for name, row in zip(names, table, strict=True)
    ]


def _specimen_table(
    rows: Sequence[tuple[str, str, int, dict[str, float]]],
) -> list[dict[str, Any]]:
    return [
        {"specimen": specimen, "pattern": pattern, "cells": cells, **shares}
        for specimen, pattern, cells, shares in rows
    ]


def _specimen_grid(
    rows: Sequence[tuple[str, str, int, dict[str, float]]], names: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": specimen,
            "pattern": pattern,
            "cells": cells,
            "shares": [
                (f"{100 * shares[name]:.0f}", round(shares[name], 3))
                for name in names
                if name in shares
            ],
        }
        for specimen, pattern, cells, shares in rows
    ]


def _notes(one: StudyRun) -> dict[str, Any]:
    return {
        "name": one.name,
        "deviations": deviations(one.config),
        "command": rerun_command(one.config),
    }


def _source(runs: Mapping[str, StudyRun]) -> str:
    sources = [one.run.state().source for one in runs.values()]
    return "; ".join(dict.fromkeys(sources))


def _provenance(runs: Mapping[str, StudyRun]) -> list[str]:
    """Return versions, machine, seeds and data of the runs, each line once."""
    lines = []
    for one in runs.values():
        about = one.run.description()
        versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
        lines.append(f"{versions}, Python {about['python']} on {about['machine']}")
    fingerprints = [
        f"{name}: data {one.run.description()['data_fingerprint']}, seed "
        f"{one.config.protocol.seed}"
        for name, one in runs.items()
    ]
    return [*dict.fromkeys(lines), *fingerprints]


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = ([_rounded(row.get(name, "")) for name in columns] for row in rows)
    write_text(path, csv_text([columns, *cells]))


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else ""
    return value
