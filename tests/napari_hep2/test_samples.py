import pytest

from napari_hep2 import samples
from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.jobs import run_here
from napari_hep2.specimen.controllers.frames import SpecimenController
from training.errors import BadLayoutError


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Pretend that the package lies in ``tmp_path/napari_hep2``."""
    package = tmp_path / "napari_hep2"
    package.mkdir()
    monkeypatch.setattr(samples, "_HERE", package)
    return package


def test_a_wheel_carries_the_samples_inside(at):
    (at / "sample_data" / "specimens").mkdir(parents=True)
    assert samples.sample_folder() == at / "sample_data"


def test_an_editable_install_has_them_beside(at):
    (at.parent / "sample_data" / "specimens").mkdir(parents=True)
    assert samples.sample_specimens() == at.parent / "sample_data" / "specimens"


def test_missing_samples_are_told_in_a_sentence(at):
    with pytest.raises(samples.SampleDataError, match="install napari-hep2 again"):
        samples.sample_folder()
    assert samples.sample_model() is None


def test_the_model_is_found(at):
    folder = at / "sample_data"
    (folder / "specimens").mkdir(parents=True)
    (folder / "model").mkdir()
    assert samples.sample_model() is None
    (folder / "model" / "small.safetensors").touch()
    assert samples.sample_model() == folder / "model" / "small.safetensors"


def test_the_first_sample_is_one_that_the_model_gets_right(state):
    controller = SpecimenController(state)
    run_here(controller.open_folder(samples.sample_specimens(), samples.SAMPLE_FRAME))
    run_here(ClassifyController(state).classify())
    assert state.prediction.verdict.pattern.name == state.pattern


def test_a_sample_is_the_first_specimen_of_its_pattern(at, specimens):
    (at.parent / "sample_data").mkdir()
    specimens.rename(at.parent / "sample_data" / "specimens")
    image, options, kind = samples.open_golgi()[0]
    assert kind == "image"
    assert options["metadata"]["specimen"] == "3"
    assert image.ndim == 2
    with pytest.raises(BadLayoutError, match="no simulated specimen is NuMem"):
        samples.open_nuclear_membrane()
