"""The parts beside what a user would write, by pytest-benchmark.

    OMP_NUM_THREADS=1 python -m pytest tests/benchmarks --benchmark-enable

Each group is one part; the figures in brackets are how many times the faster one. With
the other tests each way is called once, and its result compared.
"""

import crops
import numpy as np
import pytest
import torch
import training_step
from side_by_side import frame
from skimage.exposure import rescale_intensity
from training_step import CELLS, SETTINGS, Peer, our_input, write_cells

from training.models.augmentation import normalise, turn
from training.models.networks.loop import begin, fit
from training.splits.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def picture():
    return frame()


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The same cells as files, and packed."""
    return write_cells(tmp_path_factory.mktemp("cells"))


@pytest.mark.benchmark(group="crops of a frame")
@pytest.mark.parametrize("way", [crops.peer, crops.ours], ids=["peer", "ours"])
def test_crops(benchmark, picture, way):
    found, _ = benchmark(way, *picture)
    expected, _ = crops.peer(*picture)
    np.testing.assert_array_equal(found, expected)


def turn_each(images, views):
    """Turn images one by one with numpy."""
    found = []
    for image, view in zip(images.numpy(), views.tolist(), strict=True):
        mirrored = image[:, ::-1] if view > 3 else image
        found.append(np.rot90(mirrored, view % 4))
    return torch.from_numpy(np.stack(found))


@pytest.mark.benchmark(group="200 cells turned")
@pytest.mark.parametrize("way", [turn_each, turn], ids=["peer", "ours"])
def test_turns(benchmark, cells, way):
    images, views = cells[1].images[:200], torch.arange(200) % 8
    assert torch.equal(benchmark(way, images, views), turn_each(images, views))


def stretch_each(images):
    """Stretch images one by one with scikit-image."""
    found = []
    for image in images.numpy():
        low, high = np.percentile(image, (1, 99))
        bounds = (float(low), max(float(high), float(low) + 1))
        stretched = rescale_intensity(image.astype(np.float32), bounds, (0.0, 1.0))
        found.append(stretched.astype(np.float32))
    return torch.from_numpy(np.stack(found))[:, None]


@pytest.mark.benchmark(group="200 cells stretched")
@pytest.mark.parametrize(
    "way",
    [stretch_each, lambda images: normalise(images, "cell")],
    ids=["peer", "ours"],
)
def test_stretches(benchmark, cells, way):
    images = cells[1].images[:200]
    found = benchmark(way, images)
    torch.testing.assert_close(found, stretch_each(images), rtol=0, atol=1e-5)


@pytest.mark.benchmark(group=f"input of {CELLS} cells")
@pytest.mark.parametrize("which", ["peer", "ours"])
def test_input(benchmark, cells, which):
    files, resident = cells
    peer = Peer(files, dict(begin(SETTINGS, 6, 0).network.named_parameters()))
    if which == "peer":
        assert len(benchmark(lambda: list(peer.loader))) == CELLS // 200
    else:
        benchmark(our_input, resident)


@pytest.fixture(scope="module")
def batch(request):
    """How many cells a step takes; with the other tests a few are enough."""
    measured = request.config.getoption("benchmark_enable")
    return SETTINGS.batch_size if measured else 8


@pytest.fixture(scope="module")
def stepped(cells, batch):
    """Both after the same step, with the same weights."""
    files, resident = cells
    state = begin(SETTINGS, 6, 0)
    peer = Peer(files, dict(state.network.named_parameters()))
    training_step.same_step(peer, state, resident, batch)
    return peer, state


@pytest.mark.benchmark(group="a training step")
@pytest.mark.parametrize("which", ["peer", "ours"])
def test_step(benchmark, cells, batch, stepped, which):
    resident = cells[1]
    peer, state = stepped
    rows = np.arange(batch)
    if which == "ours":
        steps = fit(state, resident, Samples.plain(rows), SETTINGS, seed=0)
        benchmark.pedantic(next, (steps,), rounds=3)
    else:
        images, patterns = resident.images[rows], resident.patterns[rows]
        ready = normalise(images, "none")
        benchmark.pedantic(peer.step, (ready, patterns), rounds=3)
