"""Intensity of each specimen of a folder, by the controls of its series."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from training.config import (
    ExtractionSettings,
    IntensitySettings,
    SegmentationSettings,
)
from training.data.layouts import Collection, Specimen
from training.data.layouts.series import SeriesMember, SeriesTable, series_words
from training.data.layouts.truth import id_key
from training.data.signal import Estimate, SpecimenSignal, frame_signal, pool_signals
from training.evaluation.intensity import (
    NO_CONTROLS,
    Control,
    Intensity,
    SeriesScale,
    judge_intensity,
    scale_of,
)
from training.inference.stream import cut_frames
from training.reports.specimens.freshness import file_states
from training.storage.exposure import exposure_ms

_ALONE = f"The specimen has {NO_CONTROLS}."
_DIGITS = 3
_LOSSY = frozenset({".jpg", ".jpeg"})


@dataclass(frozen=True)
class SeriesJudge:
    """Judges specimens by their series; the controls are measured when asked for.

    Attributes
    ----------
    collection
        Where the frames of the controls are.
    table
        Who belongs to which series.
    extraction, segmentation, settings
        Settings of each.
    """

    collection: Collection
    table: SeriesTable = field(default_factory=SeriesTable)
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    settings: IntensitySettings = field(default_factory=IntensitySettings)
    _scales: dict[str, SeriesScale | str] = field(default_factory=dict)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _states: dict[str, list[Any]] = field(default_factory=dict)

    @cached_property
    def _specimens(self) -> dict[str, Specimen]:
        return {id_key(one.id, "specimen"): one for one in self.collection.specimens}

    def intensity(self, specimen: str, signal: SpecimenSignal) -> Intensity:
        """Return the intensity of a specimen with this signal."""
        member = self.table.of(specimen)
        scale = _ALONE if member is None else self.scale(member.series)
        return judge_intensity(signal, scale, self.settings)

    def scale(self, series: str) -> SeriesScale | str:
        """Return the scale of a series, or in one sentence why it has none."""
        if series not in self._scales:
            controls = [
                Control(one.specimen, one.role, self._measured(one))
                for one in self.table.controls(series)
            ]
            self._scales[series] = scale_of(series, controls, self.settings)
        return self._scales[series]

    @property
    def faults(self) -> list[str]:
        """One sentence for each series asked for that has no scale."""
        return [scale for scale in self._scales.values() if isinstance(scale, str)]

    def notes(self, specimen: str) -> list[str]:
        """Return what makes the intensities of a specimen's series uncertain."""
        member = self.table.of(specimen)
        if member is None:
            return []
        if member.series not in self._notes:
            told = self.table.differing(member.series)
            self._notes[member.series] = told + self._taken_otherwise(member.series)
        return self._notes[member.series]

    def content(
        self, specimen: str, signal: SpecimenSignal, intensity: Intensity
    ) -> dict[str, Any]:
        """Return an intensity as JSON content."""
        member = self.table.of(specimen)
        return {
            "result": intensity.result,
            "grade": intensity.grade,
            "index": _rounded(intensity.index),
            "compartment": intensity.compartment,
            "reason": intensity.reason,
            "series": None if member is None else member.series,
            "role": "patient" if member is None else member.role,
            "titre": "" if member is None else member.titre,
            "nuclei": _rounded(signal.nuclei),
            "cytoplasm": _rounded(signal.cytoplasm),
            "nuclei_measured": signal.cells,
            "notes": [*signal.notes, *self.notes(specimen)],
        }

    def state(self, specimen: str) -> str:
        """Return a hash of the series of a specimen: its rows, its controls' files."""
        member = self.table.of(specimen)
        if member is None:
            return ""
        if member.series not in self._states:
            self._states[member.series] = [
                (asdict(one), self._files(one))
                for one in self.table.controls(member.series)
            ]
        words = [asdict(member), self.notes(specimen), self._states[member.series]]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]

    def _taken_otherwise(self, series: str) -> list[str]:
        """Return a sentence for what differs between the files of a series."""
        images = [
            frame.image
            for member in self.table.members_of(series)
            if (specimen := self._specimen(member)) is not None
            for frame in specimen.frames
        ]
        times = sorted({ms for image in images if (ms := exposure_ms(image))})
        packed = {image.suffix.lower() in _LOSSY for image in images}
        where, notes = series_words(series), []
        if len(times) > 1:
            notes.append(
                f"The exposure in the files of {where} goes from {times[0]:g} to "
                f"{times[-1]:g} ms: intensities are not comparable."
            )
        if len(packed) > 1:
            notes.append(
                f"Some files of {where} are JPEG, which removes noise, others are not: "
                "intensities are not comparable."
            )
        return notes

    def _specimen(self, member: SeriesMember) -> Specimen | None:
        return self._specimens.get(id_key(member.specimen, "specimen"))

    def _files(self, member: SeriesMember) -> list[str | None]:
        specimen = self._specimen(member)
        states = [] if specimen is None else file_states(specimen)
        return [one["sha256"] for one in states]

    def _measured(self, member: SeriesMember) -> SpecimenSignal:
        specimen = self._specimen(member)
        if specimen is None:
            return SpecimenSignal(None, None, 0, "it has no image")
        signals, faults = [], []
        with closing(
            cut_frames(specimen.frames, self.extraction, self.segmentation)
        ) as cut:
            for frame, cells in cut:
                if isinstance(cells, str):
                    faults.append(cells)
                else:
                    signals.append((frame.name, frame_signal(cells)))
                del cells
        return pool_signals(signals, faults)


def _rounded(one: Estimate | None) -> dict[str, float] | None:
    if one is None:
        return None
    return {name: round(value, _DIGITS) for name, value in asdict(one).items()}
