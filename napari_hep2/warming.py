"""What opening a specimen loads, loaded while the user chooses one."""

from __future__ import annotations

from contextlib import suppress

from napari_hep2.jobs import Progress, Work
from napari_hep2.samples import sample_specimens
from training.config import ExtractionSettings, SegmentationSettings
from training.errors import Hep2Error


def warm_up() -> Work[None]:
    """Cut a sample frame: SciPy, scikit-image and decoders are loaded by their use.

    What tells the command of a report is loaded too: it would be loaded in the window's
    thread. Layers are not made here: two threads may not load their units at once.
    """
    from training.data.cells.extraction import extract_frame
    from training.data.layouts import read_collection
    from training.reports.specimens import plans

    del plans  # it is loaded; nothing of it is asked for
    yield Progress("loading")
    with suppress(Hep2Error):
        frame = read_collection(sample_specimens()).specimens[0].frames[0]
        extract_frame(frame, ExtractionSettings(), SegmentationSettings())
