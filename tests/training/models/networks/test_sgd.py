"""The step size over a fit; the steps themselves are tested with the loops."""

import numpy as np
import pytest

from training.config import PaperNetworkSettings
from training.models.networks.sgd import rate_at


def test_the_step_size_rises_and_falls():
    settings = PaperNetworkSettings(learning_rate=0.1, schedule="cosine")
    rates = [rate_at(settings, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[50] == pytest.approx(0.05)
    assert rates[99] == pytest.approx(0.1 * np.sin(np.pi / 200) ** 2)
    assert max(rates) == rates[4]
    fixed = settings.model_copy(update={"schedule": "fixed"})
    assert {rate_at(fixed, step, 100) for step in range(100)} == {0.1}
