import numpy as np
import pandas as pd

from napari_hep2.review.controllers.measuring import measure_limits, measure_looks
from training.curation.crop_measures import brightness
from training.curation.review_set import ReviewSet
from training.patterns import I3A


def test_the_work_says_what_it_does_and_gives_what_the_steps_return():
    crops = np.random.default_rng(0).integers(0, 255, (600, 9, 9)).astype(np.uint8)
    table = pd.DataFrame({"specimen": ["b"] * 400 + ["a"] * 200})
    review = ReviewSet(crops, table, I3A, "test")
    work, told = measure_looks(review), []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            np.testing.assert_allclose(end.value["brightness"], brightness(crops))
            break
    assert [(one.text, one.share) for one in told] == [
        ("measuring focus and brightness", 500 / 600),
        ("measuring focus and brightness", 1),
    ]
    assert [one.share for one in measure_limits(review)] == [0.5, 1]
