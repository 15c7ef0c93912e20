"""Runs written by hand, beside each other."""

import csv
import json

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.config import PaperNetworkSettings, ProtocolSettings, TrainingSetSettings
from training.errors import BadRunError
from training.patterns import I3A
from training.runs.folder import RunConfig, RunFolder
from training.studies.change_table import change_table, markdown_table

TRUTH = [("a", 0), ("a", 0), ("b", 0), ("c", 1), ("c", 1), ("d", 1)]


def write_run(path, called, width=1.0) -> RunFolder:
    """A finished run that called each cell of `TRUTH` a pattern, nine times in ten."""
    config = RunConfig(
        experiment="set-1",
        data="D",
        classifier=PaperNetworkSettings(width=width),
        training_set=TrainingSetSettings(),
        protocol=ProtocolSettings(protocol="group-k", folds=2),
    )
    run = RunFolder.create(path, config, "f" * 32)
    names = I3A.names
    header = ["id", "specimen", "fold", "pattern", "predicted"]
    header += [f"score_{name}" for name in names] + ["disagreement"]
    with (run.path / "predictions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        for k, ((specimen, truth), said) in enumerate(zip(TRUTH, called, strict=True)):
            scores = [0.02] * 6
            scores[said] = 0.9
            row = [f"c{k}", specimen, "group-1", names[truth], names[said]]
            table.writerow([*row, *scores, 0.0])
    return run


def test_two_runs_by_hand(tmp_path):
    first = write_run(tmp_path / "first", [0, 1, 1, 1, 1, 1])
    second = write_run(tmp_path / "second", [0, 0, 0, 1, 1, 0], width=0.5)
    rows = change_table([first, second])
    # Homogeneous 1 of 3, speckled 3 of 3; then 3 of 3 and 2 of 3.
    assert rows[0].metrics.mean_class_accuracy == pytest.approx(2 / 3)
    assert rows[1].metrics.mean_class_accuracy == pytest.approx(5 / 6)
    assert rows[0].difference is None
    assert rows[1].difference.difference == pytest.approx(1 / 6)
    # a is even between both and goes to the first of them, b is wrong.
    assert [(r.specimens_right, r.specimens) for r in rows] == [(3, 4), (3, 4)]
    assert rows[1].command.endswith(
        "--set protocol=group-k --set folds=2 --set width=0.5"
    )


def test_the_table_in_markdown(tmp_path):
    runs = [write_run(tmp_path / name, [0] * 6) for name in ("one", "two")]
    lines = markdown_table(change_table(runs), I3A.names).splitlines()
    assert lines[5].startswith("p is of a sign-flip test over specimens, adjusted")
    lines = lines[:4]
    assert lines[3].split(" | ")[3] == "1.000"
    assert lines[0].startswith("| run | mean class accuracy | less the first |")
    assert lines[2].startswith("| one | 50.0 (no interval) |"), "of four specimens"
    assert "| +0.0 (no interval)" in lines[3]
    assert {line.count("|") for line in lines} == {13}


def test_the_command_prints_both(tmp_path):
    path = str(write_run(tmp_path / "one", [0] * 6).path)
    printed = CliRunner().invoke(app, ["changes", path])
    assert printed.stdout.startswith("| run |")
    content = json.loads(CliRunner().invoke(app, ["changes", path, "--json"]).stdout)
    assert content[0]["mean_class_accuracy"] == pytest.approx(0.5)


def test_an_unfinished_run_is_told(tmp_path):
    run = write_run(tmp_path / "one", [0] * 6)
    (run.path / "predictions.csv").unlink()
    with pytest.raises(BadRunError, match="the run is not finished"):
        change_table([run])
