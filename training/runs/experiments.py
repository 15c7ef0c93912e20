"""The paper's recipes, the systems it compares, and ours, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import (
    LOCAL,
    ClassifierSettings,
    ImageNetSettings,
    KernelRidgeSettings,
    LeNetSettings,
    LocalPatternsSettings,
    PaperNetworkSettings,
    ProtocolSettings,
    RadialNetworkSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
    StackSettings,
    TrainingSetSettings,
    parse_together,
)
from training.errors import BadSettingError
from training.paper import (
    COMPARED_SYSTEMS,
    MEAN_CLASS_ACCURACY,
    SET3_CELLS,
    TASK1_CELLS,
    TASK1_SPECIMENS,
    TASK2_AUGMENTED_TOTAL,
    TASK2_TOTAL,
)
from training.runs.folder import RunConfig

CORE_SECONDS = {
    "paper-network": 0.030,
    "lenet": 0.0008,
    "imagenet": 0.020,
    "radial-network": 0.0016,
    "stack": 0.0001,
    "shape-index": 0.002,
    "local-patterns": 0.23,
    "scale-space": 0.021,
    "kernel-ridge": 0.0002,
}
"""Seconds that a training image costs one core (x86-64, AVX2, torch 2.13) with a
classifier's default settings: measured once, right to a factor of two elsewhere."""

_TASK1 = "Task-1"
_BOTH = "Task-1, Task-2"


@dataclass(frozen=True)
class Experiment:
    """A named recipe.

    Attributes
    ----------
    title
        One line for people.
    classifier, training_set, protocol
        Its settings, each of which can be changed at the command line.
    paper_mca
        The paper's mean class accuracy in per cent, or None where it gives none.
    needs
        The data it was made for.
    """

    name: str
    title: str
    classifier: ClassifierSettings = field(default_factory=PaperNetworkSettings)
    training_set: TrainingSetSettings = field(default_factory=TrainingSetSettings)
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    paper_mca: float | None = None
    needs: str = _TASK1


_EXPERIMENTS = (
    Experiment(
        "set-1",
        "the paper's network on single cells",
        paper_mca=MEAN_CLASS_ACCURACY["set-1"],
    ),
    Experiment(
        "set-2",
        "set-1 with each training cell in its eight rotations and mirrors",
        training_set=TrainingSetSettings(views=8),
        paper_mca=MEAN_CLASS_ACCURACY["set-2"],
    ),
    Experiment(
        "set-3",
        "41 cells of each specimen of both tasks",
        training_set=TrainingSetSettings(use_extra=True, cells_per_specimen=41),
        paper_mca=MEAN_CLASS_ACCURACY["set-3"],
        needs=_BOTH,
    ),
    Experiment(
        "pooled",
        "all cells of both tasks",
        training_set=TrainingSetSettings(use_extra=True),
        paper_mca=MEAN_CLASS_ACCURACY["pooled"],
        needs=_BOTH,
    ),
    Experiment(
        "pooled-augmented",
        "all cells of both tasks, those of Task-2 in 2, 4 or 8 orientations",
        training_set=TrainingSetSettings(use_extra=True, extra_views="paper"),
        paper_mca=MEAN_CLASS_ACCURACY["pooled-augmented"],
        needs=_BOTH,
    ),
    Experiment(
        "set-1-k-fold",
        "set-1 under k-fold that ignores specimens: shows the optimism",
        protocol=ProtocolSettings(protocol="k-fold"),
        paper_mca=MEAN_CLASS_ACCURACY["set-1-k-fold"],
    ),
    Experiment(
        "lenet",
        "the LeNet-5-like network of Gao et al., in eight orientations",
        LeNetSettings(),
        TrainingSetSettings(views=8),
        paper_mca=COMPARED_SYSTEMS["lenet"],
    ),
    Experiment(
        "shape-index",
        "shape-index histograms with donut pooling and an SVM (Larsen et al.)",
        ShapeIndexSettings(),
        paper_mca=COMPARED_SYSTEMS["shape-index"],
    ),
    Experiment(
        "local-patterns",
        "coded local patterns, cell pyramid, ensemble of SVMs (Manivannan et al.)",
        LocalPatternsSettings(),
        paper_mca=COMPARED_SYSTEMS["local-patterns"],
    ),
    Experiment(
        "scale-space",
        "Gaussian scale space before binary local codes and an SVM (Qi et al.)",
        ScaleSpaceSettings(),
    ),
    Experiment(
        "kernel-ridge",
        "fixed features, random Fourier features and least squares, solved anew in "
        "each fold",
        KernelRidgeSettings(),
    ),
    Experiment(
        "imagenet",
        "a ResNet-18 pretrained on ImageNet and fine-tuned: poor, according to the "
        "paper",
        ImageNetSettings(),
        needs="Task-1, ImageNet weights",
    ),
    Experiment(
        "set-1-literal",
        "set-1 with the paper's initialisation taken literally: does not train",
        PaperNetworkSettings(initialisation="literal-0.001"),
    ),
    Experiment(
        "set-1-normalised",
        "set-1, the intensity of each cell stretched between its percentiles",
        PaperNetworkSettings(normalisation="cell"),
    ),
    Experiment(
        "set-1-batch-norm",
        "set-1 with batch normalisation after each convolution",
        PaperNetworkSettings(batch_norm=True),
    ),
    Experiment(
        "set-1-turned",
        "set-1, each cell rotated or mirrored at random each time it is used",
        PaperNetworkSettings(augmentation="d4"),
    ),
    Experiment(
        "set-1-jittered",
        "set-1-turned with random gain and gamma as well",
        PaperNetworkSettings(augmentation="d4-intensity"),
    ),
    Experiment(
        "radial",
        "a small residual network that pools over rings, each cell rotated at random",
        RadialNetworkSettings(augmentation="d4"),
    ),
    Experiment(
        "modern",
        "radial with every change found to help across specimens",
        RadialNetworkSettings(
            augmentation="all",
            mixup=0.2,
            label_smoothing=0.1,
            weight_average=0.999,
            test_views=8,
        ),
        TrainingSetSettings(balance="specimens"),
    ),
    Experiment(
        "modern-lenet",
        "the LeNet-5-like network with the recipe of modern",
        LeNetSettings(
            augmentation="all",
            mixup=0.2,
            label_smoothing=0.1,
            weight_average=0.999,
            test_views=8,
            schedule="cosine",
            epochs=20,
            batch_size=64,
            vote_epochs=1,
        ),
        TrainingSetSettings(balance="specimens"),
    ),
    Experiment(
        "stack",
        "finished runs pooled, their weights fitted on inner folds",
        StackSettings(),
        protocol=ProtocolSettings(protocol="group-k"),
        needs="finished runs",
    ),
)

EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in _EXPERIMENTS}


def find_experiment(name: str) -> Experiment:
    """Return the experiment called `name`.

    Raises
    ------
    BadSettingError
        If there is none.
    """
    if name not in EXPERIMENTS:
        raise BadSettingError(
            name, "there is no such experiment", f"use one of {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def configure(
    name: str,
    data: str,
    *,
    extra: str = "",
    layout: str = "auto",
    device: str = "auto",
    workers: int = 0,
    engine: str = LOCAL,
    changes: dict[str, str] | None = None,
) -> RunConfig:
    """Return the configuration of a run.

    Parameters
    ----------
    name
        Of the experiment.
    data, extra
        Folder of the cells, and of those that are only trained on.
    layout, device, workers, engine
        As `RunConfig` has them.
    changes
        Settings by name, values as typed.

    Raises
    ------
    BadSettingError
        If a name or engine is unknown, a value out of range, or `extra` is missing or
        not used.
    """
    experiment = find_experiment(name)
    classifier, training_set, protocol = parse_together(
        changes or {},
        experiment.classifier,
        experiment.training_set,
        experiment.protocol,
    )
    if training_set.use_extra and not extra:
        raise BadSettingError(
            name, "it trains on the cells of Task-2 too", "give their folder to --extra"
        )
    if extra and not training_set.use_extra:
        raise BadSettingError(
            "--extra", f"{name} does not train on it", "omit it, or run set-3"
        )
    return RunConfig(
        experiment=name,
        data=data,
        extra=extra,
        layout=layout,
        classifier=classifier,
        training_set=training_set,
        protocol=protocol,
        device=device,
        workers=workers,
        engine=engine,
    )


@dataclass(frozen=True)
class Forecast:
    """Forecast of the cost of a run.

    Attributes
    ----------
    folds
        Trainings.
    image_steps
        Training images met in all: folds x epochs x images of a fold.
    images_per_second
        All workers together.
    measured
        Whether that was measured just now, or comes from `CORE_SECONDS`.
    specimens
        As `training.data.cells.cell_set.CellSet.census`, to be read before the start.
    once
        Seconds of what all folds share, where it is not on the disk: features.
    """

    folds: int
    image_steps: int
    images_per_second: float
    measured: bool = True
    specimens: str = ""
    once: float = 0.0

    @property
    def seconds(self) -> float:
        """Wall time in seconds."""
        return self.once + self.image_steps / self.images_per_second


PILOT_FOLDS = 12
"""Folds of a pilot that is offered: two specimens of each pattern."""

_LONG = 3600.0


def pilot_offer(cost: Forecast) -> str:
    """Return a sentence that offers a pilot where a run would take over an hour."""
    if cost.seconds < _LONG or cost.folds <= PILOT_FOLDS:
        return ""
    part = cost.seconds * PILOT_FOLDS / cost.folds / 3600
    return (
        f"{cost.folds} folds take about {cost.seconds / 3600:.1f} hours here; "
        f"--pilot {PILOT_FOLDS} gives a first figure with its interval in about "
        f"{part:.1f}"
    )


def forecast_content(cost: Forecast) -> dict[str, object]:
    """Return a forecast as JSON content."""
    return {
        "folds": cost.folds,
        "image_steps": cost.image_steps,
        "images_per_second": round(cost.images_per_second, 1),
        "hours": round(cost.seconds / 3600, 2),
        "measured": cost.measured,
        "specimens": cost.specimens,
        "pilot": pilot_offer(cost),
    }


@dataclass(frozen=True)
class PaperCost:
    """Cost of an experiment on the official data.

    Attributes
    ----------
    folds
        Fits.
    image_steps
        Training images met in all. A classifier that is not fitted in epochs meets
        each once a fold.
    core_hours
        See `CORE_SECONDS`; divided by the cores that are at hand.
    """

    folds: int
    image_steps: int
    core_hours: float


def paper_cost(experiment: Experiment) -> PaperCost:
    """Return what an experiment costs on the official data."""
    training, task1 = experiment.training_set, int(TASK1_CELLS.sum())
    folds = TASK1_SPECIMENS
    if experiment.protocol.protocol != "loso":
        folds = experiment.protocol.folds
    images = task1 * (folds - 1) * training.views
    if training.cells_per_specimen:
        images = folds * (int(SET3_CELLS.sum()) - training.cells_per_specimen)
    elif training.use_extra:
        augmented = training.extra_views == "paper"
        images += folds * (TASK2_AUGMENTED_TOTAL if augmented else TASK2_TOTAL)
    steps = images * experiment.classifier.epochs
    hours = steps * CORE_SECONDS[experiment.classifier.name] / 3600
    return PaperCost(folds, steps, hours)
