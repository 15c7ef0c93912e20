"""The verdict of a finished run: its files, its report, the card, the command."""

import json

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.errors import BadModelError, BadRunError
from training.inference.cards import add_verdict, read_card
from training.reports.run_report import write_report
from training.runs.final_fit import fit_model
from training.runs.verdicts import read_verdict, write_verdict


def test_the_command_writes_what_it_prints(run, tmp_path):
    words = ["verdicts", str(run.path), "--out", str(tmp_path / "v.json"), "--json"]
    result = CliRunner().invoke(app, [*words, "--set", "minimum_cells=2"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert len(content["specimens"]) == 12
    assert content["verdict"]["figures"]["track"] == "specimen"
    assert content["verdict"]["run"] == "run"
    assert json.loads((tmp_path / "v.json").read_text()) == content["verdict"]
    assert (run.path / "specimens.csv").read_text().count("\n") == 13
    page = (run.path / "report.html").read_text()
    assert "Track: specimen." in page
    assert "Track: transductive." in page
    table = CliRunner().invoke(app, ["verdicts", str(run.path)])
    assert "track: specimen" in table.stdout
    assert "mean class accuracy" not in table.stdout.split("track: transductive")[0]


def test_a_report_without_a_verdict_has_no_section(run):
    for name in ("verdict.json", "specimens.csv"):
        (run.path / name).unlink(missing_ok=True)
    assert "Track: specimen." not in write_report(run).read_text()


def test_a_risk_that_no_probability_keeps_is_told_so(run):
    words = ["verdicts", str(run.path), "--set", "risk=0.000001"]
    said = CliRunner().invoke(app, words).stdout
    assert "0 of 12 specimens are answered" in said
    assert "which 12 held-out specimens do not guarantee with 90% confidence" in said


def test_a_damaged_verdict_is_told(run):
    write_verdict(run)
    (run.path / "verdict.json").write_text('{"temperature": -1}')
    with pytest.raises(BadRunError, match="hep2 verdicts"):
        read_verdict(run)
    write_verdict(run)
    (run.path / "specimens.csv").write_text("specimen\n1\n")
    with pytest.raises(BadRunError, match="does not fit"):
        write_report(run)


def test_a_card_carries_the_verdict(run, tmp_path, cells, tiny_network, one_thread):
    fitted = write_verdict(run).calibration
    path = tmp_path / "m.safetensors"
    list(fit_model("m", cells, tiny_network, path, device="cpu"))
    assert read_card(path.with_suffix(".json")).verdict is None
    add_verdict(path.with_suffix(".json"), fitted)
    assert read_card(path.with_suffix(".json")).verdict == fitted
    other = fitted.model_copy(update={"patterns": ("Homogeneous", "Golgi")})
    with pytest.raises(BadModelError, match="other patterns"):
        add_verdict(path.with_suffix(".json"), other)
