"""The training loop: a generator of epoch records, one fold at a time.

A fold's state after an epoch decides all that follows: weights, momentum, the epoch's
number and the votes so far. The order of cells in an epoch comes from a generator
seeded by (seed, epoch), so nothing else has to be kept, and a fold that was killed and
started again ends with the same model, bit for bit, on one thread of one machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.augmentation import augment, normalise, turn
from training.classifiers.architectures import build_network, needs_whole_batches
from training.classifiers.base import (
    EpochRecord,
    HeldOutScores,
    Rows,
    Samples,
    Scores,
    average,
)
from training.config import NetworkSettings
from training.errors import DivergedError, InterruptedRunError

_MICRO_BATCH_CPU = 20
_SCORING_BATCH_CPU = 25
_SCORING_BATCH = 100


@dataclass
class FitState:
    """All that decides the rest of a fit.

    Attributes
    ----------
    network
        The weights now.
    momenta
        One tensor a parameter, in the order of ``network.parameters()``.
    epoch
        Epochs done.
    history
        Their records.
    votes
        The held-out scores, (m, K) float32, of each of the last epochs so far.
    voters
        The weights of each of those epochs, kept where a model will be made of them.
    """

    network: nn.Module
    momenta: list[Tensor]
    epoch: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    votes: list[Scores] = field(default_factory=list)
    voters: list[dict[str, Tensor]] = field(default_factory=list)


@dataclass(frozen=True)
class ResidentCells:
    """A cell set on the device, once for all folds.

    Attributes
    ----------
    images : (N, S, S) uint8
    patterns : (N,) int64
    """

    images: Tensor
    patterns: Tensor

    @classmethod
    def place(
        cls, images: npt.NDArray[np.uint8], patterns: Rows, device: torch.device
    ) -> ResidentCells:
        """Copy images and patterns to the device."""
        pixels = torch.from_numpy(np.array(images, copy=True))
        return cls(pixels.to(device), torch.from_numpy(patterns.copy()).to(device))

    @property
    def device(self) -> torch.device:
        """Where the cells lie."""
        return self.images.device


def interrupted() -> InterruptedRunError:
    """Return the sentence for a run that was asked to stop."""
    return InterruptedRunError(
        "the run", "it was stopped", "go on with: python -m training resume RUN"
    )


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; ``auto`` takes CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def begin(settings: NetworkSettings, n_patterns: int, seed: int) -> FitState:
    """Return a fit that has seen nothing yet."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(settings, n_patterns, generator)
    return FitState(network, [torch.zeros_like(p) for p in network.parameters()])


def fit(
    state: FitState,
    cells: ResidentCells,
    train: Samples,
    settings: NetworkSettings,
    *,
    seed: int,
    test: Rows | None = None,
    keep_voters: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[EpochRecord]:
    """Train from where `state` stands to the last epoch.

    Parameters
    ----------
    state
        Changed in place; true at each yield, so that it can be written down.
    cells
        The whole cell set on the device.
    train
        Cells to train on, each in its views.
    settings
        The recipe.
    seed
        Of the order of cells.
    test
        Held-out rows, scored in each of the last `settings.vote_epochs` epochs.
    keep_voters
        Whether to keep the weights of those epochs.
    should_stop
        Asked before each step.

    Yields
    ------
    record
        One an epoch.

    Raises
    ------
    InterruptedRunError
        If `should_stop` said so; `state` is then inside an epoch and must not be kept.
    DivergedError
        If the loss becomes NaN or infinite.
    """
    place(state.network, cells.device)
    state.momenta = [momentum.to(cells.device) for momentum in state.momenta]
    rows = torch.from_numpy(train.rows).to(cells.device)
    views = torch.from_numpy(train.views).to(cells.device)
    first_vote = settings.epochs - settings.vote_epochs + 1
    while state.epoch < settings.epochs:
        started = time.perf_counter()
        epoch = state.epoch + 1
        loss, accuracy = _run_epoch(
            state,
            cells,
            (rows, views),
            settings,
            seed=seed + epoch,
            should_stop=should_stop,
        )
        if epoch >= first_vote:
            _vote(state, cells, test, settings, keep_voters=keep_voters)
        state.epoch = epoch
        seconds = time.perf_counter() - started
        state.history.append(EpochRecord(epoch, loss, accuracy, seconds))
        yield state.history[-1]
    state.network.eval()


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to a device, with channels last, which is faster everywhere."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def score(
    network: nn.Module,
    images: Tensor,
    normalisation: str,
    rows: Tensor | None = None,
) -> Scores:
    """Return the softmax scores of images.

    Parameters
    ----------
    network
        On the device of `images`.
    images : (N, S, S) uint8
    normalisation
        See `training.augmentation.normalise`.
    rows : (m,) int64 or None
        Which images; None takes all.

    Returns
    -------
    scores : (m, K) float32
        Rows sum to 1.
    """
    with torch.inference_mode():
        parts = [network(some) for some in batches(images, normalisation, rows)]
        logits = torch.cat(parts) if parts else torch.zeros(0, 1)
        return logits.softmax(1).cpu().numpy().astype(np.float32)


def batches(
    images: Tensor, normalisation: str, rows: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield images as networks take them, in batches that are quick to score.

    On a CPU the maps of a batch fit its caches.

    Parameters
    ----------
    images, normalisation, rows
        As in `score`.

    Yields
    ------
    batch : (n, 1, S, S) float32 in 0..1, channels last
    """
    size = _SCORING_BATCH_CPU if images.device.type == "cpu" else _SCORING_BATCH
    rows = torch.arange(len(images), device=images.device) if rows is None else rows
    for some in torch.split(rows, size):
        yield _network_input(images[some], normalisation)


def held_out_vote(state: FitState) -> HeldOutScores:
    """Return the mean of the last epochs' held-out scores, and how far they differ."""
    return average(state.votes)


def _network_input(images: Tensor, normalisation: str) -> Tensor:
    scaled = normalise(images, normalisation)
    return scaled.contiguous(memory_format=torch.channels_last)


def _run_epoch(
    state: FitState,
    cells: ResidentCells,
    samples: tuple[Tensor, Tensor],
    settings: NetworkSettings,
    *,
    seed: int,
    should_stop: Callable[[], bool],
) -> tuple[float, float]:
    """Take one pass; return the mean loss and the accuracy."""
    state.network.train()
    rows, views = samples
    total = len(rows)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(total, generator=generator).to(cells.device)
    sums = torch.zeros(2, device=cells.device, dtype=torch.float64)
    for batch in torch.split(order, settings.batch_size):
        if should_stop():
            raise interrupted()
        images = turn(cells.images[rows[batch]], views[batch])
        images = augment(images, settings.augmentation, generator)
        truth = cells.patterns[rows[batch]]
        step = _accumulate(state.network, images, truth, settings)
        if not math.isfinite(float(step[0])):
            raise DivergedError(
                f"epoch {state.epoch + 1}",
                "the loss became infinite or not a number",
                "lower learning_rate",
            )
        _descend(state, settings)
        sums += step
    loss, right = (sums / total).tolist()
    return loss, right


def _accumulate(
    network: nn.Module, images: Tensor, truth: Tensor, settings: NetworkSettings
) -> Tensor:
    """Leave the mean gradient of a batch; return its summed loss and right answers.

    On a CPU the batch is taken in pieces that fit its caches: without normalisation
    layers the sum of their gradients is that of the whole batch, to rounding.
    """
    network.zero_grad(set_to_none=True)
    whole = images.device.type == "cuda" or needs_whole_batches(settings)
    size = len(images) if whole else _MICRO_BATCH_CPU
    sums = torch.zeros(2, device=images.device, dtype=torch.float64)
    pieces = torch.split(images, size), torch.split(truth, size)
    for some, its in zip(*pieces, strict=True):
        logits = network(_network_input(some, settings.normalisation))
        loss = functional.cross_entropy(logits, its, reduction="sum")
        (loss / len(images)).backward()  # type: ignore[no-untyped-call]
        right = (logits.detach().argmax(1) == its).sum()
        sums += torch.stack([loss.detach().double(), right.double()])
    return sums


def _descend(state: FitState, settings: NetworkSettings) -> None:
    """One step of gradient descent with momentum, as MatConvNet and torch take it."""
    fitted = [
        (parameter, parameter.grad, momentum)
        for parameter, momentum in zip(
            state.network.parameters(), state.momenta, strict=True
        )
        if parameter.grad is not None
    ]
    parameters, gradients, momenta = map(list, zip(*fitted, strict=True))
    with torch.no_grad():
        torch._foreach_add_(gradients, parameters, alpha=settings.weight_decay)
        torch._foreach_mul_(momenta, settings.momentum)
        torch._foreach_add_(momenta, gradients)
        torch._foreach_add_(parameters, momenta, alpha=-settings.learning_rate)


def _vote(
    state: FitState,
    cells: ResidentCells,
    test: Rows | None,
    settings: NetworkSettings,
    *,
    keep_voters: bool,
) -> None:
    state.network.eval()
    if test is not None:
        rows = torch.from_numpy(test).to(cells.device)
        scores = score(state.network, cells.images, settings.normalisation, rows)
        state.votes.append(scores)
    if keep_voters:
        weights = state.network.state_dict()
        state.voters.append({k: v.detach().cpu().clone() for k, v in weights.items()})
