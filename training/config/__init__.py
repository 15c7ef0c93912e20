"""Every tunable of the project, once: typed, with range, unit, help and default."""

from training.config.base import Settings, as_typed, parse_together
from training.config.classifiers import (
    AnyNetworkSettings,
    ClassifierSettings,
    ModelSettings,
)
from training.config.data import (
    ExtractionSettings,
    NearCopySettings,
    NucleusFitSettings,
    QualitySettings,
    SegmentationSettings,
    SheetSettings,
    SimulationSettings,
)
from training.config.engines import LOCAL, engine_kind, known_engine
from training.config.evaluation import (
    ProtocolSettings,
    TrainingSetSettings,
    VerdictSettings,
)
from training.config.features import (
    FeatureSettings,
    KernelRidgeSettings,
    LocalPatternsSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
)
from training.config.networks import (
    ImageNetSettings,
    LeNetSettings,
    NetworkSettings,
    PaperNetworkSettings,
    RadialNetworkSettings,
)
from training.config.series import IntensitySettings, PlateSettings
from training.config.stack import StackSettings

__all__ = [
    "LOCAL",
    "AnyNetworkSettings",
    "ClassifierSettings",
    "ExtractionSettings",
    "FeatureSettings",
    "ImageNetSettings",
    "IntensitySettings",
    "KernelRidgeSettings",
    "LeNetSettings",
    "LocalPatternsSettings",
    "ModelSettings",
    "NearCopySettings",
    "NetworkSettings",
    "NucleusFitSettings",
    "PaperNetworkSettings",
    "PlateSettings",
    "ProtocolSettings",
    "QualitySettings",
    "RadialNetworkSettings",
    "ScaleSpaceSettings",
    "SegmentationSettings",
    "Settings",
    "ShapeIndexSettings",
    "SheetSettings",
    "SimulationSettings",
    "StackSettings",
    "TrainingSetSettings",
    "VerdictSettings",
    "as_typed",
    "engine_kind",
    "known_engine",
    "parse_together",
]
