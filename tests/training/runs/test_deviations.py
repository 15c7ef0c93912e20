from training.runs.deviations import (
    changed_settings,
    changes_note,
    deviations,
    paper_figure,
    rerun_command,
)
from training.runs.experiments import configure


def lines_of(name: str, **changes: str) -> list[str]:
    return deviations(configure(name, "data", changes=changes))


def test_what_deviates_from_the_paper_is_told():
    assert len(lines_of("set-1")) == 3
    lines = lines_of("set-1", epochs="5", width="0.5", momentum="0.5")
    assert lines[:3] == [
        "epochs is 5, the recipe has 50.",
        "momentum is 0.5, the recipe has 0.9.",
        "width is 0.5, the recipe has 1.0.",
    ]
    assert not any("MatConvNet" in line for line in lines)


def test_a_changed_run_is_no_longer_the_papers():
    same = configure("set-1", "data", changes={"seed": "3", "protocol": "group-k"})
    assert paper_figure(same) == 70.52
    assert changes_note(configure("set-1", "data")) == []
    for key, value in (("epochs", "5"), ("width", "0.5"), ("views", "8")):
        changed = configure("set-1", "data", changes={key: value})
        assert paper_figure(changed) is None
        assert changes_note(changed)[0].startswith(
            f"Changed from the recipe: {key} {value} (recipe: "
        )


def test_a_recipe_of_ours_says_what_it_changes():
    assert not any("He et al." in line for line in lines_of("set-1-literal"))
    words = {
        "set-1-normalised": "The intensity of each cell is normalised",
        "set-1-batch-norm": "Hidden convolutions have batch normalisation",
        "set-1-turned": "Training cells are augmented at random",
    }
    for name, start in words.items():
        assert any(line.startswith(start) for line in lines_of(name)), name
        assert not any(line.startswith(start) for line in lines_of("set-1"))


def test_each_classifier_says_what_is_our_reading():
    for name in ("lenet", "shape-index", "local-patterns", "scale-space", "imagenet"):
        assert len(lines_of(name)) == 1, name


def test_the_command_does_the_same_run_again():
    changes = {"protocol": "group-k", "views": "8", "scales": "1,2.5"}
    config = configure("shape-index", "a folder", changes=changes)
    assert rerun_command(config) == (
        "hep2 run shape-index --data 'a folder' --out RUN "
        "--set protocol=group-k --set views=8 --set scales=1,2.5"
    )
    assert configure("shape-index", "a folder", changes=changes) == config
    assert set(changed_settings(config)) == set(changes)


def test_the_command_names_the_extra_cells():
    assert "--extra more" in rerun_command(configure("set-3", "data", extra="more"))
