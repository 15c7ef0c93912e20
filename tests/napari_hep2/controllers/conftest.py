"""Classified frames of simulated specimens, and verbs on them."""

import pytest

from napari_hep2.controllers.classify import ClassifyController
from napari_hep2.jobs import run_here


@pytest.fixture
def classified(state, review, model_file):
    """The six scored cells of the first frame, under review."""
    controller = ClassifyController(state)
    controller.choose_model(model_file)
    controller.choose_device("cpu")
    run_here(controller.classify())
    return controller
