"""The docks of the plugin in napari's window: tabs, and never higher than a screen."""

import pytest
from napari.settings import get_settings

from napari_hep2.common.docks import dock_of

TITLES = ("Specimen", "Review cells", "Classify", "LOSO trainer")


@pytest.mark.window
def test_docks_opened_from_the_menu_are_tabs_also_in_large_letters(
    qtbot, viewer, monkeypatch, specimens
):
    from napari_hep2.classify.widgets.widget import ClassifyWidget
    from napari_hep2.review.widgets.widget import ReviewWidget
    from napari_hep2.specimen.widgets.widget import SpecimenWidget
    from napari_hep2.trainer.widgets.widget import TrainerWidget

    kinds = (SpecimenWidget, ReviewWidget, ClassifyWidget, TrainerWidget)
    window = viewer.window._qt_window
    docks = []
    monkeypatch.setattr(get_settings().appearance, "font_size", 16)
    for kind, title in zip(kinds, TITLES, strict=True):
        widget = kind(viewer)
        docks.append(viewer.window.add_dock_widget(widget, name=title, area="right"))
        qtbot.waitUntil(widget.isVisible)
    tabs = {dock.windowTitle() for dock in window.tabifiedDockWidgets(docks[0])}
    assert tabs == set(TITLES[1:])
    assert window.minimumSizeHint().height() <= 700
    for dock in docks:
        assert dock_of(dock.widget()) is dock
        assert dock.minimumSizeHint().width() <= 500
