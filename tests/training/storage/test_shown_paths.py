from pathlib import Path

import pytest

from training.errors import BadImageError, LeakError
from training.storage.shown_paths import (
    end_of_way,
    shown_fault,
    shown_path,
    way_from,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("/home/ann/cells", "cells"), ("../cells", "../cells"), ("set=1", "set=1")],
)
def test_an_absolute_path_is_shown_by_its_name(given, shown):
    assert shown_path(given) == shown


def test_a_fault_names_its_file_and_not_the_folder():
    fault = BadImageError(Path("/home/ann/a.tif"), "it is cut short", "copy it again")
    assert shown_fault(fault) == "a.tif: it is cut short; copy it again."
    fault = LeakError("fold 1/2", "it leaks", "mend it")
    assert shown_fault(fault) == str(fault)


def test_the_way_to_a_folder_leads_back(tmp_path):
    run, data = tmp_path / "runs" / "a", tmp_path / "cells"
    assert way_from(run, str(data)) == "../../cells"
    assert end_of_way(run, "../../cells") == str(data)
    assert way_from(run, "cells") is None


def test_a_way_through_a_link_or_a_home_is_none(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert way_from(tmp_path / "run", str(tmp_path / "link")) is None
    assert way_from(Path("/mnt/run"), "/home/ann/cells") is None
