"""Gradient descent with momentum, and the size of its steps over a fit."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.config import NetworkSettings

_RISE = 0.05
"""Share of a fit in which the step size rises, where it does."""


def rate_at(settings: NetworkSettings, step: int, steps: int) -> float:
    """Return the step size of a step of a fit.

    Parameters
    ----------
    settings
        Its largest and its schedule.
    step, steps
        0 is the first; of the whole fit.
    """
    if settings.schedule == "fixed":
        return settings.learning_rate
    rise = min(1.0, (step + 1) / (_RISE * steps))
    fall = 0.5 * (1 + math.cos(math.pi * step / steps))
    return settings.learning_rate * rise * fall


def descend(
    parameters: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    settings: NetworkSettings,
    rate: float,
    live: Tensor | None = None,
) -> None:
    """One step of gradient descent with momentum, as MatConvNet and torch take it.

    Parameters
    ----------
    parameters, gradients, momenta
        Of those that are fitted; changed in place.
    settings
        Momentum and weight decay.
    rate
        Step size.
    live : () float or None
        0 leaves parameters and momenta as they are; None is 1.
    """
    with torch.no_grad():
        torch._foreach_add_(gradients, parameters, alpha=settings.weight_decay)
        if live is None:
            torch._foreach_mul_(momenta, settings.momentum)
            torch._foreach_add_(momenta, gradients)
            torch._foreach_add_(parameters, momenta, alpha=-rate)
            return
        torch._foreach_mul_(gradients, live)
        torch._foreach_mul_(momenta, 1 - live * (1 - settings.momentum))
        torch._foreach_add_(momenta, gradients)
        # The gradients have served: their place takes the steps.
        torch._foreach_copy_(gradients, momenta)
        torch._foreach_mul_(gradients, live)
        torch._foreach_add_(parameters, gradients, alpha=-rate)
