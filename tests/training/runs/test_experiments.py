import pytest

from training import paper
from training.config import PaperNetworkSettings
from training.errors import BadSettingError
from training.runs.experiments import (
    CORE_SECONDS,
    EXPERIMENTS,
    Forecast,
    configure,
    find_experiment,
    forecast_content,
    paper_cost,
    pilot_offer,
)


def test_set_1_is_the_papers_recipe():
    network = EXPERIMENTS["set-1"].classifier
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
        printed = {**paper.COMPARED_SYSTEMS, **paper.MEAN_CLASS_ACCURACY}
        assert experiment.paper_mca == printed.get(name)


def test_experiments_change_one_thing_each():
    base = EXPERIMENTS["set-1"]
    changed = {"set-2": ("views",), "set-1-k-fold": ("protocol",)}
    changed |= {"set-1-literal": ("initialisation",)}
    changed |= {"set-1-normalised": ("normalisation",)}
    changed |= {"set-1-batch-norm": ("batch_norm",)}
    changed |= {"set-1-turned": ("augmentation",), "set-1-jittered": ("augmentation",)}
    changed |= {"pooled": ("use_extra",)}
    changed |= {"set-3": ("cells_per_specimen", "use_extra")}
    changed |= {"pooled-augmented": ("use_extra", "extra_views")}
    for name, keys in changed.items():
        one = EXPERIMENTS[name]
        found = [
            *one.classifier.differing(base.classifier),
            *one.training_set.differing(base.training_set),
            *one.protocol.differing(base.protocol),
        ]
        assert sorted(found) == sorted(keys), name


def test_extra_cells_are_asked_for_and_never_taken_in_silence():
    assert (
        configure("set-3", "data", extra="more").training_set.cells_per_specimen == 41
    )
    with pytest.raises(BadSettingError, match=r"set-3: .*give their folder to --extra"):
        configure("set-3", "data")
    with pytest.raises(BadSettingError, match=r"--extra: set-1 does not train on it"):
        configure("set-1", "data", extra="more")


def test_settings_are_changed_by_name():
    changes = {"width": "0.25", "folds": "7", "protocol": "group-k", "seed": "3"}
    config = configure("set-1", "data", workers=2, changes=changes)
    assert config.classifier.width == 0.25
    assert config.protocol.folds == 7
    assert config.protocol.seed == 3
    assert config.workers == 2
    assert config.classifier.epochs == 50


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
    """Cells trained on in each fold, times 50 epochs, times 83 folds."""
    expected = {
        "set-1": 13596 * 82 * 50,
        "set-2": 13596 * 82 * 50 * 8,
        "set-3": 83 * (13120 - 41) * 50,
        "pooled": (13596 * 82 + 83 * 48627) * 50,
        "pooled-augmented": (13596 * 82 + 83 * 114986) * 50,
    }
    for name, image_steps in expected.items():
        cost = paper_cost(EXPERIMENTS[name])
        assert cost.folds == 83
        assert cost.image_steps == image_steps, name
    assert paper_cost(EXPERIMENTS["set-1-k-fold"]).folds == 5


def test_a_pilot_is_offered_where_a_run_takes_over_an_hour():
    long = Forecast(83, 83 * 3600, 100.0)
    assert pilot_offer(long) == ""
    longer = Forecast(83, 83 * 3600, 10.0)
    assert pilot_offer(longer) == (
        "83 folds take about 8.3 hours here; --pilot 12 gives a first figure with its "
        "interval in about 1.2"
    )
    assert pilot_offer(Forecast(5, 10**9, 10.0)) == ""
    assert forecast_content(longer)["pilot"]


def test_every_classifier_has_a_cost():
    for experiment in EXPERIMENTS.values():
        assert paper_cost(experiment).core_hours > 0
    set_1 = paper_cost(EXPERIMENTS["set-1"])
    hours = set_1.image_steps * CORE_SECONDS["paper-network"] / 3600
    assert set_1.core_hours == hours


def test_a_classifier_without_epochs_meets_each_image_once_a_fold():
    assert paper_cost(EXPERIMENTS["shape-index"]).image_steps == 13596 * 82


def test_settings_of_one_classifier_are_not_those_of_another():
    config = configure("shape-index", "data", changes={"scales": "1,2", "bins": "4"})
    assert config.classifier.scales == (1.0, 2.0)
    with pytest.raises(BadSettingError, match="width: there is no such setting"):
        configure("shape-index", "data", changes={"width": "1"})
    with pytest.raises(BadSettingError, match="name: there is no such setting"):
        configure("set-1", "data", changes={"name": "lenet"})
    assert isinstance(EXPERIMENTS["set-1"].classifier, PaperNetworkSettings)
