"""Deviations of a run from its recipe and from the paper, and its command."""

from __future__ import annotations

from training.config import PaperNetworkSettings, as_typed
from training.config.commands import command_line
from training.runs.experiments import find_experiment
from training.runs.folder import RunConfig
from training.storage.shown_paths import shown_path

_INITIALISATION = (
    "Weights start as He et al. (2015) propose and grey values are divided by 255: the "
    "paper's 'around 0.001', taken literally, does not train."
)
_DEFAULTS = (
    "Momentum 0.9 and weight decay 0.0005 are MatConvNet's defaults; the paper gives "
    "neither."
)
_CHANGES = {
    "normalisation": "The intensity of each cell is normalised; the paper's is not.",
    "batch_norm": "Hidden convolutions have batch normalisation; the paper's have not.",
    "augmentation": "Training cells are augmented at random; the paper's are not.",
    "mixup": "Training cells are mixed (mixup); the paper's are not.",
    "label_smoothing": "Labels are smoothed; the paper's are not.",
    "schedule": "The learning rate follows a schedule; the paper's is constant.",
    "weight_average": "Scores come from a running mean of the weights, not from the "
    "last epochs alone.",
    "test_views": "Held-out cells are scored in eight orientations, not in one.",
}
_CLASSIFIERS = {
    "paper-network": (
        "Kernel sizes and channels are a reconstruction, as the paper's layer table "
        "could not be found (docs/methods.md)."
    ),
    "lenet": (
        "Optimiser, initialisation and augmentation are our reading of Gao et al.: "
        "eight views in place of rotations in fixed steps, a fixed number of epochs in "
        "place of early stopping."
    ),
    "shape-index": (
        "Bins and tonal scale are those of the authors' published code; scales, rings "
        "and the choice of the SVM's penalty are ours."
    ),
    "local-patterns": (
        "Sizes are as recalled from Manivannan et al., and training cells are not "
        "enlarged by rotations unless views is 8."
    ),
    "scale-space": (
        "The descriptor is our reading of LOAD, and sizes are ours (docs/methods.md)."
    ),
    "kernel-ridge": "The paper has no such system (docs/systems.md).",
    "imagenet": "The paper does not name the network it fine-tuned: a ResNet-18 here.",
    "radial-network": (
        "This network and its recipe are ours, not the paper's (docs/accuracy.md)."
    ),
    "stack": "The paper pools no classifiers (docs/accuracy.md).",
}


def rerun_command(config: RunConfig) -> str:
    """Return the command that does a run again, shortest first.

    It stands in reports: see `training.storage.shown_paths.shown_path`.
    """
    return command_line(
        "run",
        config.experiment,
        data=shown_path(config.data),
        extra=shown_path(config.extra) if config.extra else "",
        out="RUN",
        changed={k: as_typed(value) for k, value in changed_settings(config).items()},
    )


def changed_settings(config: RunConfig) -> dict[str, object]:
    """Return the settings of a run that are not its experiment's own."""
    experiment = find_experiment(config.experiment)
    return {
        **config.protocol.differing(experiment.protocol),
        **config.training_set.differing(experiment.training_set),
        **config.classifier.differing(experiment.classifier),
    }


def changes_note(config: RunConfig) -> list[str]:
    """Return one sentence on what differs from the recipe, or nothing."""
    own = _recipe(config)
    changed = [
        f"{key} {as_typed(value)} (recipe: {as_typed(own[key])})"
        for key, value in changed_settings(config).items()
    ]
    return [f"Changed from the recipe: {', '.join(changed)}"] if changed else []


def paper_figure(config: RunConfig) -> float | None:
    """Return the paper's mean class accuracy in per cent, where the run is its recipe.

    A run with other epochs, width or training cells is another experiment; other folds
    or another seed are not.
    """
    experiment = find_experiment(config.experiment)
    changed = {
        **config.training_set.differing(experiment.training_set),
        **config.classifier.differing(experiment.classifier),
    }
    return None if changed.keys() - {"seed"} else experiment.paper_mca


def deviations(config: RunConfig) -> list[str]:
    """Return what deviates from the paper's experiment, one sentence each."""
    own = _recipe(config)
    lines = [
        f"{key} is {value}, the recipe has {own[key]}."
        for key, value in changed_settings(config).items()
    ]
    lines.append(_CLASSIFIERS[config.classifier.name])
    if isinstance(config.classifier, PaperNetworkSettings):
        lines += _network_deviations(config.classifier)
    return lines


def _recipe(config: RunConfig) -> dict[str, object]:
    experiment = find_experiment(config.experiment)
    return {
        **experiment.protocol.model_dump(),
        **experiment.training_set.model_dump(),
        **experiment.classifier.model_dump(),
    }


def _network_deviations(settings: PaperNetworkSettings) -> list[str]:
    paper, lines = PaperNetworkSettings(), []
    for key, words in _CHANGES.items():
        if getattr(settings, key) != getattr(paper, key):
            lines.append(words)
    if settings.initialisation == paper.initialisation:
        lines.append(_INITIALISATION)
    if not {"momentum", "weight_decay"} & set(settings.differing(paper)):
        lines.append(_DEFAULTS)
    return lines
