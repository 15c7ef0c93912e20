import pytest

from training import paper
from training.errors import BadSettingError
from training.experiments import (
    EXPERIMENTS,
    configure,
    find_experiment,
    forecast,
    paper_forecast,
)


def test_set_1_is_the_papers_recipe():
    network = EXPERIMENTS["set-1"].network
    assert network.input_size == 60
    assert network.batch_size == 200
    assert network.epochs == 50
    assert network.learning_rate == 0.002
    assert network.momentum == 0.9
    assert network.vote_epochs == 3
    assert network.normalisation == "none"
    assert EXPERIMENTS["set-1"].protocol.protocol == "loso"


def test_what_the_paper_measured_stands_beside():
    for name, experiment in EXPERIMENTS.items():
        assert experiment.paper_mca == paper.MEAN_CLASS_ACCURACY.get(name)


def test_experiments_change_one_thing_each():
    base = EXPERIMENTS["set-1"]
    for name, changed in [
        ("set-2", {"views": 8}),
        ("set-1-normalised", {"normalisation": "cell"}),
    ]:
        assert EXPERIMENTS[name].network == base.network.model_copy(update=changed)
        assert EXPERIMENTS[name].protocol == base.protocol


def test_settings_are_changed_by_name():
    changes = {"width": "0.25", "folds": "7", "protocol": "group-k", "seed": "3"}
    config = configure("set-1", "data", workers=2, changes=changes)
    assert config.network.width == 0.25
    assert config.protocol.folds == 7
    assert config.protocol.seed == 3
    assert config.workers == 2
    assert config.network.epochs == 50


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epoch": "3"}, "epoch: there is no such setting; use one of input_size"),
        ({"epochs": "0"}, "epochs: '0' does not fit; .*greater than or equal to 1"),
        ({"epochs": "soon"}, "epochs: 'soon' does not fit; .*valid integer"),
        ({"protocol": "random"}, "protocol: 'random' does not fit; .*'loso'"),
    ],
)
def test_a_bad_setting_is_told(changes, sentence):
    with pytest.raises(BadSettingError, match=sentence):
        configure("set-1", "data", changes=changes)


def test_no_such_experiment():
    with pytest.raises(BadSettingError, match=r"set-7: there is no such .*set-1"):
        find_experiment("set-7")


def test_the_cost_of_the_papers_runs():
    """13,596 cells, each trained on in 82 of 83 folds, 50 times."""
    cost = paper_forecast(configure("set-1", ""), images_per_second=1000)
    assert cost.image_steps == 13596 * 82 * 50 == 55_743_600
    assert cost.seconds == pytest.approx(55_743.6)


def test_the_cost_grows_with_views_epochs_and_folds():
    config = configure("set-2", "", changes={"epochs": "3"})
    assert forecast(config, 100, 5, 1.0).image_steps == 100 * 4 * 8 * 3
