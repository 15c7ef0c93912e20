"""Leave-one-specimen-out of the cells under review follows their labels."""

import numpy as np
import pandas as pd
import pytest

from training.curation.review_set import ReviewSet
from training.errors import SpecimensError
from training.patterns import I3A
from training.studies.live_loso import live_steps

pytestmark = pytest.mark.usefixtures("one_thread")
EACH, SIDE = 6, 77


def drain(steps):
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return told, end.value


@pytest.fixture(scope="module")
def review():
    """Six specimens: in three of them nuclei are even, in the others they have dots."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    disc = np.hypot(y, x) < 26
    crops = []
    for cell in range(6 * EACH):
        dots = rng.random((SIDE, SIDE)) < 0.02 if cell // EACH % 2 else 0
        noise = rng.integers(0, 12, (SIDE, SIDE))
        crops.append(np.where(disc, 120 + noise + 110 * dots, noise))
    table = pd.DataFrame({"id": [f"c{k}" for k in range(6 * EACH)]})
    table["specimen"] = [f"s{k // EACH}" for k in range(6 * EACH)]
    table["pattern"] = [
        ("Homogeneous", "Speckled")[k // EACH % 2] for k in range(6 * EACH)
    ]
    table["dropped"] = ""
    return ReviewSet(np.array(crops, np.uint8), table, I3A, "drawn")


@pytest.fixture(scope="module")
def study(review, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEP2_CACHE", str(tmp_path_factory.mktemp("cache")))
        told, study = drain(live_steps(review, review.pattern_index))
        assert told == sorted(told)
        assert told[-1] == 1
    return study


def test_even_and_dotted_nuclei_of_unseen_specimens_are_told_apart(study, review):
    figures = study.measure(review.pattern_index)
    assert figures.metrics.mean_class_accuracy == 1
    assert figures.metrics.n == 36
    assert figures.metrics.specimens.tolist() == [3, 3, 0, 0, 0, 0]
    assert figures.hardest == ()
    assert figures.doubt.max() < 0.5


def test_a_changed_label_moves_the_matrix_and_one_taken_back_gives_the_same_bits(
    study, review
):
    labels = review.pattern_index
    before = study.measure(labels)
    changed = labels.copy()
    changed[:2] = 1
    after = study.measure(changed)
    assert after.metrics.confusion[:2, :2].tolist() == [[16, 0], [2, 18]]
    assert [(one.name, one.right, one.cells) for one in after.hardest] == [("s0", 4, 6)]
    assert I3A.names[after.hardest[0].taken_for] == "Homogeneous"
    assert (np.argsort(-after.doubt)[:2] < 2).all(), "the wrong labels come first"
    again = study.measure(labels)
    assert again.doubt.tobytes() == before.doubt.tobytes()
    assert again.metrics.interval == before.metrics.interval


def test_the_curve_ends_at_the_figures_and_begins_with_fewer_specimens(study, review):
    labels = review.pattern_index.copy()
    labels[:2] = 1
    figures = study.measure(labels)
    told, curve = drain(study.curve(figures))
    assert told == sorted(told)
    assert curve.labels is figures.labels
    assert [one.specimens for one in curve.points] == [4, 6]
    assert curve.points[-1].mean_class_accuracy == figures.metrics.mean_class_accuracy
    assert 0.5 < curve.points[0].mean_class_accuracy <= 1
    _, again = drain(study.curve(figures))
    assert again.points == curve.points


def test_cells_without_a_label_are_not_measured(study, review):
    labels = review.pattern_index.copy()
    labels[5:9] = -1
    figures = study.measure(labels)
    assert figures.metrics.n == 32
    assert np.flatnonzero(np.isnan(figures.doubt)).tolist() == [5, 6, 7, 8]


def test_too_few_labels_are_told(study, review):
    with pytest.raises(SpecimensError, match="label cells of at least two patterns"):
        next(live_steps(review, np.zeros(36, np.int64)))
    with pytest.raises(SpecimensError, match="too few specimens"):
        study.measure(np.full(36, -1))
