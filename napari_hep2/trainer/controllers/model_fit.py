"""The fit of one model on all cells, in a process of its own.

It outlives the window, as a trainer does; the same command goes on with one that was
stopped.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from napari_hep2.trainer import process as trainer_process


class ModelFit:
    """Starts and stops one fit at a time, and tells its end.

    Attributes
    ----------
    model
        The file that is written, or was written last; None before the first fit.
    fault
        Why the last fit ended without a model, or ''.
    """

    def __init__(self) -> None:
        self.model: Path | None = None
        self.fault = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def running(self) -> bool:
        """Return whether a model is being fitted."""
        return self._process is not None

    @property
    def log(self) -> Path:
        """What the process prints."""
        assert self.model is not None
        return self.model.with_suffix(".log")

    def start(self, run: Path, model: Path) -> None:
        """Fit a model by the recipe of a finished run; its figures go on the card.

        Raises
        ------
        BadRunError, StorageError
            If the run is damaged, or the folder of the model cannot be written.
        """
        command = trainer_process.fit_command(run, model)
        self.model, self.fault, self._stopped = model, "", False
        self._process = trainer_process.launch(command, self.log)

    def stop(self) -> None:
        """Ask the process to end; what it has done is kept."""
        if self._process is not None:
            self._stopped = True
            self._process.terminate()

    def poll(self) -> bool:
        """Return whether the fit has just ended."""
        if self._process is None or self._process.poll() is None:
            return False
        code, self._process = self._process.returncode, None
        if self._stopped:
            self.fault = f"{self.model}: the fit was stopped; fit it again to continue."
        elif code:
            self.fault = trainer_process.last_words(self.log) or "The fit failed."
        else:
            self.log.unlink(missing_ok=True)
        return True
