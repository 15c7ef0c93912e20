import inspect
from pathlib import Path

import pytest

from training import errors
from training.errors import Hep2Error

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, Hep2Error)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_fault_is_one_sentence_of_what_fault_and_remedy(kind):
    fault = kind(Path("a/mask.png"), "the mask is empty", "mark the nuclei in it")
    assert str(fault) == "a/mask.png: the mask is empty; mark the nuclei in it."
    assert (fault.what, fault.fault) == ("a/mask.png", "the mask is empty")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_fault_says_what_it_is_for(kind):
    assert kind.__doc__


def test_a_sentence_does_not_quote_a_whole_file():
    fault = Hep2Error("x" * 10_000, "y" * 10_000, "mend it")
    assert len(str(fault)) < 1100
    assert str(fault).endswith("...; mend it.")
