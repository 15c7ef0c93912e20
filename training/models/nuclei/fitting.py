"""Fitting of the network that finds nuclei."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.config import NucleusFitSettings
from training.data.masks.nucleus_network import (
    NucleusNetwork,
    limits,
    normalised,
)
from training.models.nuclei.fields import Grey, Lesson
from training.models.nuclei.hardships import made_harder

_STRETCH = 0.3
"""Half the range of the logarithm of a lesson's scale."""

_SQUEEZE = 0.12
_DISTANCE_LOSS = 4.0
_MITOSIS_LOSS = (0.3, 10.0)
"""In the first stage it hardly counts, as mitoses are few and outlines come first."""

_SECOND_RATE = 0.3
"""Of the learning rate of the first stage."""


@dataclass(frozen=True)
class NucleusStep:
    """One step of the fit: its number from 1, how many there are, and its loss."""

    step: int
    steps: int
    loss: float


def fit_network(
    network: NucleusNetwork,
    lessons: list[Lesson],
    simulated: list[Lesson],
    settings: NucleusFitSettings,
) -> Iterator[NucleusStep]:
    """Fit a network to lessons, one step at a time; it is changed in place.

    Nuclei are learnt first; in a second stage mitoses count as well.

    Parameters
    ----------
    lessons, simulated
        Half of each batch is drawn from either; one of them may be empty.
    """
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = [_Group(group) for group in (lessons, simulated) if group]
    lengths = settings.steps, settings.mitosis_steps
    done = 0
    for stage, steps in enumerate(lengths):
        for loss in _stage(network, groups, settings, steps, stage):
            done += 1
            yield NucleusStep(done, sum(lengths), loss)
    network.eval()


def _stage(
    network: NucleusNetwork,
    groups: list[_Group],
    settings: NucleusFitSettings,
    steps: int,
    stage: int,
) -> Iterator[float]:
    """Take the steps of one stage, with an optimiser of its own; yield the losses."""
    rng = np.random.default_rng((settings.seed, stage) if stage else settings.seed)
    rate = settings.learning_rate * (_SECOND_RATE if stage else 1)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps + 1
    )
    for _ in range(steps):
        drawn = [
            _draw(groups[k % len(groups)].draw(rng), settings.crop, rng)
            for k in range(settings.batch)
        ]
        seen, truth = (
            torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)
        )
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.half_precision):
            logits = network(seen.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), truth, _MITOSIS_LOSS[stage])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        yield float(loss.detach())


def loss_of(logits: Tensor, truth: Tensor, mitosis_share: float) -> Tensor:
    """Return the loss of a batch.

    Parameters
    ----------
    logits : (N, 3, H, W) float32
        Of the network.
    truth : (N, 5, H, W) float32
        The maps of lessons without the intensity.
    mitosis_share
        How much the loss of the mitoses counts.
    """
    nucleus, distance, mitosis, weight, known = truth.unbind(1)
    bce = nn.functional.binary_cross_entropy_with_logits
    of_nucleus = bce(logits[:, 0], nucleus, weight)
    probability = logits[:, 0].sigmoid()
    shared = 2 * (probability * nucleus).sum() + 1
    dice = 1 - shared / (probability.sum() + nucleus.sum() + 1)
    away = (logits[:, 1].sigmoid() - distance).abs()
    of_distance = (away * weight * (0.2 + nucleus)).mean()
    of_mitosis = bce(logits[:, 2], mitosis, known)
    return of_nucleus + dice + _DISTANCE_LOSS * of_distance + mitosis_share * of_mitosis


class _Group:
    """Lessons that are drawn by their shares."""

    def __init__(self, lessons: list[Lesson]) -> None:
        self.lessons = lessons
        shares = np.array([lesson.share for lesson in lessons])
        self.shares = shares / shares.sum()

    def draw(self, rng: np.random.Generator) -> Lesson:
        return self.lessons[int(rng.choice(len(self.lessons), p=self.shares))]


def _draw(lesson: Lesson, crop: int, rng: np.random.Generator) -> tuple[Grey, Grey]:
    """Return what the network sees of a crop, (2, S, S), and the truth, (5, S, S)."""
    maps = _turned(lesson.maps, crop, rng)
    signal = np.sqrt(made_harder(maps[0], rng), dtype=np.float32)
    return normalised(signal, limits(signal)), maps[1:]


def _turned(maps: Grey, crop: int, rng: np.random.Generator) -> Grey:
    """Return a square of a field, turned, mirrored and stretched at random.

    What lies beyond the field is black and no nucleus, as in a stitched frame.
    """
    height, width = maps.shape[1:]
    scale = np.exp(rng.uniform(-_STRETCH, _STRETCH))
    stretch = np.exp(rng.uniform(-_SQUEEZE, _SQUEEZE, 2)) * (1, rng.choice((-1, 1)))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ) @ np.diag(stretch / scale)
    overhang = 0.5 if rng.uniform() < 0.15 else 0.15
    room = np.maximum(np.array([width, height]) - 2 * (0.5 - overhang) * crop, 0) / 2
    centre = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room
    side = 2 / np.array([width, height])
    theta = np.column_stack([turn * crop / 2, centre]) * side[:, None]
    theta[:, 2] -= 1
    grid = nn.functional.affine_grid(
        torch.from_numpy(theta[None]).float(), [1, 1, crop, crop], align_corners=False
    )
    whole = torch.from_numpy(np.concatenate([maps, np.ones_like(maps[:1])]))
    taken = nn.functional.grid_sample(whole[None], grid, align_corners=False)[0].numpy()
    taken[4] += 1 - taken[6]
    return taken[:6]
