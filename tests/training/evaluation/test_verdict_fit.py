import numpy as np
import pytest

from training.config import VerdictSettings
from training.errors import BadRunError, SpecimensError
from training.evaluation.predictions import Predictions
from training.evaluation.transduction import with_specimen
from training.evaluation.verdict import evidence, specimen_verdict
from training.evaluation.verdict_constants import (
    Threshold,
    choose_threshold,
    fit_constants,
    fit_temperature,
    judge_specimens,
    least_risk,
)
from training.evaluation.verdict_figures import VerdictCalibration
from training.evaluation.verdict_fit import (
    cross_fit,
    fit_predictions,
    risk_bound,
    specimen_table,
)
from training.patterns import I3A


def constants(**changes) -> VerdictCalibration:
    content = {
        "patterns": I3A.names,
        "specimens": 20,
        "temperature": 2.0,
        "correlation": 0.5,
        "risk": 0.1,
        "threshold": 0.7,
        "turned_away": 0.05,
        "distance": 3.0,
        "profiles": dict.fromkeys(I3A.names, ()),
        "mixed_share": 0.2,
    }
    return VerdictCalibration(**content | changes)


def cells_of(pattern: int, n: int, certainty: float = 0.9) -> np.ndarray:
    scores = np.full((n, 6), (1 - certainty) / 5, np.float32)
    scores[:, pattern] = certainty
    return scores


def known_to(pattern: int, scores: np.ndarray, **changes) -> VerdictCalibration:
    from training.evaluation.verdict import profile

    profiles = dict.fromkeys(I3A.names, ())
    profiles[I3A.names[pattern]] = (tuple(profile(scores).tolist()),)
    return constants(profiles=profiles, **changes)


def predictions(
    seed: int = 0, per_pattern: int = 6, n: int = 30, spread: float = 1.0
) -> Predictions:
    """Specimens that lean to a pattern as a whole: their cells err together."""
    rng = np.random.default_rng(seed)
    scores, truth, names = [], [], []
    for k in range(6):
        for number in range(per_pattern):
            lean = rng.normal(0, spread, 6) + 2.5 * (np.arange(6) == k)
            logits = lean + rng.normal(0, 0.5, (n, 6))
            p = np.exp(logits)
            scores.append(p / p.sum(1, keepdims=True))
            truth += [k] * n
            names += [f"{k}-{number}"] * n
    table = np.concatenate(scores).astype(np.float32)
    ids = np.asarray([f"c{i}" for i in range(len(truth))])
    return Predictions(
        ids,
        np.asarray(names),
        np.asarray(truth, np.int64),
        table.argmax(1).astype(np.int64),
        table,
        I3A.names,
        np.full(len(ids), "f"),
        np.zeros(len(ids), np.float32),
    )


def judged_of(said: Predictions):
    return judge_specimens(
        said.scores,
        said.truth,
        said.specimens,
        said.patterns,
        np.random.default_rng(0),
    )


def test_evidence_by_hand():
    """9 cells at correlation 1/2 count as 9 / 5; a temperature of 2 halves that."""
    assert evidence(1, constants()) == pytest.approx(0.5)
    assert evidence(9, constants()) == pytest.approx(0.9)
    assert evidence(10**6, constants()) == pytest.approx(1.0, rel=1e-4)


def test_the_probability_of_two_patterns_by_hand():
    """Cells of 0.9 against 0.1/5, effectively 1 of 2: odds of 45 to the power 0.9."""
    scores = cells_of(2, 9)
    verdict = specimen_verdict(
        scores, I3A, VerdictSettings(minimum_cells=1), known_to(2, scores)
    )
    odds = 45**0.9
    assert verdict.probabilities is not None
    assert verdict.probabilities[2] == pytest.approx(odds / (odds + 5), rel=1e-5)
    assert verdict.pattern is not None
    assert verdict.distance == pytest.approx(0, abs=1e-6)


def test_a_known_temperature_is_found():
    """Logits are drawn from truth, and then told 3 times too sure."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (4000, 1, 2))
    share = 1 / (1 + np.exp(logits[:, 0, 0] - logits[:, 0, 1]))
    truth = (rng.random(4000) < share).astype(np.int64)
    temperature, _ = fit_temperature(3 * logits, np.ones((4000, 1), np.int64), truth)
    assert temperature == pytest.approx(3, rel=0.1)


def test_cells_that_say_the_same_are_fully_correlated():
    """All cells of a specimen are copies: 50 of them are worth one."""
    rng = np.random.default_rng(2)
    logits = np.repeat(rng.normal(0, 2, (2000, 1, 2)), 2, axis=1)
    share = 1 / (1 + np.exp(logits[:, 0, 0] - logits[:, 0, 1]))
    truth = (rng.random(2000) < share).astype(np.int64)
    counts = np.tile([1, 50], (2000, 1))
    temperature, correlation = fit_temperature(logits, counts, truth)
    assert temperature == pytest.approx(1, rel=0.15)
    assert correlation > 0.95


def test_specimens_that_are_all_right_do_not_make_it_certain():
    drawn = np.tile([[[0.0, -5.0]]], (8, 1, 1))
    counts, truth = np.ones((8, 1), np.int64), np.zeros(8, np.int64)
    temperature, _ = fit_temperature(drawn, counts, truth)
    assert 1 / (1 + np.exp(-5 / temperature)) == pytest.approx(9 / 10, abs=1e-3)


def test_the_threshold_by_hand():
    """At a risk of 1/2 and 3/4 sure: 2 of 2 pass at 1/4, 3 of 4 fail at 5/16."""
    top = np.asarray([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.asarray([True, True, True, False, True])
    assert choose_threshold(top, right, 0.5, 0.75) == Threshold(0.7, 3, 0)
    assert choose_threshold(top, right, 0.5, 0.68) == Threshold(0.5, 5, 1)
    assert choose_threshold(top, right, 0.1, 0.75) is None
    assert least_risk(top, right, 0.75) == 0.38


def test_one_error_at_the_top_is_not_the_end():
    """Of 60, the first is wrong: the first 20 have 1 of 5 at most with 90 % or more."""
    right = np.arange(60) > 0
    top = np.linspace(0.99, 0.4, 60)
    assert choose_threshold(top, right, 0.2, 0.9) == Threshold(0.4, 60, 1)
    assert least_risk(top, right, 0.9) == 0.19


def test_at_ten_per_cent_and_nine_in_ten_sure_it_takes_22_specimens():
    for count, given in ((21, None), (22, Threshold(0.5, 22, 0))):
        right = np.ones(count, bool)
        assert choose_threshold(np.full(count, 0.5), right, 0.1, 0.9) == given


def test_specimens_of_one_probability_are_answered_together():
    top = np.full(4, 0.8)
    right = np.asarray([True, True, True, False])
    assert choose_threshold(top, right, 0.5, 0.75) is None
    assert choose_threshold(top, right, 0.6, 0.75) == Threshold(0.8, 4, 1)


@pytest.mark.parametrize("specimens", [56, 252])
def test_the_risk_is_kept_by_nine_fits_in_ten(specimens):
    rng = np.random.default_rng(0)

    def draw(n):
        # The probability of the leading pattern is right as often as it says.
        top = rng.beta(4, 1.2, n)
        return top, rng.random(n) < top

    top, right = draw(100_000)
    order = np.argsort(-top)
    wrong = np.cumsum(~right[order])
    shares = []
    for _ in range(1000):
        chosen = choose_threshold(*draw(specimens), 0.1, 0.9)
        if chosen is not None:
            answered = np.searchsorted(-top[order], -chosen.probability)
            shares.append(wrong[answered - 1] / answered)
    over = np.count_nonzero(np.asarray(shares) > 0.1)
    assert 3 < over < 100, "of 1000 fits; a threshold on average misses it in 350"
    assert len(shares) > 150, "few specimens guarantee 10 % seldom"


def test_the_bound_of_a_risk():
    assert risk_bound(0, 29) == pytest.approx(1 - 0.05 ** (1 / 29))
    assert risk_bound(2, 2) == 1
    assert risk_bound(0, 0) is None


def test_no_constant_saw_the_specimen_it_judges():
    """Another label for a specimen moves the constants of the others, not its own."""
    said = predictions()
    judged = judged_of(said)
    own = judged.names == "2-0"
    changed = judged_of(
        Predictions(
            **{**vars(said), "truth": np.where(said.specimens == "2-0", 4, said.truth)}
        )
    )
    everyone, settings = np.arange(len(judged)), VerdictSettings()
    for row in (int(np.flatnonzero(own)[0]), 0):
        before = fit_constants(judged, everyone[everyone != row], settings)
        after = fit_constants(changed, everyone[everyone != row], settings)
        assert (before == after) == bool(own[row])
    verdicts = [
        {one.name: one.verdict for one in cross_fit(some, I3A, settings)}
        for some in (judged, changed)
    ]
    same = {
        name: np.array_equal(verdicts[0][name].probabilities, other.probabilities)
        for name, other in verdicts[1].items()
    }
    assert same["2-0"]
    assert not any(value for name, value in same.items() if name != "2-0")


def test_of_many_specimens_a_tenth_is_judged_at_a_time(monkeypatch):
    from training.evaluation import verdict_fit

    fitted_on = []

    def spy(judged, rows, settings):
        fitted_on.append(set(rows.tolist()))
        return fit_constants(judged, rows, settings)

    judged = judged_of(predictions())
    monkeypatch.setattr(verdict_fit, "_ALONE", len(judged) - 1)
    monkeypatch.setattr(verdict_fit, "fit_constants", spy)
    found = cross_fit(judged, I3A, VerdictSettings())
    assert sorted(one.name for one in found) == sorted(judged.names)
    left = [set(range(len(judged))) - rows for rows in fitted_on]
    assert len(left) == 10
    assert sorted(row for rows in left for row in rows) == list(range(len(judged)))


def test_the_transductive_power_did_not_see_its_specimen():
    from training.evaluation.transduction import cross_fitted_powers

    judged = judged_of(predictions())
    changed = judged.truth.copy()
    changed[3] = 5
    before, _ = cross_fitted_powers(judged.cells, judged.truth)
    after, _ = cross_fitted_powers(judged.cells, changed)
    assert before[3] == after[3]


def test_a_cell_beside_its_specimen_by_hand():
    scores = np.asarray([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], np.float32)
    ratio = (9 * 9 * (0.4 / 0.6)) ** (1 / 3)
    adjusted = with_specimen(scores, 1.0)
    assert adjusted[2, 0] / adjusted[2, 1] == pytest.approx(ratio * 0.4 / 0.6)
    assert with_specimen(scores, 0.0) == pytest.approx(scores, rel=1e-5)


def test_too_few_cells_are_told_before_all_else():
    verdict = specimen_verdict(cells_of(1, 9), I3A, fitted=constants())
    assert verdict.withheld == "too-few-cells"
    assert verdict.pattern is None
    assert verdict.probabilities is not None
    nothing = specimen_verdict(np.zeros((0, 6), np.float32), I3A, fitted=constants())
    assert nothing.withheld == "too-few-cells"


def test_no_clear_pattern():
    scores = cells_of(1, 40, certainty=0.3)
    verdict = specimen_verdict(scores, I3A, fitted=known_to(1, scores))
    assert verdict.withheld == "no-clear-pattern"
    assert "under 70%" in verdict.reason


def test_a_risk_that_no_threshold_keeps_withholds_all():
    scores = cells_of(1, 40)
    verdict = specimen_verdict(scores, I3A, fitted=known_to(1, scores, threshold=None))
    assert verdict.withheld == "no-clear-pattern"
    assert "which nothing keeps on 20 held-out specimens" in verdict.reason
    sure = known_to(1, scores, threshold=None, confidence=0.9, least_risk=0.31)
    reason = specimen_verdict(scores, I3A, fitted=sure).reason
    assert "do not guarantee with 90% confidence; try a risk of 31%" in reason


def test_cells_without_stain_are_none_of_these():
    """A negative field: every cell scores as chance has it, one pattern just leads."""
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.full(6, 0.5), 60).astype(np.float32)
    leading = int(np.log(np.maximum(scores, 1e-6)).mean(0).argmax())
    fitted = known_to(leading, cells_of(leading, 60))
    verdict = specimen_verdict(scores, I3A, fitted=fitted)
    assert verdict.withheld == "not-one-of-these"
    assert verdict.distance is not None
    assert verdict.distance > 3


def test_a_pattern_that_was_never_recognised_is_not_claimed():
    verdict = specimen_verdict(cells_of(5, 40), I3A, fitted=constants())
    assert verdict.withheld == "not-one-of-these"
    assert "no held-out specimen of it was recognised" in verdict.reason


def test_mixed_by_the_fitted_share():
    scores = np.concatenate([cells_of(0, 30, 0.95), cells_of(1, 10, 0.6)])
    one = specimen_verdict(scores, I3A, fitted=known_to(0, scores, threshold=0.5))
    assert one.mixed
    assert one.second is not None
    assert one.second.name == "Speckled"
    changed = known_to(0, scores, threshold=0.5, mixed_share=0.3)
    assert not specimen_verdict(scores, I3A, fitted=changed).mixed


def test_the_figures_of_a_run_are_those_of_its_specimens():
    fitted = fit_predictions(predictions())
    figures = fitted.calibration.figures
    assert figures is not None
    assert figures.specimens == 36
    assert figures.right == sum(
        fitted.calibration.patterns[one.leading] == one.truth.name
        for one in fitted.specimens
    )
    withheld = figures.no_clear_pattern + figures.not_one_of_these
    assert figures.answered + withheld + figures.too_few_cells == 36
    assert specimen_table(fitted).count("\n") == 37
    assert set(fitted.calibration.left_out) == set(I3A.names)
    again = VerdictCalibration.model_validate_json(fitted.calibration.model_dump_json())
    assert again == fitted.calibration


def test_an_unknown_pattern_is_further_away_than_known_ones():
    """Specimens whose cells waver in a way that no known specimen does."""
    said = predictions(per_pattern=8, spread=0.3)
    rng = np.random.default_rng(5)
    table = said.scores.copy()
    unknown = said.truth == 5
    table[unknown] = rng.dirichlet(np.full(6, 0.3), unknown.sum())
    left_out = fit_predictions(said, left_out={5: table}).calibration.left_out
    assert set(left_out) == {"Golgi"}
    assert left_out["Golgi"].area > 0.9
    assert left_out["Golgi"].withheld >= 7


def test_too_few_specimens():
    said = predictions(per_pattern=1).take(np.arange(90))
    with pytest.raises(SpecimensError, match="held out 3 specimens"):
        fit_predictions(said)


def test_a_run_that_ignored_specimens_gives_no_verdict(tmp_path):
    from training.runs.verdicts import fit_verdict

    class Leaky:
        path = tmp_path

        def config(self):
            from types import SimpleNamespace

            return SimpleNamespace(protocol=SimpleNamespace(protocol="k-fold"))

    with pytest.raises(BadRunError, match="ignore specimens"):
        fit_verdict(Leaky())


def test_an_unknown_distance_leaves_the_figures_of_a_pattern_out(monkeypatch):
    from training.evaluation import verdict_fit

    assert verdict_fit._area([0.1, 0.2], [0.3]) == 1
    unknown = verdict_fit._area([0.1, None], [0.3])
    assert np.isnan(unknown)
    monkeypatch.setattr(verdict_fit, "_area", lambda *_: unknown)
    assert not fit_predictions(predictions()).calibration.left_out
