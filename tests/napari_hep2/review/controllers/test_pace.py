from datetime import UTC, datetime, timedelta

import pytest

from napari_hep2.review.controllers.pace import pace_text, per_minute

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)


def ago(*minutes):
    return [NOW - timedelta(minutes=m) for m in minutes]


@pytest.mark.parametrize(
    ("minutes", "pace"),
    [
        ((), None),
        ((11, 60), None),
        ((0.1, 0.2, 0.3), 3),
        ((5, 4, 3, 2, 1, 30), 1),
        ((-3,), None),
        ((3, 3.1, 3.2), None),
    ],
)
def test_the_pace_is_that_of_the_last_ten_minutes(minutes, pace):
    assert per_minute(ago(*minutes), NOW) == pace


def test_the_time_left_is_told_in_words():
    assert pace_text(None, 1200) == "1,200 left"
    assert pace_text(50, 0) == "all decided"
    assert pace_text(50, 1000) == "50/min, 20 min left"
    assert pace_text(50, 48_000) == "50/min, 16 h left"
    assert pace_text(50, 10) == "50/min, 1 min left"
