"""The widgets as napari opens them: from the menu, by the manifest."""

from npe2 import PluginManager

from napari_hep2.widgets.classify import ClassifyWidget
from napari_hep2.widgets.review import ReviewWidget
from napari_hep2.widgets.session import session_of
from napari_hep2.widgets.specimen import SpecimenWidget
from napari_hep2.widgets.trainer import TrainerWidget


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
