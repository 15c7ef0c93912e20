"""From what a person asks for to a plan of reports, and to the command of the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from training.config import (
    ExtractionSettings,
    IntensitySettings,
    SegmentationSettings,
    VerdictSettings,
)
from training.config.commands import command_words
from training.data.layouts import Collection, read_collection
from training.data.layouts.series import find_series, read_series
from training.errors import BadLayoutError, BadModelError
from training.inference.scorers import Backend, Scorer, load_scorer
from training.reports.specimens.reviews import find_store, read_reviews
from training.reports.specimens.stream import ReportPlan

if TYPE_CHECKING:
    from training.inference.why.neighbours import NeighbourIndex


@dataclass(frozen=True)
class ReportRequest:
    """Request for reports, as given by the user.

    Attributes
    ----------
    folder
        Of specimens.
    model
        NAME.safetensors or NAME.onnx.
    out
        Folder for the reports.
    only
        Ids of the specimens to report; all if none is given.
    decisions
        Folder or file of the decisions of reviewers; None: those in `folder`.
    backend, device, layout
        As `training.inference.scorers.load_scorer` and `read_collection` take them.
    extraction, segmentation, verdict, intensity
        Settings of each.
    series
        Table of the roles of the specimens; None: the one in `folder`, if any.
    """

    folder: Path
    model: Path
    out: Path
    only: tuple[str, ...] = ()
    decisions: Path | None = None
    backend: Backend = "auto"
    device: str = "auto"
    layout: str = "auto"
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    intensity: IntensitySettings = field(default_factory=IntensitySettings)
    series: Path | None = None

    @property
    def weights(self) -> Path:
        """The file that the scores come from."""
        as_onnx = self.backend == "onnx" or self.model.suffix == ".onnx"
        return self.model.with_suffix(".onnx" if as_onnx else ".safetensors")

    @property
    def words(self) -> tuple[str, ...]:
        """The command that does the same, without ``--only``."""
        chosen = {name: getattr(self, name) for name in ("backend", "device", "layout")}
        words = command_words(
            "specimens",
            self.folder,
            model=self.model,
            out=self.out,
            decisions=self.decisions,
            series=self.series,
            changed=(self.extraction, self.segmentation, self.verdict, self.intensity),
            **{name: value for name, value in chosen.items() if value != "auto"},
        )
        return tuple(words)


def plan_reports(request: ReportRequest) -> tuple[ReportPlan, str]:
    """Read folder, model and decisions of a request.

    Returns
    -------
    plan
        For `training.reports.specimens.stream.report_specimens`.
    note
        Why reports go without neighbours though there is an index; else ''.

    Raises
    ------
    BadLayoutError
        If the folder holds no whole frames.
    BadModelError, BadCellsError, StorageError
        If the model or the decisions cannot be read.
    """
    collection = read_specimens(request.folder, request.layout)
    model = load_scorer(request.model, request.backend, request.device)
    weights = request.weights
    beside, index, note = find_index(weights, model)
    plan = ReportPlan(
        collection,
        model,
        (weights, weights.with_suffix(".json"), beside),
        request.out,
        request.words,
        request.only,
        request.extraction,
        request.segmentation,
        request.verdict,
        request.intensity,
        read_series(request.series or find_series(collection.root)),
        read_reviews(find_store(request.decisions, collection.root)),
        index,
    )
    return plan, note


def read_specimens(folder: Path, layout: str = "auto") -> Collection:
    """Read a folder of specimens with the masks that were mended.

    Raises
    ------
    BadLayoutError
        If it holds no whole frames.
    """
    collection = read_collection(folder, layout)
    if not collection.specimens:
        raise BadLayoutError(
            folder, "it holds no whole frames", "give a folder of specimens"
        )
    return collection


def find_index(weights: Path, model: Scorer) -> tuple[Path, NeighbourIndex | None, str]:
    """Return where a model's index would lie, the index if it is good, and a note."""
    beside = weights.with_name(f"{weights.stem}.neighbours.safetensors")
    if weights.suffix == ".onnx" or not beside.is_file():
        return beside, None, ""
    from training.inference.why.neighbours import read_index

    try:
        return beside, read_index(beside, weights, model.vocabulary), ""
    except BadModelError as fault:
        return beside, None, f"{fault} Reports go without it."
