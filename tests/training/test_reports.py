import re

import pytest

from training.config import NetworkSettings, ProtocolSettings
from training.errors import BadRunError
from training.execution import execute, start_run
from training.reports import (
    deviations,
    load_metrics,
    measured_sentence,
    rerun_command,
    write_report,
)
from training.runs import RunConfig


@pytest.fixture
def run(tmp_path, cells, task1, tiny_network, one_thread):
    config = RunConfig(
        experiment="set-1",
        data=str(task1(cells)),
        network=tiny_network,
        protocol=ProtocolSettings(protocol="group-k", folds=2),
        device="cpu",
        workers=1,
    )
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    return run


def test_the_report_is_one_file_that_needs_no_network(run):
    page = write_report(run).read_text()
    assert not re.findall(r"<(?:script|link|img)\b", page)
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page))
    assert all("w3.org" in a or "purl.org" in a for a in addresses), addresses


def test_the_report_carries_its_figures_and_where_they_are_from(run):
    page = write_report(run).read_text()
    metrics, names = load_metrics(run)
    assert f"{100 * metrics.mean_class_accuracy:.2f} %" in page
    assert "48 held-out cells of 12 specimens" in page
    assert run.description()["data_fingerprint"] in page
    assert all(name in page for name in names)
    assert "Research use only" in page
    assert "The paper reports 70.52 %" in page
    assert "width is 0.04" in page
    assert page.count("<svg") == 1


def test_a_leaky_protocol_is_marked(tmp_path, cells, task1, tiny_network, one_thread):
    config = RunConfig(
        experiment="set-1-k-fold",
        data=str(task1(cells)),
        network=tiny_network.model_copy(update={"epochs": 2}),
        protocol=ProtocolSettings(protocol="k-fold", folds=2),
        device="cpu",
        workers=1,
    )
    run = start_run(tmp_path / "leaky", config)
    list(execute(run))
    assert "The figure is optimistic" in write_report(run).read_text()


def test_names_from_the_data_cannot_write_html(run):
    table = run.path / "predictions.csv"
    text = table.read_text().replace(",00,", ",<script>alert(1)</script>,", 1)
    table.write_text(text)
    page = write_report(run).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_unfinished_run_has_no_report(run):
    (run.path / "metrics.json").unlink()
    with pytest.raises(BadRunError, match="the run is not finished"):
        write_report(run)


def test_the_command_does_it_again(run):
    words = rerun_command(run.config())
    assert words.startswith("python -m training run set-1 --data")
    assert "--set protocol=group-k" in words
    assert "--set folds=2" in words
    assert "--set epochs=3" in words
    assert "momentum" not in words


def test_the_sentence_for_a_card(run):
    metrics, _ = load_metrics(run)
    sentence = measured_sentence(run)
    assert sentence.startswith(
        f"mean class accuracy {100 * metrics.mean_class_accuracy:.1f} %"
    )
    assert sentence.endswith("grouped k-fold, 48 held-out cells of 12 specimens")


def test_what_deviates_from_the_paper_is_told():
    recipe = NetworkSettings()
    assert len(deviations(recipe, recipe)) == 3
    changed = NetworkSettings(epochs=5, width=0.5, momentum=0.5)
    lines = deviations(changed, recipe)
    assert lines[:3] == [
        "width is 0.5, the paper's recipe has 1.0.",
        "epochs is 5, the paper's recipe has 50.",
        "momentum is 0.5, the paper's recipe has 0.9.",
    ]
    assert not any("MatConvNet" in line for line in lines)
    literal = NetworkSettings(initialisation="literal-0.001")
    assert not any("He et al." in line for line in deviations(literal, recipe))
    ours = NetworkSettings(normalisation="cell")
    assert "The intensity of each cell is normalised" in deviations(ours, ours)[0]
