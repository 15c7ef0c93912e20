import numpy as np
import torch

from training.models.augmentation import turn
from training.models.networks.architectures import build_network
from training.models.networks.loop import begin
from training.models.networks.scoring import batches, network_input, score


def test_scores_in_small_batches_are_those_of_one(cells, tiny_network):
    images = torch.from_numpy(cells.images)
    network = begin(tiny_network, 6, seed=0).network.eval()
    parts = list(batches(images, "cell"))
    assert sum(map(len, parts)) == len(images)
    assert len(parts) > 1
    assert parts[0].is_contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = network(torch.cat(parts).contiguous()).softmax(1).numpy()
    np.testing.assert_allclose(score(network, images, "cell"), whole, atol=1e-6)


def test_rows_choose_and_order(cells, tiny_network):
    images, rows = torch.from_numpy(cells.images), torch.tensor([7, 3, 3])
    network = begin(tiny_network, 6, seed=0).network.eval()
    found = score(network, images, "none", rows)
    np.testing.assert_allclose(found, score(network, images[rows], "none"), atol=1e-6)
    assert score(network, images, "none", rows[:0]).shape[0] == 0


def test_a_network_of_long_floats_gets_them():
    image = torch.tensor([[[0, 51], [255, 102]]], dtype=torch.uint8)
    wide = network_input(image, "none", torch.float64)
    assert wide.dtype == torch.float64
    assert wide.flatten().tolist() == torch.tensor([0, 0.2, 1, 0.4]).double().tolist()


def test_eight_views_are_the_mean_of_the_scores_of_eight(cells, tiny_network):
    network = build_network(tiny_network, 6, torch.Generator().manual_seed(0)).eval()
    images = torch.from_numpy(cells.images[:5])
    each = [
        score(network, turn(images, torch.full((5,), view)), "cell")
        for view in range(8)
    ]
    together = score(network, images, "cell", views=8)
    assert np.allclose(together, np.mean(each, axis=0), atol=1e-6)
    turned = turn(images, torch.tensor([1, 5, 3, 7, 2]))
    assert np.allclose(score(network, turned, "cell", views=8), together, atol=1e-6)
