"""The docks of the plugin in napari's window: tabs, and never higher than a screen."""

import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QSlider,
    QTableView,
    QTreeWidget,
)

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.common.docks import dock_of
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.specimen.widgets.widget import SpecimenWidget
from napari_hep2.trainer.widgets.widget import TrainerWidget

KINDS = (SpecimenWidget, ReviewWidget, ClassifyWidget, TrainerWidget)

TITLES = ("Specimen", "Review cells", "Classify", "LOSO trainer")


@pytest.mark.window
def test_docks_opened_from_the_menu_are_tabs_also_in_large_letters(
    qtbot, viewer, monkeypatch, specimens
):
    window = viewer.window._qt_window
    docks = []
    monkeypatch.setattr(get_settings().appearance, "font_size", 16)
    for kind, title in zip(KINDS, TITLES, strict=True):
        widget = kind(viewer)
        docks.append(viewer.window.add_dock_widget(widget, name=title, area="right"))
        qtbot.waitUntil(widget.isVisible)
    tabs = {dock.windowTitle() for dock in window.tabifiedDockWidgets(docks[0])}
    assert tabs == set(TITLES[1:])
    assert window.minimumSizeHint().height() <= 700
    for dock in docks:
        assert dock_of(dock.widget()) is dock
        assert dock.minimumSizeHint().width() <= 500


FIELDS = (QComboBox, QLineEdit, QSlider, QAbstractButton, QTableView, QTreeWidget)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_name_for_those_who_hear_a_screen(viewer, dock, kind):
    widget = kind(viewer)
    dock(widget, "widget")
    fields = [part for one in FIELDS for part in widget.findChildren(one)]
    nameless = [
        (type(part).__name__, part.objectName())
        for part in fields
        if part.isVisible()
        and not (part.accessibleName() or getattr(part, "text", str)())
        and not part.objectName().startswith("qt_")
    ]
    assert nameless == []
