import numpy as np
import pandas as pd
import pytest

from training.config import QualitySettings
from training.curation.proposals import propose_rejections
from training.decisions.model import REASONS

GOOD = {
    "focus": 0.1,
    "detail": 0.04,
    "saturation": 0.0,
    "area": 1000.0,
    "roundness": 0.97,
    "border": 0.0,
    "doublet": 0.03,
    "signal": 0.2,
    "brightness": 0.2,
}


def cells(*changed, good=10):
    """Return ten good cells and then those given by what differs in them."""
    return pd.DataFrame([GOOD] * good + [{**GOOD, **one} for one in changed])


CASES = [
    ({"border": 0.5}, "cut", "50% of its diameter"),
    ({"doublet": 0.12, "area": 1500.0}, "merged", "12% of its hull"),
    ({"roundness": 0.6, "area": 500.0}, "mitotic", "roundness 0.60"),
    ({"area": 300.0}, "debris", "300 pixels, 0.30 of the usual"),
    ({"roundness": 0.7}, "debris", "roundness 0.70"),
    ({"detail": 0.01}, "focus", "0.25 of the usual"),
    ({"signal": 0.05}, "dim", "0.25 of the usual"),
    ({"saturation": 0.4}, "other", "40% of the nucleus"),
]


def test_good_cells_are_not_proposed():
    assert propose_rejections(cells()).empty


@pytest.mark.parametrize(("changed", "reason", "figure"), CASES)
def test_each_fault_has_its_reason_and_its_figure(changed, reason, figure):
    found = propose_rejections(cells(changed))
    assert found["row"].tolist() == [10]
    assert found["reason"].tolist() == [reason]
    assert figure in found["why"][0]
    assert found["why"][0].endswith(".")


def test_every_reason_is_one_that_a_decision_may_have():
    assert {reason for _, reason, _ in CASES} == set(REASONS)


def test_a_cell_with_two_faults_tells_both_and_the_first_is_the_reason():
    found = propose_rejections(cells({"border": 0.5, "signal": 0.01}))
    assert found["reason"].tolist() == ["cut"]
    assert "Cut off" in found["why"][0]
    assert "Dim" in found["why"][0]


def test_the_blurriest_are_told_by_their_place_in_the_specimen():
    found = propose_rejections(cells({"detail": 0.01}, good=99))
    assert "among its blurriest 1.0%" in found["why"][0]


def test_a_specimen_is_judged_by_itself():
    """The dim specimen is usual for itself; one of its cells is not."""
    dim = {"signal": 0.02}
    quality = cells(*[dim] * 10, {"signal": 0.002})
    table = pd.DataFrame({"specimen": ["1"] * 10 + ["2"] * 11, "dropped": ""})
    assert propose_rejections(quality, None, table)["row"].tolist() == [20]
    table["specimen"] = ["1"] * 10 + ["1"] * 2 + ["2"] * 9
    assert propose_rejections(quality, None, table)["row"].tolist() == [10, 11, 20]


def test_dropped_cells_neither_count_nor_are_proposed():
    faint = {"signal": 0.02}
    quality = cells(*[faint] * 30)
    table = pd.DataFrame({"specimen": "1", "dropped": [""] * 10 + ["tiny"] * 30})
    assert propose_rejections(quality, None, table).empty


def test_a_small_specimen_is_not_compared_with_itself():
    quality = cells({"detail": 0.01, "border": 0.5}, good=3)
    found = propose_rejections(quality)
    assert found["why"].str.contains("Blurred").tolist() == [False]
    assert found["reason"].tolist() == ["cut"]
    few = QualitySettings(fewest_cells=2)
    assert "Blurred" in propose_rejections(quality, few)["why"][0]


def test_limits_are_settings():
    quality = cells({"detail": 0.01})
    assert propose_rejections(quality, QualitySettings(least_detail=0.2)).empty


def test_nothing_is_said_of_what_is_not_known():
    unknown = dict.fromkeys(("roundness", "border", "doublet", "detail"), np.nan)
    assert propose_rejections(cells(unknown)).empty


def test_no_cells_give_no_proposals():
    found = propose_rejections(cells(good=0).reindex(columns=list(GOOD)))
    assert list(found) == ["row", "reason", "why"]
    assert found.empty
