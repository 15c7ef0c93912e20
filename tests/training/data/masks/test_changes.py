"""An untouched nucleus keeps its label; what was touched gets one never used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label as label_pieces

from training.data.masks.changes import settle_labels
from training.errors import BadMaskError


def image(*rows):
    return np.array([[int(c) for c in row] for row in rows], np.int32)


BEFORE = image("1102", "1102", "0000", "3330")


def settled(edited, highest=3):
    change = settle_labels(BEFORE, edited, highest)
    return change.labels.tolist(), change.new, change.gone


def test_nothing_changed():
    change = settle_labels(BEFORE, BEFORE.copy(), 3)
    assert not change
    assert change.labels.tolist() == BEFORE.tolist()


def test_a_painted_nucleus_is_new_and_all_others_stay():
    edited = image("1102", "1102", "0000", "3304")
    expected = image("1102", "1102", "0000", "4405")
    assert settled(edited) == (expected.tolist(), (4, 5), (3,))


def test_labels_used_before_are_never_given_again():
    edited = image("1102", "1102", "0000", "3000")
    assert settled(edited, highest=90)[1:] == ((91,), (3,))
    assert settle_labels(BEFORE, edited, 0).new == (4,)


def test_a_nucleus_painted_in_the_colour_of_another_is_a_nucleus_of_its_own():
    """The brush still had label 1 when the missed nucleus was painted."""
    edited = image("1102", "1102", "0000", "3331")
    edited[2, 3] = 0
    assert settled(edited) == (
        image("1102", "1102", "0000", "3334").tolist(),
        (4,),
        (),
    )


def test_a_split_nucleus_gives_two_new_ones():
    edited = image("1402", "1402", "0000", "3330")
    assert settled(edited) == (
        image("4502", "4502", "0000", "3330").tolist(),
        (4, 5),
        (1,),
    )


def test_merged_nuclei_give_one_new_one():
    edited = image("1112", "1112", "0000", "3330")
    edited[:2, 3] = 1
    assert settled(edited) == (
        image("4444", "4444", "0000", "3330").tolist(),
        (4,),
        (1, 2),
    )


def test_an_erased_nucleus_is_gone():
    assert settled(image("0002", "0002", "0000", "3330"))[1:] == ((), (1,))


def test_the_same_pixels_in_another_colour_are_the_same_nucleus():
    edited = image("7702", "7702", "0000", "3330")
    assert settled(edited) == (BEFORE.tolist(), (), ())


def test_a_nucleus_in_two_pieces_keeps_its_label():
    before = image("1001", "0000", "2200")
    edited = image("1001", "0000", "2201")
    change = settle_labels(before, edited, 2)
    assert change.labels.tolist() == image("1001", "0000", "2203").tolist()
    assert (change.new, change.gone) == ((3,), ())


@pytest.mark.parametrize(
    ("edited", "highest", "sentence"),
    [
        (BEFORE[:2], 3, "its shape is"),
        (-BEFORE, 3, "negative labels"),
        (BEFORE.astype(float), 3, "negative labels"),
        (np.where(BEFORE == 1, 0, BEFORE + 1), 2**31 - 1, "has labels up to"),
    ],
)
def test_what_cannot_be_settled_is_told(edited, highest, sentence):
    if highest > 3:
        edited = edited.copy()
        edited[0, 0] = 9
    with pytest.raises(BadMaskError, match=sentence):
        settle_labels(BEFORE, edited, highest)


masks = hnp.arrays(np.int32, (7, 8), elements=st.integers(0, 4))


def nuclei(labels):
    """The pixels of each label, found the slow way."""
    return {
        int(v): frozenset(zip(*np.nonzero(labels == v), strict=True))
        for v in np.unique(labels)
        if v
    }


@settings(max_examples=300, deadline=None)
@given(masks, masks, st.integers(0, 50))
def test_only_what_was_touched_changes(before, edited, highest):
    change = settle_labels(before, edited, highest)
    old, now = nuclei(before), nuclei(change.labels)
    np.testing.assert_array_equal(change.labels > 0, edited > 0)
    kept = set(now) & set(old)
    assert all(now[label] == old[label] for label in kept)
    assert set(now) == kept | set(change.new)
    assert set(old) == kept | set(change.gone)
    used = max(highest, before.max())
    assert list(change.new) == list(range(used + 1, used + 1 + len(change.new)))
    for label in change.new:
        assert label_pieces(change.labels == label, connectivity=2).max() == 1
    # A nucleus of one value before whose pixels all have one value of their own stays.
    for label, pixels in old.items():
        if pixels in nuclei(edited).values():
            assert now.get(label) == pixels
    # What touches nothing of an old nucleus leaves it.
    for label, pixels in nuclei(edited).items():
        if old.get(label) == pixels:
            assert now[label] == pixels
    again = settle_labels(change.labels, change.labels.copy(), used)
    assert not again
