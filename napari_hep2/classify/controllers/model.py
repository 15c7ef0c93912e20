"""Verbs on the model and its prediction: choose, run, export. Never a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.samples import sample_model
from napari_hep2.state import SessionState
from training.config.commands import command_line
from training.errors import BadModelError
from training.inference.cards import ModelCard, read_card
from training.inference.kept import KeptFrames, model_key

if TYPE_CHECKING:
    from training.inference.frames import FramePrediction
    from training.patterns import Pattern


class ClassifyController:
    """Actions on a model and the open frame.

    torch is imported when a model is run, in the thread that runs it.

    Parameters
    ----------
    state
        Read and written.
    kept
        Cells that were scored before.
    """

    def __init__(self, state: SessionState, kept: KeptFrames | None = None) -> None:
        self._state, self.kept = state, kept or KeptFrames()
        self._loaded: tuple[Path, str, Any] | None = None
        self._scored = ""
        if state.model is None:
            state.model = sample_model()
        state.events.prediction.connect(self._keep_name)

    def _keep_name(self, prediction: FramePrediction | None) -> None:
        if prediction is not None:
            self._scored = prediction.cells.frame.name

    def unscored(self) -> str:
        """Return why there is no verdict, in a few words."""
        cells = self._state.cells
        if cells is not None and cells.frame.name == self._scored:
            return "Changed since: classify the cells again"
        return "Not classified yet"

    def choose_model(self, path: Path) -> None:
        """Select a model; a prediction on the screen is removed."""
        if path != self._state.model:
            self._state.prediction = None
            self._state.model = path

    def choose_device(self, device: str) -> None:
        """Select a device: ``auto``, ``cpu`` or ``cuda``."""
        self._state.device = device

    def classify(self) -> Job | None:
        """Score the kept cells of the open frame and give the specimen's verdict."""
        state, cells, model = self._state, self._state.cells, self._state.model
        if cells is None:
            state.complain("Open a specimen first: there are no cells to classify.")
            return None
        if model is None:
            state.complain("Choose a model file first.")
            return None
        key, load = model_key(model, state.device), self.loading()

        def work() -> Work[FramePrediction]:
            from training.inference.frames import classify_frame

            found = self.kept.prediction(cells, key)
            if found is not None:
                return found
            loaded = yield from load()
            yield Progress("scoring the cells")
            return classify_frame(cells, self.kept.scorer(loaded, key))

        def done(prediction: FramePrediction) -> None:
            if state.cells is cells:
                state.prediction = prediction
                state.tell(f"{len(prediction.scores)} cells classified.")

        return Job("Classifying", work, done, apart=True, waits=True)

    def show_kept(self) -> None:
        """Show the prediction of the open frame if it was scored before."""
        state, cells, model = self._state, self._state.cells, self._state.model
        if cells is None or model is None or state.prediction is not None:
            return
        found = self.kept.prediction(cells, model_key(model, state.device))
        if found is not None:
            state.prediction = found

    def loading(self) -> Callable[[], Work[Any]]:
        """Return what loads the chosen model in a worker, once."""
        model, device = self._state.model, self._state.device

        def load() -> Work[Any]:
            known = self._loaded
            if known is None or known[:2] != (model, device):
                yield Progress("loading the model")
                from training.inference.scorers import load_scorer

                assert model is not None
                known = self._loaded = (
                    model,
                    device,
                    load_scorer(model, "torch", device),
                )
            return known[2]

        return load

    def export(self, out: Path) -> Job | None:
        """Write the prediction as table, verdict and picture into a folder."""
        prediction = self._state.prediction
        if prediction is None:
            self._state.complain("Run a model first: there is nothing to export.")
            return None

        def work() -> Work[Sequence[Path]]:
            from training.inference.frames import export_prediction

            yield Progress("writing")
            return export_prediction(prediction, out)

        def done(files: Sequence[Path]) -> None:
            names = ", ".join(Path(file).name for file in files)
            self._state.tell(f"Written to {out.name}: {names}.")

        return Job("Exporting", work, done, protected=True, apart=True)

    def counts(self) -> list[tuple[Pattern, int]]:
        """Return each pattern of the model with the number of cells called so."""
        prediction = self._state.prediction
        if prediction is None:
            return [(pattern, 0) for pattern in self._state.vocabulary]
        vocabulary = prediction.vocabulary
        found = np.bincount(prediction.predicted, minlength=len(vocabulary))
        return [(p, int(n)) for p, n in zip(vocabulary, found, strict=True)]

    def card(self) -> ModelCard | None:
        """Return what the chosen model says of itself, without loading it."""
        prediction, model = self._state.prediction, self._state.model
        if prediction is not None or model is None:
            return prediction.card if prediction is not None else None
        try:
            return read_card(model.with_suffix(".json"))
        except BadModelError:
            return None

    def command(self, out: str = "OUT") -> str:
        """Return the command that makes the same prediction, or ''."""
        state = self._state
        if state.cells is None or state.model is None:
            return ""
        frame = state.cells.frame
        return command_line(
            "predict",
            frame.image,
            mask=frame.mended or frame.mask,
            model=state.model,
            out=out,
            device="" if state.device == "auto" else state.device,
            changed=(state.extraction, state.segmentation),
        )
