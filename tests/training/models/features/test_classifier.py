from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from training.models.base import average
from training.models.features.base import FeatureSystem
from training.models.features.classifier import FeatureClassifier
from training.models.features.store import FeatureStore, turned
from training.splits.samples import Samples


class NearestMean(FeatureSystem):
    """Scores by the nearest mean of the features, which are row sums of the image."""

    computed = 0
    seen: ClassVar[list] = []

    def compute(self, images, masks):
        type(self).computed += len(images)
        return images.sum(axis=2).astype(np.float32)

    def fit(self, train, seed, should_stop):
        self.seen.append((train, seed))
        self.means = [
            train.features[train.patterns == k].mean(axis=0) for k in range(6)
        ]

    def members(self, cells):
        distance = np.stack(
            [np.linalg.norm(cells.features - mean, axis=1) for mean in self.means],
            axis=1,
        )
        scores = np.exp(-distance / 1000)
        return [(scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)]


class Invariant(NearestMean):
    invariant = True


@pytest.fixture
def masked(cells):
    NearestMean.computed = Invariant.computed = 0
    NearestMean.seen.clear()
    return replace(cells, masks=cells.images > 100)


def build(system, cells, folder) -> FeatureClassifier:
    store = FeatureStore(system(), "{}", cells, folder)
    return FeatureClassifier(system, cells, store)


def run(classifier, train, test, seed=7):
    fitting = classifier.fit(train, test, seed=seed)
    records = [next(fitting)]
    with pytest.raises(StopIteration) as end:
        next(fitting)
    return records, end.value.value


def test_it_fits_on_the_training_cells_and_scores_the_others(masked, tmp_path):
    train = np.flatnonzero(np.char.endswith(masked.specimens, "0"))
    test = np.setdiff1d(np.arange(48), train)
    classifier = build(NearestMean, masked, tmp_path)
    (record,), held_out = run(classifier, Samples.plain(train), test)
    bag, seed = NearestMean.seen[0]
    assert seed == 7
    assert bag.specimens.tolist() == masked.specimens[train].tolist()
    assert np.array_equal(bag.images, masked.images[train])
    assert np.array_equal(bag.masks, masked.masks[train])
    assert (held_out.scores.argmax(1) == masked.patterns[test]).all()
    assert not held_out.disagreement.any()
    assert record.epoch == classifier.epochs == 1
    assert record.accuracy == 1
    assert 0 < record.loss < np.log(6)


def test_features_are_computed_once_for_all_folds_and_processes(masked, tmp_path):
    for _ in range(3):
        classifier = build(NearestMean, masked, tmp_path)
        classifier.prepare(views=1)
        run(classifier, Samples.plain(np.arange(0, 48, 2)), np.arange(1, 48, 2))
    assert NearestMean.computed == 48
    assert len(list(tmp_path.glob("features-*.npy"))) == 1


@pytest.mark.parametrize("what", ["pixel", "mask", "recipe"])
def test_whatever_decides_the_features_names_their_file(masked, tmp_path, what):
    build(NearestMean, masked, tmp_path).prepare(1)
    changed = masked.take(np.arange(48))
    if what == "pixel":
        changed.images[0, 0, 0] ^= 1
    if what == "mask":
        changed.masks[0, 0, 0] ^= True
    recipe = "{}" if what != "recipe" else '{"bins": 4}'
    store = FeatureStore(NearestMean(), recipe, changed, tmp_path)
    store.view(0)
    assert NearestMean.computed == 96
    assert len(list(tmp_path.glob("features-*.npy"))) == 2


def test_each_view_has_its_own_features(masked, tmp_path):
    store = FeatureStore(NearestMean(), "{}", masked, tmp_path)
    samples = Samples(np.array([5, 5, 2]), np.array([0, 1, 4]))
    images, masks = turned(masked, samples.rows, samples.views)
    assert np.array_equal(images[1], np.rot90(masked.images[5]))
    assert np.array_equal(masks[2], masked.masks[2][:, ::-1])
    assert np.array_equal(store.of(samples), images.sum(axis=2))


def test_a_system_that_no_view_changes_takes_each_cell_once(masked, tmp_path):
    classifier = build(Invariant, masked, tmp_path)
    classifier.prepare(views=8)
    rows = np.arange(0, 48, 2)
    train = Samples(np.tile(rows, 8), np.repeat(np.arange(8), 24))
    run(classifier, train, np.arange(1, 48, 2))
    bag, _ = NearestMean.seen[0]
    assert len(bag) == 24
    assert Invariant.computed == 48


def test_members_are_averaged_and_their_spread_is_kept():
    one = np.array([[0.8, 0.2], [0.5, 0.5]], np.float32)
    other = np.array([[0.4, 0.6], [0.5, 0.5]], np.float32)
    found = average([one, other])
    assert found.scores == pytest.approx(np.array([[0.6, 0.4], [0.5, 0.5]]))
    assert found.disagreement == pytest.approx([0.2, 0])
