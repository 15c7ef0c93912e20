import pytest

from training.decisions.applied import STORE
from training.decisions.store import DecisionStore


@pytest.fixture
def bob(review, specimens):
    """Another reviewer, in another window, with the same file."""
    review.navigation.select(1)
    review.decisions.accept()
    with DecisionStore(specimens / STORE, "bob") as store:
        yield store
