"""What opening needs is loaded before it is asked for, and never by the window."""

import subprocess
import sys

from napari_hep2.workers import worker_pool

_OPENED = """
import sys
from napari_hep2.jobs import drain
from napari_hep2.samples import sample_specimens
from napari_hep2.warming import take_units, warm_up
take_units(drain(warm_up()))
import pint
units = pint.get_application_registry().get()
assert "_units" in vars(units), "they are loaded"
take_units(pint.UnitRegistry())
assert pint.get_application_registry().get() is units, "those in use stay"
before = set(sys.modules)
from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.layouts import read_collection
from training.reports.specimens.plans import ReportRequest
frame = read_collection(sample_specimens()).specimens[0].frames[0]
extract_frame(frame, ExtractionSettings(), SegmentationSettings())
print(sorted(set(sys.modules) - before), "torch" in sys.modules)
"""


def test_opening_loads_nothing_more():
    command = [sys.executable, "-c", _OPENED]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[] False"


def test_it_is_done_once_for_the_application(qapp):
    pool = worker_pool()
    pool.warm()
    alive = set(pool._alive)
    pool.warm()
    assert set(pool._alive) <= alive
    pool.waitForDone(20_000)
