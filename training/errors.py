"""Expected faults, each as one sentence: which file, what is wrong, what to do."""

from training.shown_words import shown

_LONGEST = 500
"""Characters of a part of a sentence; it may quote a word out of a file."""


class Hep2Error(Exception):
    """An expected fault that is told to the user in one sentence.

    Parameters
    ----------
    what
        The file, folder, specimen or setting concerned, as the user knows it.
    fault
        What is wrong with it.
    remedy
        What the user can do about it.
    """

    def __init__(self, what: object, fault: str, remedy: str) -> None:
        super().__init__(what, fault, remedy)
        self.what = _shortened(str(what))
        self.fault = _shortened(fault)
        self.remedy = remedy

    def __str__(self) -> str:
        return shown(f"{self.what}: {self.fault}; {self.remedy}.")


def _shortened(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


class BadImageError(Hep2Error):
    """A frame that cannot be read as one 2-D fluorescence image."""


class BadMaskError(Hep2Error):
    """A mask that is missing, empty or does not fit its frame."""


class BadLayoutError(Hep2Error):
    """A folder or table that is none of the layouts we read."""


class UnknownPatternError(Hep2Error):
    """A pattern name that the vocabulary in use does not hold."""


class BadCellsError(Hep2Error):
    """A cell folder or cell set that is broken or stale."""


class SpecimensError(Hep2Error):
    """Specimen ids are missing, or too few, for what was asked."""


class LeakError(Hep2Error):
    """A fold would train on a cell of a specimen it is tested on."""


class BadSettingError(Hep2Error):
    """A setting that does not exist or is out of its range."""


class BadModelError(Hep2Error):
    """A model file that is broken, hostile or made for something else."""


class BadRunError(Hep2Error):
    """A run folder that is missing, broken or made from other data."""


class EngineError(Hep2Error):
    """An engine does not answer, or cannot train its folds."""


class RunLockedError(Hep2Error):
    """Another trainer works in this run folder."""


class DivergedError(Hep2Error):
    """The loss became NaN or infinite."""


class BenchmarkError(Hep2Error):
    """A benchmark that could not be run, or whose results are not those of its peer."""


class StorageError(Hep2Error):
    """A file could not be written: the disk is full or the folder is read-only."""


class InterruptedRunError(Hep2Error):
    """The run was stopped and can be resumed."""
