"""What opening a specimen loads, loaded while the user chooses one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_hep2.jobs import Progress, Work
from napari_hep2.samples import sample_specimens
from training.config import ExtractionSettings, SegmentationSettings
from training.errors import Hep2Error

if TYPE_CHECKING:
    from pint import UnitRegistry


def warm_up() -> Work[UnitRegistry[Any]]:
    """Cut a sample frame: SciPy, scikit-image and decoders are loaded by their use.

    What tells the command of a report is loaded too: it would be loaded in the window's
    thread. So would be the units of layers: pint reads a thousand of them when the
    first layer is made.

    Returns
    -------
    units
        For `take_units`: two threads may not fill one registry at once.
    """
    import skimage.color  # noqa: F401 - napari's labels and histograms ask for it
    from pint import UnitRegistry

    from training.data.cells.extraction import extract_frame
    from training.data.layouts import read_collection
    from training.reports.specimens import plans

    del plans  # it is loaded; nothing of it is asked for
    yield Progress("loading")
    with suppress(Hep2Error):
        frame = read_collection(sample_specimens()).specimens[0].frames[0]
        extract_frame(frame, ExtractionSettings(), SegmentationSettings())
    return UnitRegistry()


def take_units(units: UnitRegistry[Any]) -> None:
    """Give napari units that are loaded, unless it has begun to load its own.

    To be called in the window's thread, where napari loads them.
    """
    import pint
    from pint.registry import LazyRegistry

    napari_takes: Any = pint.application_registry
    if isinstance(napari_takes.get(), LazyRegistry):
        napari_takes.set(units)
