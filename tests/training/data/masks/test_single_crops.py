import numpy as np
from scipy import ndimage

from training.data.masks.single_crops import crop_mask


def disc(centre, radius, side=60) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def overlap(one, other) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_bright_disc_is_found_and_its_holes_are_filled():
    nucleus = disc((30, 29), 20)
    image = np.where(nucleus, 150, 20)
    image[disc((28, 30), 6)] = 20
    assert overlap(crop_mask(image.astype(np.uint8)), nucleus) > 0.9


def test_dots_are_joined_to_one_nucleus():
    """A centromere pattern is dots on a dim nucleus."""
    nucleus = disc((30, 30), 20)
    rng = np.random.default_rng(0)
    image = np.where(nucleus, 60.0, 20.0)
    rows, columns = np.nonzero(disc((30, 30), 17))
    chosen = rng.choice(len(rows), 40, replace=False)
    image[rows[chosen], columns[chosen]] = 255
    found = crop_mask(ndimage.gaussian_filter(image, 1).astype(np.uint8))
    assert overlap(found, nucleus) > 0.7
    assert ndimage.label(found)[1] == 1


def test_of_two_nuclei_the_central_one_is_taken():
    central, neighbour = disc((30, 30), 13), disc((4, 4), 12)
    found = crop_mask(np.where(central | neighbour, 200, 10).astype(np.uint8))
    assert found[30, 30]
    assert not found[2, 2]


def test_an_empty_crop_is_all_nucleus():
    assert crop_mask(np.full((20, 20), 7, np.uint8)).all()
