import base64
import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from training.config import LeNetSettings, ProtocolSettings
from training.errors import BadRunError
from training.reports.run_report import write_report
from training.reports.strips import specimen_strips
from training.runs.deviations import rerun_command
from training.runs.execution import execute, load_cells, start_run
from training.runs.figures import (
    compare_runs,
    figures_for_card,
    load_metrics,
    measured_sentence,
)
from training.runs.folder import RunConfig
from training.runs.predictions import read_predictions


def test_the_report_is_one_file_that_needs_no_network(run):
    page = write_report(run).read_text()
    assert not re.findall(r"<(?:script|link)\b", page)
    sources = re.findall(r"<img\b[^>]*src=.(.{22})", page)
    assert sources == ["data:image/png;base64,"] * 12
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
    assert "Changed from the recipe: " in page
    assert "The paper reports" not in page, "the run has other epochs than the recipe"
    assert "width is 0.04" in page
    assert page.count("<svg") == 3


def test_a_leaky_protocol_is_marked(tmp_path, cells, task1, tiny_network, one_thread):
    config = RunConfig(
        experiment="set-1-k-fold",
        data=str(task1(cells)),
        classifier=tiny_network.model_copy(update={"epochs": 2}),
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
    assert words.startswith("hep2 run set-1 --data")
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


def test_a_card_takes_figures_of_its_own_recipe_alone(run):
    config, cells = run.config(), run.description()["data_fingerprint"]
    assert figures_for_card(run, config, cells) == measured_sentence(run)
    told = figures_for_card(run, config, "of others")
    assert told.endswith("; measured on other cells than those of this model")
    wider = config.classifier.model_copy(update={"width": 0.5})
    with pytest.raises(BadRunError, match=r"width is 0\.04 there and 0\.5 here"):
        figures_for_card(run, config.model_copy(update={"classifier": wider}), cells)
    views = config.training_set.model_copy(update={"views": 8})
    with pytest.raises(BadRunError, match="views is 1 there and 8 here"):
        figures_for_card(run, config.model_copy(update={"training_set": views}), cells)
    kind = LeNetSettings()
    with pytest.raises(BadRunError, match="another recipe"):
        figures_for_card(run, config.model_copy(update={"classifier": kind}), cells)


@pytest.fixture
def other_run(tmp_path, run):
    config = run.config().model_copy(
        update={"protocol": ProtocolSettings(protocol="group-k", folds=2, seed=1)}
    )
    other = start_run(tmp_path / "other", config)
    list(execute(other))
    return other


def edit(run, change):
    """Write the predictions of a run anew, each row through `change`."""
    path = run.path / "predictions.csv"
    rows = list(csv.DictReader(path.open()))
    kept = [row for row in map(change, rows) if row is not None]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(kept)


def test_two_runs_are_compared_cell_by_cell(run, other_run):
    found = compare_runs(run, other_run)
    first, second = (
        load_metrics(one)[0].mean_class_accuracy for one in (run, other_run)
    )
    assert (found.first, found.second) == pytest.approx((first, second))
    assert found.specimens == 12


def test_a_pattern_that_one_run_could_not_test_is_left_out(run, other_run):
    edit(other_run, lambda row: None if row["pattern"] == "Golgi" else row)
    found = compare_runs(run, other_run)
    assert found.n == 40
    assert found.specimens == 10


def test_runs_of_other_cells_are_not_compared(run, other_run):
    edit(other_run, lambda row: None if row["id"] == "00001" else row)
    with pytest.raises(BadRunError, match="1 cells were held out in only one of them"):
        compare_runs(run, other_run)


def test_runs_of_cells_with_other_labels_are_not_compared(run, other_run):
    edit(
        other_run, lambda row: {**row, "specimen": "9"} if row["id"] == "00001" else row
    )
    with pytest.raises(BadRunError, match="have other patterns or specimens"):
        compare_runs(run, other_run)


def test_the_worst_cells_are_those_whose_own_pattern_scores_lowest(run):
    cells, _ = load_cells(run.config())
    said = read_predictions(run)
    strips = specimen_strips(said, cells, ["00", "51"])
    assert set(strips) == {"00", "51"}
    its = np.flatnonzero(said.specimens == "51")
    worst = its[np.argmin(said.scores[its, said.truth[its]])]
    row = cells.ids.tolist().index(said.ids[worst])
    data = base64.b64decode(strips["51"].removeprefix("data:image/png;base64,"))
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (32, 4 * 32)
    low, high = np.percentile(cells.images[row], [1, 99])
    shown = np.clip((cells.images[row] - low) / (high - low) * 255, 0, 255)
    assert np.array_equal(picture[:, :32], shown.astype(np.uint8))


def test_a_report_without_the_data_says_that_cells_are_not_shown(run):
    shutil.rmtree(run.config().data)
    page = write_report(run).read_text()
    assert "Its cells cannot be shown" in page
    assert "<img" not in page


def _without(content, *keys):
    return {key: value for key, value in content.items() if key not in keys}


DAMAGE = {
    "a list": lambda content: [content],
    "no rates": lambda content: _without(content, "rates"),
    "a word for a rate": lambda content: {**content, "rates": {"Golgi": "x"}},
    "rates of others": lambda content: {**content, "rates": {"Golgi": 1.0}},
    "a row less": lambda content: {**content, "confusion": content["confusion"][1:]},
    "a ragged row": lambda content: {
        **content,
        "confusion": [[1], *content["confusion"][1:]],
    },
    "a negative count": lambda content: {
        **content,
        "confusion": [[-1] * 6, *content["confusion"][1:]],
    },
    "a name twice": lambda content: {**content, "patterns": ["Golgi"] * 6},
    "another protocol": lambda content: {**content, "protocol": "x"},
    "no number": lambda content: {**content, "mean_class_accuracy": float("nan")},
    "a long number": lambda content: {**content, "n": 10**30},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_figures_are_told(run, damage):
    path = run.path / "metrics.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(DAMAGE[damage](content)))
    with pytest.raises(BadRunError, match=r"metrics.json: the file is damaged; resume"):
        load_metrics(run)


def test_figures_of_no_tested_pattern_are_none(run):
    path = run.path / "metrics.json"
    content = json.loads(path.read_text())
    nothing = {"mean_class_accuracy": None, "interval": None}
    path.write_text(json.dumps({**content, **nothing}))
    assert np.isnan(load_metrics(run)[0].mean_class_accuracy)


def test_figures_nested_too_deeply_are_told(run):
    (run.path / "metrics.json").write_text("[" * 100_000)
    with pytest.raises(BadRunError, match="the file is damaged"):
        write_report(run)
