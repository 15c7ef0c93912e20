"""Reports on a whole folder of specimens, one after the other.

At most two frames and one specimen's crops are in memory, however many there are. What
was reported before from the same files by the same model is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.config import (
    ExtractionSettings,
    IntensitySettings,
    SegmentationSettings,
    VerdictSettings,
)
from training.config.commands import shown_line
from training.data.layouts import Collection, Frame, Specimen
from training.data.layouts.series import SeriesTable
from training.decisions.store import now
from training.errors import BadSettingError
from training.inference.scorers import Scorer
from training.inference.stream import Cut, cut_frames
from training.inference.why.reasons import Reasons, explain_cells
from training.reports.specimens.content import (
    cells_csv,
    choose_shown,
    model_content,
    specimen_content,
    versions,
)
from training.reports.specimens.fhir import fhir_report
from training.reports.specimens.findings import Findings, find_in_specimen
from training.reports.specimens.freshness import (
    CELLS,
    FHIR,
    REPORT,
    VERDICT,
    file_states,
    folder_names,
    read_fresh,
    recipe_hash,
    sealed_words,
)
from training.reports.specimens.intensities import SeriesJudge
from training.reports.specimens.page import specimen_page
from training.reports.specimens.reviews import ReviewBook, hash_decisions, told_sayings
from training.reports.specimens.worklist import (
    worklist_content,
    worklist_row,
    write_worklist,
)
from training.storage.locks import locked
from training.storage.paths import own_path
from training.storage.seals import seal_of
from training.storage.shown_paths import shown_path
from training.storage.writing import storage_error, write_json, write_text

if TYPE_CHECKING:
    from training.inference.why.neighbours import NeighbourIndex


@dataclass(frozen=True)
class ReportPlan:
    """Plan of the reports to write.

    Attributes
    ----------
    collection
        As `training.data.layouts.read_collection` returns it.
    model
        As `training.inference.scorers.load_scorer` returns it.
    model_files
        Its weights, its card, its index: what decides whether a report is still true.
    out
        Folder for the reports.
    command
        The words of the command that does the same, without ``--only``.
    only
        Ids of the specimens to report; all if none is given.
    extraction, segmentation, verdict, intensity
        Settings of each.
    series
        Roles of the specimens in their series.
    reviews
        The decisions on the cells.
    index
        Training cells to look neighbours up in, or None.
    clock
        Gives the time that is written on a report.
    cut, scorer
        What cuts a frame and what scores its cells, where that is not the model
        itself: something that keeps what was done before.
    """

    collection: Collection
    model: Scorer
    model_files: tuple[Path, ...]
    out: Path
    command: tuple[str, ...]
    only: tuple[str, ...] = ()
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    intensity: IntensitySettings = field(default_factory=IntensitySettings)
    series: SeriesTable = field(default_factory=SeriesTable)
    reviews: ReviewBook = field(default_factory=ReviewBook)
    index: NeighbourIndex | None = None
    clock: Callable[[], datetime] = now
    cut: Cut | None = None
    scorer: Scorer | None = None

    @cached_property
    def chosen(self) -> tuple[Specimen, ...]:
        """The specimens to report.

        Raises
        ------
        BadSettingError
            If one of `only` is not in the collection.
        """
        known = {one.id: one for one in self.collection.specimens}
        for name in self.only:
            if name not in known:
                raise BadSettingError(
                    f"--only {name}",
                    f"{self.collection.root} holds no such specimen",
                    "give the id of one that it holds",
                )
        return tuple(known[name] for name in dict.fromkeys(self.only or known))

    @cached_property
    def recipe(self) -> str:
        """Hash of all that makes a report beside its data."""
        settings = (self.extraction, self.segmentation, self.verdict, self.intensity)
        words = " ".join(f"{k} {v}" for k, v in versions().items())
        return recipe_hash(self.model_files, settings, words)

    @cached_property
    def judge(self) -> SeriesJudge:
        """What judges the intensity of the specimens."""
        return SeriesJudge(
            self.collection,
            self.series,
            self.extraction,
            self.segmentation,
            self.intensity,
        )

    @cached_property
    def folders(self) -> dict[str, str]:
        """The name of the folder of each specimen of the collection."""
        return folder_names(one.id for one in self.collection.specimens)

    def folder(self, specimen: Specimen) -> Path:
        """Return the folder of a specimen's report."""
        return own_path(self.out, self.folders[specimen.id])

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder: reports and the worklist are of one model and one data.

        Raises
        ------
        RunLockedError
            If another process writes reports there.
        StorageError
            If it cannot be written.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise storage_error(self.out, fault) from fault
        with locked(self.out):
            yield

    def decisions_hash(self, specimen: Specimen) -> str:
        """Return a hash of the decisions on a specimen and its cells."""
        on_cells = self.reviews.of_frames(_names(specimen))
        return hash_decisions([*on_cells, *self.reviews.of_specimen(specimen.id)])

    def known(self, specimen: Specimen) -> dict[str, Any] | None:
        """Return what was reported before, or None where it has to be done."""
        found = read_fresh(
            self.folder(specimen),
            specimen,
            self.recipe,
            self.decisions_hash(specimen),
            self.judge.state(specimen.id),
        )
        return found and {**found, "folder": self.folders[specimen.id]}


@dataclass(frozen=True)
class ReportStep:
    """Result for one specimen; it holds no pixels.

    Attributes
    ----------
    specimen
        Its id.
    row
        As `training.reports.specimens.worklist.worklist_row` returns it.
    skipped
        Whether the report was there already.
    """

    specimen: str
    row: dict[str, Any]
    skipped: bool

    @property
    def faults(self) -> list[str]:
        """One sentence for each frame that could not be read."""
        return list(self.row["faults"])


def report_specimens(plan: ReportPlan) -> Iterator[ReportStep]:
    """Write the report of each specimen; a bad frame is told and left out.

    Yields
    ------
    step
        One a specimen, in their order; its files are written. ``verdict.json`` comes
        last, so that a report that was cut off is done again.

    Raises
    ------
    BadSettingError
        If one of `ReportPlan.only` does not exist.
    StorageError
        If a report cannot be written.
    """
    known = {one.id: plan.known(one) for one in plan.chosen}
    waiting = [one for one in plan.chosen if known[one.id] is None]
    frames = (frame for one in waiting for frame in one.frames)
    settings = plan.extraction, plan.segmentation
    with closing(cut_frames(frames, *settings, plan.cut)) as cut:
        for specimen in plan.chosen:
            content = known[specimen.id]
            skipped = content is not None
            if content is None:
                states = file_states(specimen)
                found = find_in_specimen(
                    specimen,
                    islice(cut, len(specimen.frames)),
                    plan.scorer or plan.model,
                    plan.verdict,
                    plan.reviews.known,
                    plan.judge.intensity,
                )
                content = _write(plan, found, states)
                del found
            yield ReportStep(specimen.id, worklist_row(content), skipped)


def finish_worklist(plan: ReportPlan, steps: Sequence[ReportStep]) -> dict[str, Any]:
    """Write the worklist: the specimens just reported, and others whose report holds.

    Returns
    -------
    content
        As it is written to ``worklist.json``.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    rows = {step.specimen: step.row for step in steps}
    for specimen in plan.collection.specimens:
        content = None if specimen.id in rows else plan.known(specimen)
        if content is not None:
            rows[specimen.id] = worklist_row(content)
    about = {
        "source": plan.collection.root.name,
        "layout": plan.collection.layout,
        "in_folder": len(plan.collection.specimens),
        "command": shown_line(map(shown_path, plan.command)),
        "made": _time(plan),
        "versions": versions(),
    }
    content = worklist_content(
        list(rows.values()), model_content(plan.model.card), about
    )
    write_worklist(content, plan.model.vocabulary, plan.out)
    return content


def _write(
    plan: ReportPlan, found: Findings, states: list[dict[str, Any]]
) -> dict[str, Any]:
    specimen, vocabulary = found.specimen, plan.model.vocabulary
    decisions = plan.reviews.of_frames(_names(specimen))
    shown = choose_shown(found)
    reasons = _reasons(plan, found, shown.doubtful)
    content = {
        **specimen_content(
            found, shown, reasons, decisions, vocabulary, plan.model.card, states
        ),
        "intensity": plan.judge.content(specimen.id, found.signal, found.intensity),
        "specimen_decisions": told_sayings(
            plan.reviews.of_specimen(specimen.id), plan.intensity.outside_nucleus
        ),
        "folder": plan.folders[specimen.id],
        "command": shown_line([*map(shown_path, plan.command), "--only", specimen.id]),
        "made": _time(plan),
        "versions": versions(),
        "made_from": {
            "recipe": plan.recipe,
            "decisions": plan.decisions_hash(specimen),
            "series": plan.judge.state(specimen.id),
            "files": states,
        },
    }
    folder = plan.folder(specimen)
    page = specimen_page(content, found, shown, reasons, vocabulary)
    write_text(folder / REPORT, page)
    write_text(folder / CELLS, cells_csv(found, decisions, vocabulary.names))
    write_json(folder / FHIR, fhir_report(content, vocabulary))
    content["made_from"]["seal"] = seal_of(sealed_words(content, folder))
    write_json(folder / VERDICT, content)
    return content


def _reasons(
    plan: ReportPlan, found: Findings, rows: np.ndarray[Any, np.dtype[np.int64]]
) -> Reasons:
    if not len(rows):
        return Reasons(None, None, None, ())
    crops, patterns = found.crops[rows], found.predicted[rows]
    return explain_cells(plan.model, crops, patterns, plan.index)


def _names(specimen: Specimen) -> list[str]:
    frames: tuple[Frame, ...] = specimen.frames
    return [frame.name for frame in frames]


def _time(plan: ReportPlan) -> str:
    return plan.clock().isoformat(timespec="seconds")
