import pytest

from training.errors import UnknownPatternError
from training.patterns import I3A, I3A_TASK2, MIVIA, VOCABULARIES, vocabulary_for


def test_the_order_is_the_papers():
    assert I3A.names == (
        "Homogeneous",
        "Speckled",
        "Nucleolar",
        "Centromere",
        "NuMem",
        "Golgi",
    )


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("homogeneous   ", 0),
        ("SPECKLED", 1),
        ("numem", 4),
        ("Nuclear membrane", 4),
        ("nuclear_membrane", 4),
        ("golgi\t", 5),
    ],
)
def test_spellings(text, index):
    assert I3A.index(text) == index


def test_an_unknown_pattern_is_told_with_what_is_known():
    with pytest.raises(UnknownPatternError) as caught:
        I3A.index("cytoplasm", "gt.csv")
    sentence = str(caught.value)
    assert sentence.startswith("gt.csv: the pattern 'cytoplasm' is unknown; use one of")
    assert "Golgi" in sentence


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=lambda v: v.name)
def test_letters_and_colours_tell_patterns_apart(vocabulary):
    assert len({p.letter for p in vocabulary}) == len(vocabulary)
    assert len({p.colour for p in vocabulary}) == len(vocabulary)


def test_the_vocabulary_follows_the_names():
    assert vocabulary_for(["golgi", "speckled"], "x") is I3A
    assert vocabulary_for(["golgi", "mitsp"], "x") is I3A_TASK2
    assert vocabulary_for(["fine_speckled", "centromere"], "x") is MIVIA
    with pytest.raises(UnknownPatternError, match="'purple' is unknown"):
        vocabulary_for(["golgi", "purple"], "x")
