import subprocess
import sys

import pytest
import torch

import training.runs.engines as engines
from training.config import (
    LeNetSettings,
    PaperNetworkSettings,
    ShapeIndexSettings,
    engine_kind,
)
from training.errors import BadRunError, BadSettingError, EngineError
from training.runs.engines import base, default_workers, open_engine
from training.runs.experiments import configure
from training.runs.folder import RunConfig, RunFolder

NETWORK = PaperNetworkSettings()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("local", "local"),
        ("slurm", "slurm"),
        ("dask://node-1.lab:8786", "dask"),
        ("dask://[fe80::1]:8786", "dask"),
    ],
)
def test_words_of_engines(word, kind):
    assert engine_kind(word) == kind


@pytest.mark.parametrize(
    "word", ["", "dask", "dask://", "dask://host", "tcp://host:1", "dask://a:b", "SGE"]
)
def test_other_words_are_one_sentence(word):
    with pytest.raises(BadSettingError, match="use local, dask://HOST:PORT or slurm"):
        configure("set-1", "data", engine=word)
    with pytest.raises(BadSettingError), open_engine(word, "cpu", 0, NETWORK):
        pass


@pytest.mark.parametrize("word", ["dask://127.0.0.1:8786", "slurm"])
def test_a_missing_extra_is_one_sentence(word, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    told = pytest.raises(EngineError, match=r"pip install \"napari-hep2\[cluster\]\"")
    with told, open_engine(word, "cpu", 0, NETWORK):
        pass


def test_a_run_imports_no_cluster_and_no_library_before_it_is_used():
    """Every worker would wait for it, and hold it."""
    code = (
        "import sys, training.runs.execution, training.cli;"
        "unused = {'dask', 'distributed', 'submitit', 'sklearn', 'matplotlib',"
        " 'scipy.ndimage', 'scipy.optimize', 'scipy.spatial', 'scipy.stats'};"
        "print(unused & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_run_of_before_there_were_engines_is_local(tmp_path, config):
    run = RunFolder.create(tmp_path / "run", config, "fingerprint")
    path = run.path / "config.yaml"
    path.write_text(path.read_text().replace("  engine: local\n", ""))
    assert "engine:" not in path.read_text()
    assert run.config() == config
    assert RunConfig.model_fields["engine"].default == "local"


def test_an_engine_is_typed_or_of_a_run_that_this_user_started(tmp_path, config):
    mine = RunFolder.create(
        tmp_path / "run", config.model_copy(update={"engine": "slurm"}), "fingerprint"
    )
    assert mine.engine() == "slurm"
    path = mine.path / "config.yaml"
    path.write_text(path.read_text().replace("engine: slurm", "engine: dask://a:1"))
    with pytest.raises(BadRunError, match="give --engine local, or --engine dask://a"):
        mine.engine()
    assert mine.engine("dask://a:1") == "dask://a:1"
    assert mine.engine("local") == "local"
    with pytest.raises(BadSettingError):
        mine.engine("elsewhere")


def test_how_many_folds_train_at_once(monkeypatch):
    """One a core; on a GPU a group, or one where a network trains alone."""
    cores = default_workers("cpu", NETWORK)
    assert cores >= 1
    monkeypatch.setattr(base, "choose_device", lambda name: torch.device("cuda"))
    assert default_workers("auto", NETWORK) == base.GROUP
    assert default_workers("auto", LeNetSettings()) == base.GROUP
    assert default_workers("auto", PaperNetworkSettings(batch_norm=True)) == 1
    assert default_workers("auto", ShapeIndexSettings()) == cores
