import numpy as np
import torch

from training.data.cells.orientations import VIEWS, turned_crops
from training.models.augmentation import turn


def test_views_are_those_of_training():
    crops = np.random.default_rng(0).integers(0, 9, (8, 5, 5), np.uint8)
    turned = turn(torch.from_numpy(crops), torch.arange(VIEWS)).numpy()
    for view in range(VIEWS):
        assert (turned_crops(crops[view : view + 1], view)[0] == turned[view]).all()


def test_the_eight_views_of_a_crop_without_symmetry_differ():
    crop = np.arange(9).reshape(1, 3, 3)
    assert len({turned_crops(crop, view).tobytes() for view in range(VIEWS)}) == 8
