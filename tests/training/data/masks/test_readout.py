"""Each core of the distance map is a nucleus, and the map's valley parts two."""

import numpy as np

from training.data.masks.readout import ReadOut, read_out


def _maps():
    y, x = np.mgrid[:40, :70].astype(np.float32)
    depth = np.maximum.reduce(
        [1 - np.hypot(y - 20, x - at) / 14 for at in (20, 46)]
    ).clip(0, 1)
    return (depth > 0).astype(np.float32), depth


def test_two_that_touch_are_two():
    nucleus, distance = _maps()
    labels = read_out(nucleus, distance, ReadOut(0.5, 0.5))
    assert labels.max() == 2
    assert labels[20, 20] != labels[20, 46]
    assert ((labels > 0) == (nucleus > 0)).all()
    assert labels[20, 32] == labels[20, 20]
    assert labels[20, 34] == labels[20, 46]


def test_a_low_threshold_makes_one_of_them():
    nucleus, distance = _maps()
    assert read_out(nucleus, distance, ReadOut(0.5, 0.02)).max() == 1


def test_a_speck_is_no_core():
    nucleus, distance = _maps()
    distance[2:4, 60:62] = 1
    nucleus[2:4, 60:62] = 1
    labels = read_out(nucleus, distance, ReadOut(0.5, 0.5))
    assert len(np.unique(labels)) == 3
    assert not labels[2:4, 60:62].any()
    assert read_out(nucleus * 0, distance, ReadOut(0.5, 0.5)).max() == 0
