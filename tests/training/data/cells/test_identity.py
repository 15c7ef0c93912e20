"""Numbers of cells follow their nuclei by the stated rule, and are never reused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.cells.identity import (
    CANDIDATE,
    PARTNER,
    KnownNucleus,
    candidates_of,
    identify,
    only_number,
)
from training.data.cells.nuclei_file import read_nuclei, write_nuclei
from training.data.masks.nuclei import find_nuclei
from training.errors import BadCellsError

STEP, SHAPE = 24, (72, 96)
PLACES = [(y, x) for y in range(12, 72, STEP) for x in range(12, 96, STEP)]
CHANGES = st.sampled_from(["same", "moved", "gone", "split", "cut", "joined", "new"])


def disc(place, radius=8, shape=SHAPE):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (y - place[0]) ** 2 + (x - place[1]) ** 2 <= radius**2


def painted(masks, order):
    """Return a label image of masks, numbered in a shuffled order."""
    image = np.zeros(SHAPE, int)
    for label, row in enumerate(order, start=1):
        image[masks[row] & (image == 0)] = label
    return image


def changed(change, place, shift):
    """Return what the nucleus at a place has become: no, one or two masks."""
    mask, (y, x) = disc(place), place
    columns = np.arange(SHAPE[1])
    if change == "moved":
        return [disc((y + shift[0], x + shift[1]))]
    if change == "split":
        return [mask & (columns < x + shift[0]), mask & (columns > x + shift[0])]
    if change == "cut":
        return [mask & (columns < x + shift[1])]
    if change == "joined":
        return [mask | disc((y, min(x + STEP - 8, 90)))]
    return [] if change == "gone" else [mask]


@st.composite
def cuts(draw):
    """Two masks of a frame, of which the second is the first changed in some places."""
    changes = [draw(CHANGES) for _ in PLACES]
    shifts = st.tuples(st.integers(-7, 7), st.integers(-7, 7))
    masks = [
        one
        for p, c in zip(PLACES, changes, strict=True)
        for one in [disc(p)] * (c != "new")
    ]
    after = [
        m
        for p, c in zip(PLACES, changes, strict=True)
        for m in changed(c, p, draw(shifts))
    ]
    after = [mask for mask in after if mask.any()]
    images = [
        painted(those, draw(st.permutations(range(len(those)))))
        for those in (masks, after)
    ]
    return images


def iou(one, two):
    return (one & two).sum() / (one | two).sum()


def by_the_rule(before, after):
    """Return the partner of each label after, or None, and candidates of the others."""
    labels = [np.unique(image[image > 0]).tolist() for image in (before, after)]
    near = {
        (old, new): iou(before == old, after == new)
        for old in labels[0]
        for new in labels[1]
        if iou(before == old, after == new) >= CANDIDATE
    }
    partners = dict.fromkeys(labels[1])
    for (old, new), value in near.items():
        rivals = [pair for pair in near if pair[0] == old or pair[1] == new]
        if value >= PARTNER and len(rivals) == 1:
            partners[new] = old
    asked = {
        old: {new for one, new in near if one == old}
        for old in set(labels[0]) - set(partners.values())
    }
    return partners, asked


@settings(max_examples=80, deadline=None)
@given(cuts())
def test_numbers_follow_by_the_rule_and_by_nothing_else(images):
    before, after = images
    first = identify((), find_nuclei(before))
    assert first.numbers.tolist() == np.unique(before[before > 0]).tolist()
    found = identify(first.known, find_nuclei(after))
    partners, asked = by_the_rule(before, after)
    old = set(first.numbers.tolist())
    for label, number in zip(partners, found.numbers.tolist(), strict=True):
        assert number == partners[label] if partners[label] else number not in old
    assert len(set(found.numbers.tolist())) == len(found.numbers)
    of = dict(zip(partners, found.numbers.tolist(), strict=True))
    wanted = {one: {of[new] for new in news} for one, news in asked.items()}
    assert {
        one: set(news) for one, news in candidates_of(found.known).items()
    } == wanted


@settings(max_examples=40, deadline=None)
@given(cuts())
def test_a_mask_that_is_put_back_brings_its_numbers_back(images):
    before, after = images
    first = identify((), find_nuclei(before))
    second = identify(first.known, find_nuclei(after))
    third = identify(second.known, find_nuclei(before))
    assert third.numbers.tolist() == first.numbers.tolist()
    gone = {one.number for one in third.known if not one.present}
    assert gone == set(second.numbers.tolist()) - set(first.numbers.tolist())


def test_only_undecided_candidates_of_a_decided_nucleus_are_asked_about():
    whole = disc((36, 48), 14)
    halves = [whole & (np.arange(96) < 48), whole & (np.arange(96) > 48)]
    first = identify((), find_nuclei(whole.astype(int)))
    found = identify(first.known, find_nuclei(painted(halves, [0, 1])))
    assert found.numbers.tolist() == [3, 2]
    assert found.asked({1}).tolist() == [True, True]
    assert found.asked({1, 2}).tolist() == [True, False]
    assert found.asked(set()).tolist() == [False, False]


@pytest.mark.parametrize(
    ("x", "share", "number"),
    [(48, 1, 7), (50.9, 1, 7), (52.1, 1, 1), (48, 0.6, 7), (48, 0.45, 1), (48, 2.1, 1)],
)
def test_without_pixels_centroid_and_area_decide(x, share, number):
    """The radius is 8, so that partners are under 4 pixels apart."""
    mask = disc((36, 48))
    area = int(share * mask.sum())
    known = KnownNucleus(7, True, 0, 0, 36.0, float(x), area, "")
    found = identify([known], find_nuclei(mask.astype(int)))
    assert found.numbers.tolist() == [number]
    assert (7 in found.candidates) == (number == 1)


def test_two_old_places_in_one_nucleus_are_not_chosen_between():
    at = [KnownNucleus(n, True, 0, 0, 36.0, 48.0 + n, 190, "") for n in (5, 6)]
    found = identify(at, find_nuclei(disc((36, 48)).astype(int)))
    assert found.numbers.tolist() == [1]
    assert found.candidates == {5: (1,), 6: (1,)}


def test_a_number_of_which_nothing_else_is_known_is_not_given_again():
    found = identify([only_number(1)], find_nuclei(disc((36, 48)).astype(int)))
    assert found.numbers.tolist() == [2]
    assert found.candidates == {}


def test_a_frame_of_another_size_has_other_nuclei():
    known = identify((), find_nuclei(disc((36, 48)).astype(int))).known
    larger = disc((36, 48), shape=(72, 97)).astype(int)
    assert identify(known, find_nuclei(larger)).numbers.tolist() == [2]


def test_the_file_gives_back_what_was_written(tmp_path):
    path, image = (
        tmp_path / "nuclei.runs",
        painted([disc(p) for p in PLACES], [3, 1, 0]),
    )
    known = (*identify((), find_nuclei(image)).known, only_number(9))
    assert read_nuclei(path) == {}
    write_nuclei(path, {"=1+1": known, "é, \n": ()})
    assert read_nuclei(path) == {"=1+1": known}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("number", "nummer"),
        ("f,1,1,", "f,2,1,"),
        ("f,1,1,", "f,1,7,"),
        ("f,1,1,", "f,-1,1,"),
        (",72,96,", ",7,9,"),
        (",197,", ",198,"),
        (",36.0,", ",nan,"),
        (" 17 ", " 0 "),
        ("f,2,1,72,96,36.0,48.0,197,2", "f,2,1,72,96,36.0,48.0,197,1"),
        ("f,2,1,72,96,", "f,2,1,90,96,"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path, old, new):
    path = tmp_path / "nuclei.runs"
    masks = [disc((36, 12)), disc((36, 48))]
    write_nuclei(path, {"f": identify((), find_nuclei(painted(masks, [0, 1]))).known})
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadCellsError, match=r"nuclei\.runs: it is damaged"):
        read_nuclei(path)
