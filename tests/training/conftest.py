"""Small cell sets that can be learned, each with known specimens."""

import itertools
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.config import PaperNetworkSettings, ProtocolSettings
from training.data.cells.cell_set import CellSet
from training.patterns import I3A
from training.runs.execution import execute, start_run
from training.runs.folder import RunConfig, RunFolder
from training.storage.writing import write_json, write_text


def draw_cells(
    specimens_per_pattern=(2, 2, 2, 2, 2, 2), cells=4, side=32, seed=0
) -> CellSet:
    """Cells that show their pattern as a bright bar at its own height."""
    rng = np.random.default_rng(seed)
    images, patterns, specimens = [], [], []
    for k, count in enumerate(specimens_per_pattern):
        for number in range(count):
            for _ in range(cells):
                image = rng.integers(0, 60, (side, side))
                image[2 + 5 * k : 5 + 5 * k, 4:-4] += 150
                images.append(image)
                patterns.append(k)
                specimens.append(f"{k}{number}")
    return CellSet(
        np.asarray(images, np.uint8).reshape(-1, side, side),
        np.asarray(patterns, np.int64),
        np.asarray(specimens, np.str_),
        np.asarray([f"cell{k}" for k in range(len(images))], np.str_),
        I3A,
        source="drawn (test)",
    )


@pytest.fixture(scope="session")
def make_cells():
    return draw_cells


@pytest.fixture
def cells() -> CellSet:
    return draw_cells()


@pytest.fixture(scope="session")
def tiny_network() -> PaperNetworkSettings:
    """A network that fits `draw_cells` in a second."""
    return PaperNetworkSettings(
        input_size=32,
        width=0.04,
        epochs=3,
        batch_size=16,
        learning_rate=0.02,
        vote_epochs=2,
    )


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    """Return folders that are there no sooner than they are written to."""
    place = tmp_path_factory.mktemp("caches")
    return (place / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_cache(caches, monkeypatch):
    """Keep the packed cells of tests out of the user's cache."""
    monkeypatch.setenv("HEP2_CACHE", str(next(caches)))


def save_task1(folder: Path, cells: CellSet, specimens=True) -> Path:
    """Write a cell set in the Task-1 layout."""
    (folder / "train").mkdir(parents=True)
    truth, sides = ["Image ID,Image class"], ["Image ID,Specimen"]
    for number, image in enumerate(cells.images, 1):
        Image.fromarray(image).save(folder / "train" / f"{number:05d}.png")
        mask = Image.fromarray(np.full_like(image, 255))
        mask.save(folder / "train" / f"{number:05d}_Mask.png")
        pattern = cells.vocabulary[cells.patterns[number - 1]].name
        truth.append(f"{number:05d},{pattern}")
        sides.append(f"{number:05d},{cells.specimens[number - 1]}")
    (folder / "gt_training.csv").write_text("\n".join(truth))
    if specimens:
        (folder / "specimens.csv").write_text("\n".join(sides))
    return folder


@pytest.fixture
def task1(tmp_path):
    """Return a function that writes a cell set in the Task-1 layout."""

    def write(cells: CellSet, name="task1", specimens=True):
        return save_task1(tmp_path / name, cells, specimens)

    return write


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Return a function that makes what tests share: in a folder and cache of its own.

    It calls ``make(folder, save_task1)`` on one thread and returns the folder.
    """

    def once(make: Callable[..., object]) -> Path:
        folder = tmp_path_factory.mktemp("made-once")
        with pytest.MonkeyPatch.context() as patch, on_one_thread():
            patch.setenv("HEP2_CACHE", str(folder / "cache"))
            make(folder, save_task1)
        return folder

    return once


@pytest.fixture
def cell_folder(tmp_path):
    """Return a function that writes a cell set as the cell folder of a test."""

    def write(cells: CellSet):
        folder = tmp_path / "cells"
        folder.mkdir(exist_ok=True)
        np.save(folder / "crops.npy", cells.images)
        rows = ["id,specimen,pattern,frame,label,y,x,area,flags,dropped"]
        named = zip(cells.ids, cells.specimens, strict=True)
        for k, (name, specimen) in enumerate(named):
            pattern = cells.vocabulary[cells.patterns[k]].name
            rows.append(f"{name},{specimen},{pattern},f{specimen},{k},1.0,1.0,90,,")
        write_text(folder / "cells.csv", "\n".join(rows) + "\n")
        source = {"format": 1, "vocabulary": "i3a", "root": None, "files": []}
        write_json(folder / "source.json", source)
        return folder

    return write


@contextmanager
def on_one_thread():
    """Sums come in the same order only on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def one_thread():
    with on_one_thread():
        yield


def grouped(data: Path, network: PaperNetworkSettings) -> RunConfig:
    return RunConfig(
        experiment="set-1",
        data=str(data),
        classifier=network,
        protocol=ProtocolSettings(protocol="group-k", folds=2),
        device="cpu",
        workers=1,
    )


@pytest.fixture
def config(cells, task1, tiny_network) -> RunConfig:
    """The recipe of a run of `cells` in two grouped folds."""
    return grouped(task1(cells), tiny_network)


@pytest.fixture(scope="session")
def finished(make_once, tiny_network) -> Path:
    """The folder of a finished run of `config`, with its data beside it."""

    def make(folder, save):
        data = save(folder / "task1", draw_cells())
        list(execute(start_run(folder / "run", grouped(data, tiny_network))))

    return make_once(make) / "run"


@pytest.fixture
def run(tmp_path, config, finished, one_thread) -> RunFolder:
    """A finished run of `config`."""
    return RunFolder.open(shutil.copytree(finished, tmp_path / "run"))
