"""The numbered patterns: complete, searchable, and no less precise than they say."""

import pytest

from training.errors import UnknownPatternError
from training.icap import (
    PATTERNS,
    agree,
    compartment_of,
    find,
    group_of,
    numbers,
    search,
    title_of,
)
from training.patterns import VOCABULARIES


def test_every_number_from_0_to_29_is_there_once_and_in_a_group_of_its_branch():
    single = [one for one in PATTERNS if len(numbers(one.code)) == 1]
    assert sorted(min(numbers(one.code)) for one in single) == list(range(30))
    for one in PATTERNS:
        parts = {compartment_of(f"AC-{k}") for k in numbers(one.code)}
        assert parts == {one.compartment}


def test_the_competent_level_stands_first():
    levels = [one.competent for one in PATTERNS]
    assert levels == sorted(levels, reverse=True)
    told = [k for one in PATTERNS if one.competent for k in numbers(one.code)]
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("AC-4", "AC-4"),
        ("4", "AC-4"),
        ("ac 29", "AC-29"),
        ("golgi", "AC-22"),
        ("mitochondrial", "AC-21"),
        ("dfs70", "AC-2"),
        ("speckled", "AC-4/5"),
        ("Ro", "AC-4"),
        ("la", "AC-4"),
        ("sm", "AC-5"),
        ("speck", "AC-2"),
        ("nuclear membrane", "AC-11/12"),
        ("speckled cytoplasmic", "AC-18/19/20"),
        ("rim nuclear", "AC-11/12"),
        ("scl-70", "AC-29"),
    ],
)
def test_searched_by_code_name_and_synonym(words, first):
    assert search(words)[0].code == first


def test_a_whole_code_finds_itself_alone():
    assert [one.code for one in search("AC-1")] == ["AC-1"]
    assert search("no such thing") == ()
    assert search("") == PATTERNS


def test_a_typed_pattern_has_to_be_one():
    assert find(" Homogeneous ") == "AC-1"
    assert find("mitsp") == "AC-24/25"
    assert find("Pleomorphic") == "AC-13/14"
    assert find("nuclear membrane") == find("rim") == "AC-11/12"
    for text in ("msa-2", "AC-30", "", "speck"):
        with pytest.raises(UnknownPatternError):
            find(text)


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_what_a_model_names_is_a_group_of_codes_with_a_title(vocabulary):
    for pattern in vocabulary:
        codes = group_of(pattern.name)
        assert numbers(codes)
        assert find(codes) == codes
        assert title_of(codes).startswith(codes + " ")


def test_answers_agree_where_one_is_only_less_precise():
    assert agree(["AC-4/5"], ["AC-2/4/5"])
    assert agree(["AC-5", "AC-21"], ["AC-21", "AC-4/5"])
    assert not agree(["AC-5"], ["AC-5", "AC-21"])
    assert not agree(["AC-1"], ["AC-3"])
    assert agree([], [])
    assert numbers("AC-15 to AC-23") == frozenset(range(15, 24))
    assert compartment_of("nothing") is None
