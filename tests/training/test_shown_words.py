"""Words from outside stay on one line and steer no screen."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from training.errors import BadSettingError
from training.shown_words import shown


@given(st.text(st.characters(), max_size=40))
def test_whatever_is_shown_is_one_line_of_visible_characters(words):
    found = shown(words)
    assert len(found.splitlines()) <= 1
    assert found.encode().decode() == found
    assert not {unicodedata.category(sign) for sign in found} & {"Cc", "Cf", "Cs"}
    assert shown(found) == found


def test_words_of_every_script_are_shown_as_they_are():
    words = "Zoë, 核膜, \N{GREEK SMALL LETTER MU}m [bold] $x$ <b> a\u00a0b"
    assert shown(words) == words


def test_what_steers_is_shown_as_an_escape():
    assert shown("a\rb\n\x1b[2J\u202e\udcff") == r"a\rb\n\x1b[2J\u202e\udcff"
    assert r"named\x1b[1m" in str(BadSettingError("named\x1b[1m", "it is", "mend it"))
