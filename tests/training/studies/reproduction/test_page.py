import csv
import re

import numpy as np
import pytest

from training.paper import SET3_CELLS, TASK1_CELLS, TASK2_FACTORS
from training.patterns import I3A
from training.splits.sampling import Composition
from training.studies.reproduction.page import read_results, write_reproduction
from training.studies.reproduction.study import plan_study, run_study
from training.studies.reproduction.tables import agreement, percent_rows

TINY = {
    "protocol": "group-k",
    "folds": "3",
    "epochs": "2",
    "vote_epochs": "1",
    "width": "0.04",
    "input_size": "32",
    "set-3.cells_per_specimen": "2",
    "shape-index.scales": "1,2",
}


@pytest.fixture(scope="module")
def written(make_once, make_cells):
    """The page of a small study, and its folder: no test changes it."""

    def make(folder, save):
        cells = make_cells(specimens_per_pattern=(3,) * 6, cells=3)
        study = plan_study(
            str(save(folder / "task1", cells)),
            str(save(folder / "more", make_cells(cells=5, seed=9))),
            changes={
                **TINY,
                "set-3.cells_per_specimen": "2",
                "shape-index.scales": "1,2",
            },
            only=("set-1", "set-1-k-fold", "set-3", "pooled-augmented", "shape-index"),
            device="cpu",
            workers=1,
            simulated=True,
        )
        list(run_study(folder / "out", study))
        write_reproduction(folder / "out", study, "hep2 reproduce")

    out = make_once(make) / "out"
    return (out / "reproduction.html").read_text(), out


def rows(path):
    return list(csv.DictReader(path.open()))


def test_the_page_needs_no_network_and_says_what_it_is_made_of(written):
    page, _ = written
    assert not re.findall(r"<(?:script|link)\b", page)
    assert "are <strong>simulated</strong>" in page
    assert "Research use only" in page
    assert "was not run" not in page.split("<h2>Systems")[0]
    assert "hep2 reproduce" in page
    assert "The paper&#39;s text says" in page


def test_ours_stands_beside_the_papers_where_it_is_the_papers_recipe(written):
    page, out = written
    results = {row["experiment"]: row for row in read_results(out)}
    assert results["set-3"]["paper"] == "", "the network is narrower"
    assert "Changed from the recipe" in page
    for row in results.values():
        assert f"<strong>{float(row['mean_class_accuracy']):.2f}</strong>" in page
        assert int(row["cells"]) == 54
    gap = float(results["set-1-k-fold"]["mean_class_accuracy"]) - float(
        results["set-1"]["mean_class_accuracy"]
    )
    shown = re.search(r"([+-][0-9.]+) points here \(95 % over specimens ", page)
    assert float(shown.group(1)) == pytest.approx(gap, abs=0.051)
    assert "in the paper." not in page
    assert "the paper&#39;s; rows are the truth" not in page


def test_leaky_runs_are_compared_with_nothing(written):
    _, out = written
    names = [row["experiment"] for row in rows(out / "comparisons.csv")]
    assert sorted(names) == ["pooled-augmented", "set-3", "shape-index"]
    columns = rows(out / "specimens.csv")[0]
    assert "set-1-k-fold" not in columns
    assert len(rows(out / "specimens.csv")) == 18


def test_compositions_are_those_of_the_runs(written):
    _, out = written
    found = {}
    for row in rows(out / "compositions.csv"):
        found.setdefault(row["training_set"], []).append(row)
    assert [int(row["cells"]) for row in found["set-1"]] == [9] * 6
    assert [int(row["samples"]) for row in found["set-3"]] == [10] * 6
    extra = [int(row["extra_samples"]) for row in found["pooled-augmented"]]
    assert extra == (10 * TASK2_FACTORS).tolist()
    assert {row["counts"] for row in found["set-1"]} == {"differs"}


def made_of(own, extra) -> Composition:
    own, extra = np.asarray(own), np.asarray(extra)
    nothing = np.zeros(6, np.int64)
    return Composition(I3A.names, nothing, own + extra, own + extra, extra, extra)


def test_official_counts_are_recognised():
    nothing = np.zeros(6, np.int64)
    assert agreement("set-1", made_of(TASK1_CELLS, nothing)) == "as printed"
    assert agreement("set-2", made_of(8 * TASK1_CELLS, nothing)) == "as printed"
    assert agreement("set-3", made_of(SET3_CELLS, nothing)) == "as printed"
    task2 = [10000, 10000, 10000, 12763, 4363, 1501]
    assert agreement("pooled", made_of(TASK1_CELLS, task2)) == "as printed"
    augmented = np.array(task2) * TASK2_FACTORS
    assert (
        agreement("pooled-augmented", made_of(TASK1_CELLS, augmented)) == "as printed"
    )
    assert agreement("set-1", made_of(TASK1_CELLS + 1, nothing)) == "differs"
    task2[5] -= 1
    assert agreement("pooled", made_of(TASK1_CELLS, task2)) == "differs"
    assert agreement("lenet", made_of(TASK1_CELLS, nothing)) == "no printed counts"


def test_per_cent_of_a_row():
    table = percent_rows(np.array([[3, 1], [0, 0]]))
    assert table[0].tolist() == [75, 25]
    assert np.isnan(table[1]).all()
