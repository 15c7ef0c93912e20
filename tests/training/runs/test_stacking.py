import shutil
from functools import partial

import numpy as np
import pytest

from training.errors import BadRunError, BadSettingError
from training.runs.execution import execute, start_run
from training.runs.experiments import configure
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions
from training.runs.stacking import fit_weights, pool

pytestmark = pytest.mark.usefixtures("one_thread")

SURE = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
EVEN = np.full((2, 2), 0.5, np.float32)


def test_a_product_by_hand():
    other = np.array([[0.6, 0.4], [0.5, 0.5]], np.float32)
    pooled = pool([SURE, other], np.array([1.0, 1.0]))
    assert pooled[0].tolist() == pytest.approx([0.54 / 0.58, 0.04 / 0.58])
    assert pooled[1].tolist() == pytest.approx([0.2, 0.8])


def test_a_weight_of_one_leaves_a_member_as_it_is():
    assert pool([SURE, EVEN], np.array([1.0, 0.0])) == pytest.approx(SURE)


def test_a_member_that_knows_nothing_gets_no_say():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=400)
    knows = np.where(truth == 1, 0.8, 0.2)[:, None] ** np.array([[0.0, 1.0]])
    knows = np.column_stack([1 - knows[:, 1], knows[:, 1]]).astype(np.float32)
    flipped = rng.random(400) < 0.2
    knows[flipped] = knows[flipped, ::-1]
    guesses = rng.dirichlet([1, 1], 400).astype(np.float32)
    weights = fit_weights([knows, guesses], truth, np.full(400, 1 / 400))
    assert weights[0] == pytest.approx(1, abs=0.25)
    assert weights[1] < 0.15


TINY = {"width": "0.1", "input_size": "32", "epochs": "2"}


def run_in(folder, name, experiment, protocol, **changes):
    """Run an experiment to its end."""
    settings = {"protocol": protocol, "folds": "4", **changes}
    data = str(folder / "task1")
    config = configure(experiment, data, workers=1, changes=settings)
    run = start_run(folder / name, config)
    list(execute(run))
    return run


@pytest.fixture(scope="module")
def members(make_once, make_cells):
    """Two unlike classifiers, each under both protocols, with their data."""

    def make(folder, save):
        save(folder / "task1", make_cells((4,) * 6, cells=2))
        for protocol in ("group-k", "inner-k"):
            run_in(folder, f"network-{protocol}", "radial", protocol, **TINY)
            run_in(folder, f"features-{protocol}", "shape-index", protocol)

    return make_once(make)


@pytest.fixture
def runs(tmp_path, members):
    """Return a function that runs an experiment beside copies of the members."""
    shutil.copytree(members, tmp_path, dirs_exist_ok=True)
    return partial(run_in, tmp_path)


def stacked(tmp_path, run_of, members, inner, **changes):
    names = {
        "members": ",".join(str(tmp_path / name) for name in members),
        "inner": ",".join(str(tmp_path / name) for name in inner),
    }
    return run_of("stack", "stack", "group-k", **names, **changes)


def test_a_stack_of_runs_is_a_run(tmp_path, runs):
    members = ["network-group-k", "features-group-k"]
    inner = ["network-inner-k", "features-inner-k"]
    run = stacked(tmp_path, runs, members, inner)
    found = read_predictions(run)
    first = read_predictions(RunFolder.open(tmp_path / members[0]))
    assert found.ids.tolist() == first.ids.tolist()
    assert found.scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert not np.array_equal(found.scores, first.scores)


def test_a_mean_fits_nothing_and_needs_no_inner_runs(tmp_path, runs):
    names = ["network-group-k", "features-group-k"]
    run = stacked(tmp_path, runs, names, [], pooling="mean")
    members = [read_predictions(RunFolder.open(tmp_path / name)) for name in names]
    expected = (members[0].scores + members[1].scores) / 2
    assert read_predictions(run).scores == pytest.approx(expected, abs=2e-6)


def test_a_mean_with_inner_runs_is_refused(tmp_path, runs):
    member, inner = ["network-group-k"], ["network-inner-k"]
    with pytest.raises(BadSettingError, match="1 runs and 1 inner runs"):
        stacked(tmp_path, runs, member, inner, pooling="mean")


def test_the_weights_of_a_fold_never_saw_its_specimens(tmp_path, runs, monkeypatch):
    """All labels that weights were fitted on are of specimens kept apart twice."""
    seen = []

    def note(members, truth, importance):
        seen.append(len(truth))
        return fit_weights(members, truth, importance)

    monkeypatch.setattr("training.runs.stacking.fit_weights", note)
    run = stacked(tmp_path, runs, ["network-group-k"], ["network-inner-k"])
    folds = read_predictions(run).folds
    sizes = [int((folds == name).sum()) for name in np.unique(folds)]
    # Each fold is weighed by the one that its inner fit tested: the next.
    assert seen == sizes[1:] + sizes[:1]


def test_members_that_saw_the_specimens_are_refused(tmp_path, runs):
    with pytest.raises(BadRunError, match=r"no fold could be trained.*tested other"):
        runs(
            "stack",
            "stack",
            "group-k",
            seed="5",
            members=str(tmp_path / "network-group-k"),
            inner=str(tmp_path / "network-inner-k"),
        )


def test_inner_runs_that_kept_nothing_out_are_refused(tmp_path, runs):
    with pytest.raises(BadRunError, match="none of their folds excluded"):
        stacked(tmp_path, runs, ["network-group-k"], ["network-group-k"])


def test_no_members(tmp_path, task1, cells):
    task1(cells)
    with pytest.raises(BadSettingError, match="0 runs and 0 inner runs were given"):
        run_in(tmp_path, "stack", "stack", "group-k")
