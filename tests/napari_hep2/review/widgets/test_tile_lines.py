import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_hep2.review.widgets.tile_lines import TileLines
from training.curation.ordering import Heading


def grouped(*counts):
    starts = np.cumsum([0, *counts])
    return [Heading(k, int(starts[k]), n, 0) for k, n in enumerate(counts)]


def test_headings_take_a_line_of_their_own():
    # # / 0 1 / 2 . / # / 3 4
    lines = TileLines(5, 2, grouped(3, 2))
    assert lines.n_lines == 5
    assert lines.heading_lines == [0, 3]
    assert lines.heading_at(3).key == 1
    assert lines.heading_at(1) is None
    found = [[lines.place_at(line, c) for c in range(2)] for line in range(5)]
    assert found == [[None, None], [0, 1], [2, None], [None, None], [3, 4]]
    assert lines.where(4) == (4, 1)


def test_moving_passes_over_headings():
    lines = TileLines(7, 3, grouped(4, 3))
    # # / 0 1 2 / 3 . . / # / 4 5 6
    assert lines.moved(1, 1) == 3
    assert lines.moved(3, 1) == 4
    assert lines.moved(2, 2) == 6
    assert lines.moved(5, -1) == 3
    assert lines.moved(0, -1) == 0
    assert lines.moved(6, 9) == 6


def test_without_headings_lines_are_full():
    lines = TileLines(5, 2)
    assert (lines.n_lines, lines.heading_lines) == (3, [])
    assert lines.place_at(2, 1) is None
    assert lines.moved(0, 1) == 2
    assert TileLines(0, 3).n_lines == 0


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(1, 5),
    st.booleans(),
    st.data(),
)
def test_rectangles_cover_the_places_and_no_others(counts, columns, headed, data):
    n = sum(counts)
    lines = TileLines(n, columns, grouped(*counts) if headed else ())
    for place in range(n):
        assert lines.place_at(*lines.where(place)) == place
    chosen = sorted(data.draw(st.sets(st.integers(0, n - 1))))
    covered = [
        lines.place_at(line, column)
        for top, left, bottom, right in lines.rectangles(np.array(chosen, int))
        for line in range(top, bottom + 1)
        for column in range(left, right + 1)
    ]
    assert sorted(p for p in covered if p is not None) == chosen
    assert None not in covered
