"""Command on specimens: the verdicts of a finished run, fitted and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from training.cli.app import app, going_on
from training.cli.options import Changes, Json, pairs
from training.cli.terminal import progress, show_line, show_table, tell

if TYPE_CHECKING:
    from training.evaluation.verdict_fit import FittedVerdict


@app.command()
def verdicts(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[
        Path | None, typer.Option(help="Also write the fitted verdict here, as JSON.")
    ] = None,
    left_out: Annotated[
        bool,
        typer.Option(
            "--left-out",
            help=(
                "Train every fold again without each pattern in turn, to measure how "
                "unknown patterns are turned away; costs as much as the run times the "
                "patterns, once: the fits are kept in the run folder."
            ),
        ),
    ] = False,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Calibrate the verdict on held-out specimens, each judged by a fit without it."""
    from training.config import VerdictSettings, parse_together
    from training.evaluation.verdict_fit import specimen_rows
    from training.reports.run_report import write_report
    from training.runs.folder import RunFolder
    from training.runs.verdicts import write_verdict
    from training.storage.writing import write_json
    from training.studies.left_out import LeftOutFits

    (settings,) = parse_together(pairs(changes), VerdictSettings())
    opened, scores = RunFolder.open(run), None
    if left_out:
        fits = LeftOutFits.of(opened)
        with going_on(run, f"continue with: hep2 verdicts {run} --left-out"):
            list(progress(fits.train(), len(fits), "fits"))
        scores = fits.scores()
    fitted = write_verdict(opened, settings, scores)
    content = fitted.calibration.model_dump(mode="json")
    if out is not None:
        write_json(out, content)
    report = write_report(opened)
    if as_json:
        tell({"specimens": specimen_rows(fitted), "verdict": content}, as_json)
        return
    _print(fitted)
    show_line(f"report: {report}")


def _print(fitted: "FittedVerdict") -> None:
    from training.reports.verdict_section import (
        transductive_sentence,
        verdict_sentences,
    )

    truth, said, second = (
        Column(name, no_wrap=True) for name in ("truth", "verdict", "second")
    )
    table = Table("specimen", truth, said, "prob. %", second, "cells")
    for one in fitted.specimens:
        verdict = one.verdict
        given = verdict.pattern.name if verdict.pattern else f"({verdict.withheld})"
        given += ", mixed" if verdict.mixed else ""
        table.add_row(
            one.name,
            one.truth.name,
            f"{given} !" if one.wrong else given,
            f"{100 * one.probability:.0f}",
            verdict.second.name if verdict.second else "",
            str(verdict.n_cells),
        )
    show_table(table)
    show_line("track: specimen (each judged by constants fitted without it)")
    for sentence in verdict_sentences(fitted.calibration):
        show_line(sentence)
    for name, away in fitted.calibration.left_out.items():
        show_line(
            f"{name} left out of {fitted.calibration.left_out_by}: area under the "
            f"curve {away.area:.2f}, {away.not_one_of_these} turned away, "
            f"{away.withheld} withheld in all, of {away.specimens} specimens"
        )
    show_line("track: transductive")
    show_line(transductive_sentence(fitted.calibration))
