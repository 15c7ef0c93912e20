import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.svm import LinearSVC

from training.config.features import LocalPatternsSettings
from training.errors import InterruptedRunError, SpecimensError
from training.models.features.base import Bag
from training.models.features.local_patterns import (
    LocalPatternsSystem,
    ensemble,
    system,
)

SMALL = LocalPatternsSettings(
    step=6,
    words=24,
    dictionary_patches=2000,
    neighbours=4,
    projection_length=16,
    histogram_bins=16,
    ensemble=3,
)


def cells(per_specimen: int = 8, specimens: int = 4, seed: int = 0) -> Bag:
    """Discs with stripes (0), dots (1) or a bright rim (2)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :40]
    radius = np.hypot(y - 19.5, x - 19.5)
    images, patterns, names = [], [], []
    for pattern in range(3):
        for specimen in range(specimens):
            for _ in range(per_specimen):
                phase = rng.random() * 6
                texture = [
                    np.sin(x * 1.2 + phase),
                    np.sin(x * 1.2 + phase) * np.sin(y * 1.2 + phase) * 2 - 0.5,
                    np.where(radius > 13, 1.0, -0.5),
                ][pattern]
                image = (radius < 17) * (120 + 60 * texture) + rng.normal(0, 8, x.shape)
                images.append(np.clip(image, 0, 255).astype(np.uint8))
                patterns.append(pattern)
                names.append(f"{pattern}-{specimen}")
    n = len(images)
    masks = np.repeat((radius < 17)[None], n, axis=0)
    empty = np.zeros((n, 0), np.float32)
    return Bag(np.stack(images), masks, empty, np.array(patterns), np.array(names))


@pytest.fixture(scope="module")
def fitted() -> LocalPatternsSystem:
    made = LocalPatternsSystem(SMALL, 4)
    made.fit(cells(), 0, lambda: False)
    return made


def test_it_learns_patterns_of_specimens_it_did_not_see(fitted):
    unseen = cells(per_specimen=4, specimens=2, seed=9)
    members = fitted.members(unseen)
    assert len(members) == 3
    assert all(m.shape == (24, 4) and m.dtype == np.float32 for m in members)
    assert all(np.allclose(m.sum(axis=1), 1, atol=1e-5) for m in members)
    assert all((m[:, 3] == 0).all() for m in members), "never trained on"
    assert (np.mean(members, axis=0).argmax(axis=1) == unseen.patterns).mean() > 0.9


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(fitted):
    unseen = cells(per_specimen=1, specimens=1, seed=9)
    again, other = (LocalPatternsSystem(SMALL, 4) for _ in range(2))
    again.fit(cells(), 0, lambda: False)
    other.fit(cells(), 1, lambda: False)
    assert np.array_equal(fitted.members(unseen), again.members(unseen))
    assert not np.array_equal(fitted.members(unseen), other.members(unseen))


def test_codes_of_each_descriptor_have_length_one(fitted):
    bag = cells(per_specimen=1, specimens=1)
    codes = fitted.codes(bag.images, bag.masks).toarray()
    assert codes.shape == (3, 4 * 3 * 24)
    norms = np.linalg.norm(codes.reshape(3, 4, -1), axis=2)
    assert np.allclose(norms, 1, atol=1e-5)


def test_codes_do_not_depend_on_the_other_cells(fitted, monkeypatch):
    bag = cells(per_specimen=2, specimens=1)
    together = fitted.codes(bag.images, bag.masks).toarray()
    monkeypatch.setattr(system, "CELLS", 1)
    alone = fitted.codes(bag.images, bag.masks).toarray()
    assert np.allclose(alone, together, atol=1e-3)


def test_gain_and_offset_of_a_cell_change_nothing(fitted):
    """As far as rounding to whole grey values lets it."""
    bag = cells(per_specimen=1, specimens=1)
    halved = bag.images // 2
    once = fitted.codes(halved, bag.masks).toarray()
    shifted = fitted.codes(halved * 2 + 1, bag.masks).toarray()
    assert np.allclose(once, shifted, atol=2e-2)


def test_what_is_outside_of_the_margin_of_the_mask_is_not_described(fitted):
    bag = cells(per_specimen=1, specimens=1)
    points = system.grid(40, SMALL.step)
    _, slots, inside = fitted._prepare(bag.images, bag.masks)
    assert 0 < int(inside.sum()) < 3 * len(points) ** 2
    assert len(slots) == 3 * int(inside.sum())
    assert set(slots.tolist()) == {0, 1, 2, 3, 4, 5}


def test_patches_for_the_dictionary_are_drawn_evenly():
    counts = [3, 10, 6]
    owner = np.repeat([0, 1, 2], counts)
    rows = system._some_of_each(owner, 5, np.random.default_rng(0)).numpy()
    assert np.bincount(owner[rows]).tolist() == [3, 5, 5]
    assert len(set(rows.tolist())) == 13


def test_a_stop_is_heard():
    with pytest.raises(InterruptedRunError, match="resume"):
        LocalPatternsSystem(SMALL, 3).fit(cells(1), 0, lambda: True)


def toy(seed: int = 0) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Three patterns of four specimens; column 0 holds the number of the specimen."""
    rng = np.random.default_rng(seed)
    specimens = np.repeat(np.arange(12), 15)
    patterns = specimens % 3
    codes = np.eye(3)[patterns] + rng.normal(0, 0.5, (180, 3))
    shifted = np.c_[specimens * 1e-6, codes]
    return csr_array(shifted), patterns, specimens.astype(str)


def test_no_svm_is_calibrated_on_a_specimen_it_was_fitted_on(monkeypatch):
    """Every decision made while fitting is of specimens that the SVM did not see."""
    seen: list[tuple[set, set]] = []

    class Spy(LinearSVC):
        def fit(self, codes, patterns):
            self.fitted_on = set(codes.toarray()[:, 0].tolist())
            return super().fit(codes, patterns)

        def decision_function(self, codes):
            seen.append((self.fitted_on, set(codes.toarray()[:, 0].tolist())))
            return super().decision_function(codes)

    monkeypatch.setattr(ensemble, "LinearSVC", Spy)
    ensemble.fit_ensemble(*toy(), members=4, c=1.0, seed=0)
    assert len(seen) == 4
    assert all(not fitted_on & asked for fitted_on, asked in seen)
    assert sorted(s for _, asked in seen for s in asked) == [
        n * 1e-6 for n in range(12)
    ]


def test_scores_are_sigmoids_divided_by_their_sum():
    codes, patterns, specimens = toy()
    member = ensemble.fit_ensemble(
        codes, patterns, specimens, members=3, c=1.0, seed=0
    )[0]
    raw = np.stack(
        [
            expit(s.slope * d + s.offset)
            for s, d in zip(
                member.sigmoids, member.svm.decision_function(codes).T, strict=True
            )
        ],
        axis=1,
    )
    expected = raw / raw.sum(axis=1, keepdims=True)
    assert np.allclose(member.scores(codes, 3), expected, atol=1e-6)


def test_a_sigmoid_recovers_the_probabilities_it_was_drawn_with():
    rng = np.random.default_rng(0)
    decisions = rng.normal(0, 1, 20_000)
    positive = rng.random(20_000) < expit(2 * decisions - 1)
    sigmoid = ensemble.fit_sigmoid(decisions, positive)
    assert sigmoid is not None
    assert (sigmoid.slope, sigmoid.offset) == pytest.approx((2, -1), abs=0.1)


def test_a_sigmoid_that_falls_or_has_one_kind_of_cell_is_none():
    decisions = np.array([-1.0, -0.5, 0.5, 1.0])
    assert ensemble.fit_sigmoid(decisions, decisions < 0) is None
    assert ensemble.fit_sigmoid(decisions, np.zeros(4, bool)) is None
    assert ensemble.fit_sigmoid(decisions, np.ones(4, bool)) is None


def test_a_part_without_a_pattern_takes_the_sigmoid_of_all_parts():
    """Pattern 2 has two specimens in four parts."""
    codes, patterns, specimens = toy()
    keep = ~np.isin(specimens, ["8", "11"])
    codes, patterns, specimens = codes[keep], patterns[keep], specimens[keep]
    members = ensemble.fit_ensemble(
        codes, patterns, specimens, members=4, c=1.0, seed=0
    )
    sigmoids = [m.sigmoids[2] for m in members]
    assert len(set(sigmoids)) < 4
    assert ensemble.Sigmoid() not in sigmoids


def test_two_patterns_that_are_not_the_first_two():
    codes, patterns, specimens = toy()
    keep = patterns > 0
    made = ensemble.fit_ensemble(
        codes[keep], patterns[keep], specimens[keep], members=2, c=1.0, seed=0
    )
    scores = made[0].scores(codes[keep], 5)
    assert not scores[:, [0, 3, 4]].any()
    assert (scores.argmax(axis=1) == patterns[keep]).mean() > 0.8


@pytest.mark.parametrize("chosen", [["0"], ["0", "1"], ["0", "3"]])
def test_too_few_specimens_are_refused(chosen):
    codes, patterns, specimens = toy()
    keep = np.isin(specimens, chosen)
    with pytest.raises(SpecimensError, match="two specimens of each pattern"):
        ensemble.fit_ensemble(
            codes[keep], patterns[keep], specimens[keep], members=3, c=1.0, seed=0
        )


@pytest.mark.real
@pytest.mark.skipif("HEP2_TASK1" not in os.environ, reason="HEP2_TASK1 is not set")
def test_real_cells_are_coded():
    from PIL import Image

    folder = Path(os.environ["HEP2_TASK1"]) / "train"
    files = sorted(folder.glob("*_Mask.png"))[:40]
    masks = [
        np.asarray(Image.open(f).convert("L").resize((60, 60), 0)) > 0 for f in files
    ]
    grey = [Path(str(f).replace("_Mask", "")) for f in files]
    images = [np.asarray(Image.open(f).convert("L").resize((60, 60))) for f in grey]
    bag = Bag(
        np.stack(images),
        np.stack(masks),
        np.zeros((40, 0), np.float32),
        np.zeros(40, np.int64),
        np.full(40, "one"),
    )
    made = LocalPatternsSystem(SMALL, 6)
    made._fit_dictionaries(bag, 0, lambda: None)
    codes = made.codes(bag.images, bag.masks).toarray()
    assert np.isfinite(codes).all()
    assert np.allclose((codes**2).sum(axis=1), 4, atol=1e-3)
    assert torch.isfinite(made.dictionaries["mlp"]).all()
