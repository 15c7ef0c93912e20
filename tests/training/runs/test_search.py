"""Which folders are runs, and what is said of each."""

import pytest

from training.errors import BadRunError
from training.runs.search import find_runs, find_stale_runs


def make_run(path):
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("{}")
    return path


def test_a_run_is_itself(tmp_path):
    run = make_run(tmp_path / "run")
    make_run(run / "folds")
    assert [one.path for one in find_runs(run)] == [run]


def test_runs_are_found_in_a_study_and_in_its_folder_of_runs(tmp_path):
    b, a = make_run(tmp_path / "b"), make_run(tmp_path / "a")
    deep = make_run(tmp_path / "study" / "c")
    make_run(tmp_path / "study" / "further" / "too-deep")
    (tmp_path / "a-file").touch()
    assert [one.path for one in find_runs(tmp_path)] == [a, b, deep]


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_none_is_told(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRunError, match=f"{name}: .*(none|cannot be read)"):
        find_runs(tmp_path / name)


def test_a_damaged_run_is_unknown_and_the_next_is_told(tmp_path):
    for name in ("a", "b"):
        make_run(tmp_path / name)
    (tmp_path / "a" / "data.json").write_text("{")
    found = list(find_stale_runs(find_runs(tmp_path)))
    assert [share for share, _ in found] == [0.5, 1.0]
    assert [one.state for _, one in found] == ["unknown", "unknown"]
    assert "damaged" in found[0][1].reason
    assert "before runs recorded the state" in found[1][1].reason
