"""The widgets' tests keep the user's own settings out, and their own in a folder."""

import pytest


@pytest.fixture(autouse=True)
def own_settings(tmp_path):
    """Keep settings in a folder of the test."""
    from qtpy.QtCore import QSettings

    place = str(tmp_path / "settings")
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, place)
