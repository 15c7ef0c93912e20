"""The verdict that is fitted to a finished run, and its files."""

from __future__ import annotations

from collections.abc import Mapping

from training.config import VerdictSettings
from training.errors import BadRunError, SpecimensError
from training.evaluation.verdict_figures import (
    VerdictCalibration,
)
from training.evaluation.verdict_fit import (
    FittedVerdict,
    Scores,
    fit_predictions,
    specimen_table,
)
from training.runs.folder import SPECIMENS, VERDICT, RunFolder
from training.runs.predictions import read_predictions
from training.storage.reading import read_json
from training.storage.writing import write_json, write_text


def fit_verdict(
    run: RunFolder,
    settings: VerdictSettings | None = None,
    left_out: Mapping[int, Scores] | None = None,
) -> FittedVerdict:
    """Fit the verdict of a finished run.

    Parameters
    ----------
    run
        Its protocol must keep specimens together.
    settings
        The risk and the shares to keep.
    left_out
        Of a pattern's index, the scores of all held-out cells by models that were
        trained without it, (N, K) float32 in the order of the run's predictions; None
        takes the pattern's score away from the run's own.

    Raises
    ------
    BadRunError
        If the run is not finished or ignored specimens.
    SpecimensError
        If it has too few specimens to fit on.
    """
    config = run.config()
    if config.protocol.protocol == "k-fold":
        raise BadRunError(
            run.path, "its folds ignore specimens", "use a run under loso or group-k"
        )
    said = read_predictions(run)
    fitted = fit_predictions(said, settings, left_out, where=run.path.name)
    origin = {
        "run": run.path.absolute().name,
        "experiment": config.experiment,
        "data_fingerprint": run.description()["data_fingerprint"],
    }
    calibration = fitted.calibration.model_copy(update=origin)
    return FittedVerdict(calibration, fitted.specimens)


def write_verdict(
    run: RunFolder,
    settings: VerdictSettings | None = None,
    left_out: Mapping[int, Scores] | None = None,
) -> FittedVerdict:
    """Fit the verdict of a finished run; write `verdict.json` and `specimens.csv`.

    Raises
    ------
    BadRunError, SpecimensError
        See `fit_verdict`.
    StorageError
        If they cannot be written.
    """
    fitted = fit_verdict(run, settings, left_out)
    write_json(run.path / VERDICT, fitted.calibration.model_dump(mode="json"))
    write_text(run.path / SPECIMENS, specimen_table(fitted))
    return fitted


def verdict_if_possible(run: RunFolder) -> FittedVerdict | None:
    """Write the verdict of a run that was just finished, where it can be fitted."""
    try:
        return write_verdict(run)
    except (BadRunError, SpecimensError):
        return None


def read_verdict(run: RunFolder) -> VerdictCalibration | None:
    """Read `verdict.json` of a run, or None where it has none.

    Raises
    ------
    BadRunError
        If it is damaged.
    """
    path = run.path / VERDICT
    try:
        return VerdictCalibration.model_validate(read_json(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise BadRunError(
            path,
            "the file is damaged",
            f"write it again: hep2 verdicts {run.path}",
        ) from fault
