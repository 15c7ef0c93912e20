import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.storage.csv_tables import csv_of, csv_text, plain_word, safe_word


@pytest.mark.parametrize(
    ("word", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("\uff1d1", "'\uff1d1"),
        (" \u00a0@x", "' \u00a0@x"),
        ('"=1', "'\"=1"),
        ("'a", "''a"),
        ("a;=1", "a;'=1"),
        ("a\r\n-1\t'b", "a\r\n'-1\t''b"),
        ("\t\t=", "'\t\t'="),
        ("a-1=b, -2; c", "a-1=b, -2; c"),
    ],
)
def test_a_quote_goes_before_what_starts_like_a_formula(word, safe):
    assert safe_word(word) == safe
    assert plain_word(safe) == word


@given(st.text(st.sampled_from("=+-@'\";\t\r\n ab\uff1d")) | st.text())
def test_safe_words_come_back(word):
    assert plain_word(safe_word(word)) == word


def test_numbers_stay_numbers_and_what_is_missing_is_empty():
    assert csv_text([["=a", -1.5, None, True, -2]]) == "'=a,-1.5,,True,-2\n"
    table = pd.DataFrame(
        {"-a": ["=b", None], "c": np.float32([-0.123456789, np.nan]), "d": [-1, 2]}
    )
    assert csv_of(table) == "'-a,c,d\n'=b,-0.123457,-1\n,,2\n"


def test_a_lone_carriage_return_stays_in_its_cell():
    text = csv_text([["a\rb", "c"], ["d\r\ne\n", "f"]])
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["a\rb", "c"], ["d\r\ne\n", "f"]]
