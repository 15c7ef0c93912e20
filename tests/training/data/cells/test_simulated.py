"""Which cells are simulated, in a folder of specimens and in one of cells."""

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells.folder import write_cell_folder
from training.data.cells.simulated import is_simulated
from training.data.layouts import read_collection
from training.data.simulation import simulate


def cut(specimens, out):
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(read_collection(specimens), out, *settings))
    return out


def test_simulated_specimens_and_their_cells_are_known(tmp_path, write_task2):
    settings = SimulationSettings(
        specimens=1, height=400, width=400, cells_min=8, cells_max=12
    )
    list(simulate(tmp_path / "simulated", settings))
    assert is_simulated(tmp_path / "simulated")
    assert is_simulated(cut(tmp_path / "simulated", tmp_path / "of_simulated"))
    real = write_task2(tmp_path / "real")
    assert not is_simulated(real)
    assert not is_simulated(cut(real, tmp_path / "of_real"))
