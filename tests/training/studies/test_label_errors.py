"""Hand-written scores, and a run with a label that is known to be wrong."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.config import ProtocolSettings
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import BadRunError
from training.runs.execution import execute, start_run
from training.runs.folder import RunConfig
from training.runs.staleness import rescore
from training.studies.label_errors import (
    crops_of,
    doubt_labels,
    find_label_errors,
    queue_quality,
)

SCORES = np.array(
    [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.4, 0.6]], np.float32
)
LABELS = np.array([0, 0, 0, 1, 1])


def test_thresholds_and_candidates_by_hand():
    """0: (0.9 + 0.7 + 0.2) / 3 = 0.6; 1: (0.8 + 0.6) / 2 = 0.7."""
    doubts = doubt_labels(SCORES, LABELS, np.array(["s"] * 5))
    assert doubts.thresholds == pytest.approx([0.6, 0.7])
    assert doubts.candidate.tolist() == [False, False, True, False, False]
    assert doubts.proposed.tolist() == [1, 1, 1, 0, 0]
    assert doubts.suspicion == pytest.approx([-0.8, -0.4, 0.6, -0.6, -0.2])


def test_a_specimen_that_is_taken_for_another_is_no_row_of_label_errors():
    scores = np.tile(np.array([[0.2, 0.8]], np.float32), (10, 1))
    scores[0] = 0.0, 1.0
    doubts = doubt_labels(scores, np.zeros(10, np.int64), np.array(["s"] * 10))
    assert doubts.suspicion[0] == pytest.approx(0.4)
    assert doubts.suspicion[1:] == pytest.approx(np.zeros(9))


def test_a_pattern_that_no_cell_carries_makes_no_candidate():
    scores = np.array([[0.1, 0.0, 0.9]], np.float32)
    doubts = doubt_labels(scores, np.array([0]), np.array(["s"]))
    assert np.isnan(doubts.thresholds[2])
    assert not doubts.candidate[0]


@given(
    hnp.arrays(np.float32, (6, 3), elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.int64, 6, elements=st.integers(0, 2)),
)
def test_what_is_proposed_is_never_the_label(scores, labels):
    doubts = doubt_labels(scores, labels, np.array(list("aabbcc")))
    assert (doubts.proposed != labels).all()
    assert (np.abs(doubts.suspicion) <= 2).all()


@pytest.fixture
def folder(cell_folder, make_cells):
    return cell_folder(make_cells((3,) * 6))


def run_on(out, folder, network, protocol="group-k"):
    config = RunConfig(
        experiment="set-1",
        data=str(folder),
        classifier=network.model_copy(update={"epochs": 2}),
        protocol=ProtocolSettings(protocol=protocol, folds=3),
        device="cpu",
        workers=1,
    )
    run = start_run(out, config)
    list(execute(run))
    return run


def write_scores_of_what_is_seen(run, folder):
    """Put the scores of a model that sees each bar in place of those of the run."""
    table = pd.read_csv(run.path / "predictions.csv")
    images = np.load(folder / "crops.npy")
    rows = table["id"].str.removeprefix("cell").astype(int)
    seen = [[images[r, 2 + 5 * k : 5 + 5 * k].mean() for k in range(6)] for r in rows]
    scores = [name for name in table if name.startswith("score_")]
    table[scores] = 0.04 + 0.76 * np.eye(6)[np.argmax(seen, axis=1)]
    table.to_csv(run.path / "predictions.csv", index=False)


def test_a_wrong_label_stands_first_until_it_is_mended(
    tmp_path, folder, tiny_network, one_thread
):
    with DecisionStore(folder / STORE, "ann") as store:
        store.decide(["cell0"], "relabelled", "Golgi")
    run = run_on(tmp_path / "run", folder, tiny_network)
    write_scores_of_what_is_seen(run, folder)
    queue = find_label_errors(run)
    (first,) = queue.rows(1)
    assert (first["id"], first["label"]) == ("cell0", "Golgi")
    assert first["proposed"] == "Homogeneous"
    assert first["candidate"]
    assert first["of_specimen"] == 0.25
    assert (first["label_score"], first["proposed_score"]) == (0.04, 0.8)
    quality = queue_quality(queue, {"cell0": "Homogeneous"})
    assert (quality.average_precision, quality.proposed_right) == (1, 1)
    assert quality.recall_at[1] == 1
    assert quality.precision_interval[1] is None, "one cell tells no width"
    assert quality.precision_interval.keys() == quality.precision_at.keys()
    with DecisionStore(folder / STORE, "ann") as store:
        store.decide(["cell0"], "relabelled", "Homogeneous")
    later = find_label_errors(run)
    assert not later.candidate.any()
    assert later.suspicion.max() < 0
    assert rescore(run)[1]["relabelled"] == 1
    crops = crops_of(run, later.ids[:2])
    images = np.load(folder / "crops.npy")
    rows = [int(cell.removeprefix("cell")) for cell in later.ids[:2]]
    assert np.array_equal(crops, images[rows])


def test_models_that_saw_the_specimen_are_not_asked(
    tmp_path, folder, tiny_network, one_thread
):
    run = run_on(tmp_path / "run", folder, tiny_network, "k-fold")
    with pytest.raises(BadRunError, match="trained on the specimens"):
        find_label_errors(run)
