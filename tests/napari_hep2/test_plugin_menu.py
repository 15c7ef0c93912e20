"""The widgets as napari opens them: from the menu, by the manifest."""

from npe2 import PluginManager

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.session import session_of
from napari_hep2.specimen.widgets.widget import SpecimenWidget
from napari_hep2.trainer.widgets.widget import TrainerWidget


def test_napari_opens_the_four_widgets_and_gives_them_its_viewer(make_napari_viewer):
    PluginManager.instance().discover()
    viewer = make_napari_viewer()
    for name, kind in [
        ("Specimen", SpecimenWidget),
        ("Review cells", ReviewWidget),
        ("Classify", ClassifyWidget),
        ("LOSO trainer", TrainerWidget),
    ]:
        _, widget = viewer.window.add_plugin_dock_widget("napari-hep2", name)
        assert isinstance(widget, kind)
        if kind is not TrainerWidget:
            assert widget.session is session_of(viewer)
