"""The training loop: a generator of epoch records, one fold at a time.

A fold's state after an epoch decides all that follows: weights, momentum, the running
mean of the weights, the epoch's number and the votes so far. The order of cells in an
epoch comes from a generator seeded by (seed, epoch), so nothing else has to be kept,
and a fold that was killed and started again ends with the same model, bit for bit, on
one thread of one machine.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from training.config import NetworkSettings
from training.errors import DivergedError, InterruptedRunError
from training.models.augmentation import change
from training.models.base import EpochRecord, HeldOutScores, Progress, Scores, average
from training.models.networks.architectures import build_network, needs_whole_batches
from training.models.networks.devices import ResidentCells, place
from training.models.networks.epoch_plan import EpochPlan, plan_epoch
from training.models.networks.mixup import mix, mixed_loss
from training.models.networks.scoring import network_input, score
from training.models.networks.sgd import descend, rate_at
from training.models.networks.warps import warp
from training.splits.samples import Rows, Samples

PROGRESS_SECONDS = 10.0
"""How long an epoch may last without a sign of life."""

_MICRO_BATCH_CPU = 20


@dataclass
class FitState:
    """All that decides the rest of a fit.

    Attributes
    ----------
    network
        The weights now.
    momenta
        One tensor a parameter, in the order of ``network.parameters()``.
    average
        The running mean of the network's weights, where one is taken: it votes.
    epoch
        Epochs done.
    history
        Their records.
    votes
        The held-out scores, (m, K) float32, of each of the last epochs so far.
    voters
        The weights of each of those epochs, kept where a model will be made of them.
    piece
        Images that are taken at once, found where a batch did not fit into memory; 0
        where none was too large.
    """

    network: nn.Module
    momenta: list[Tensor]
    average: nn.Module | None = None
    epoch: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    votes: list[Scores] = field(default_factory=list)
    voters: list[dict[str, Tensor]] = field(default_factory=list)
    piece: int = 0

    @property
    def voter(self) -> nn.Module:
        """The network that votes."""
        return self.network if self.average is None else self.average


def interrupted() -> InterruptedRunError:
    """Return the sentence for a run that was asked to stop."""
    return InterruptedRunError(
        "the run", "it was stopped", "continue with: hep2 resume RUN"
    )


def begin(settings: NetworkSettings, n_patterns: int, seed: int) -> FitState:
    """Return a fit that has seen nothing yet."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(settings, n_patterns, generator)
    average = copy.deepcopy(network) if settings.weight_average else None
    momenta = [torch.zeros_like(p) for p in network.parameters()]
    return FitState(network, momenta, average)


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
) -> Iterator[EpochRecord | Progress]:
    """Train from where `state` stands to the last epoch.

    Parameters
    ----------
    state
        Changed in place; true at each record, so that it can be written down.
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
    step
        A record an epoch; between them, where epochs are long, their progress.

    Raises
    ------
    InterruptedRunError
        If `should_stop` said so; `state` is then inside an epoch and must not be kept.
    DivergedError
        If the loss becomes NaN or infinite: on a CPU in that step; on a GPU, which
        would have to be waited for, at the end of the epoch.
    OutOfMemoryError
        Of torch, if the device has no memory for the smallest piece of a batch.
    """
    place(state.network, cells.device)
    place(state.voter, cells.device)
    state.momenta = [momentum.to(cells.device) for momentum in state.momenta]
    while state.epoch < settings.epochs:
        started = time.perf_counter()
        plan = plan_epoch(train, settings, seed + state.epoch + 1).to(cells.device)
        sums = yield from _run_epoch(state, cells, plan, settings, should_stop)
        yield end_epoch(
            state,
            cells,
            settings,
            sums / len(train),
            started,
            test=test,
            keep_voters=keep_voters,
        )
    state.network.eval()


def end_epoch(
    state: FitState,
    cells: ResidentCells,
    settings: NetworkSettings,
    means: Tensor,
    started: float,
    *,
    test: Rows | None = None,
    keep_voters: bool = False,
) -> EpochRecord:
    """Let a network vote after its last epochs, and note the epoch in its state.

    Parameters
    ----------
    means : (2,) float64
        Loss and accuracy of the epoch.
    started
        When the epoch began, on the clock of ``time.perf_counter``.
    state, cells, settings, test, keep_voters
        As in `fit`.

    Raises
    ------
    DivergedError
        If the loss or a held-out score is NaN or infinite.
    """
    loss, accuracy = means.tolist()
    epoch = state.epoch + 1
    if not math.isfinite(loss):
        raise _diverged(f"epoch {epoch}", "loss")
    if epoch > settings.epochs - settings.vote_epochs:
        _vote(state, cells, test, settings, keep_voters=keep_voters)
    state.epoch = epoch
    seconds = time.perf_counter() - started
    state.history.append(EpochRecord(epoch, loss, accuracy, seconds))
    return state.history[-1]


def _diverged(when: str, what: str) -> DivergedError:
    return DivergedError(
        when, f"the {what} became infinite or not a number", "lower learning_rate"
    )


def held_out_vote(state: FitState) -> HeldOutScores:
    """Return the mean of the last epochs' held-out scores, and how far they differ."""
    return average(state.votes)


def mixed(settings: NetworkSettings, device: torch.device) -> torch.autocast:
    """Return the context in which a network is called, by ``settings.precision``."""
    # Each weight is used once a step: a cache of short ones would only outlive a graph.
    return torch.autocast(
        device.type,
        torch.bfloat16,
        enabled=settings.precision == "bf16",
        cache_enabled=False,
    )


def _run_epoch(
    state: FitState,
    cells: ResidentCells,
    plan: EpochPlan,
    settings: NetworkSettings,
    should_stop: Callable[[], bool],
) -> Generator[Progress, None, Tensor]:
    """Take one pass; return the sums, (2,) float64, of losses and right answers."""
    state.network.train()
    sums = torch.zeros(2, device=cells.device, dtype=torch.float64)
    told, done = time.perf_counter(), 0
    on_cpu = cells.device.type == "cpu"
    steps = math.ceil(len(plan) / settings.batch_size)
    for number, batch in enumerate(plan.batches(settings.batch_size)):
        if should_stop():
            raise interrupted()
        sums += _accumulate(state, cells, batch, settings)
        if on_cpu and not torch.isfinite(sums[0]):
            raise _diverged(f"epoch {state.epoch + 1}, step {number + 1}", "loss")
        step = state.epoch * steps + number
        _step(state, settings, rate_at(settings, step, settings.epochs * steps))
        _average(state, settings, step)
        done += len(batch)
        if time.perf_counter() - told > PROGRESS_SECONDS:
            told = time.perf_counter()
            yield Progress(state.epoch + 1, done / len(plan))
    return sums


def _accumulate(
    state: FitState,
    cells: ResidentCells,
    batch: EpochPlan,
    settings: NetworkSettings,
) -> Tensor:
    """Leave the mean gradient of a batch; return its summed loss and right answers.

    On a CPU the batch is taken in pieces that fit its caches, on a GPU in pieces that
    fit its memory: without normalisation layers the sum of their gradients is that of
    the whole batch, to rounding. Images that are mixed need their partners, and stay
    together.
    """
    size = len(batch)
    divisible = batch.mixing is None and not needs_whole_batches(settings)
    if divisible:
        on_cpu = cells.device.type == "cpu"
        size = min(size, state.piece or (_MICRO_BATCH_CPU if on_cpu else size))
    while True:
        try:
            return _accumulate_pieces(state.network, cells, batch, settings, size)
        except torch.OutOfMemoryError:
            if size == 1 or not divisible:
                raise
        size = state.piece = (size + 1) // 2


def _accumulate_pieces(
    network: nn.Module,
    cells: ResidentCells,
    batch: EpochPlan,
    settings: NetworkSettings,
    size: int,
) -> Tensor:
    network.zero_grad(set_to_none=True)
    dtype = next(network.parameters()).dtype
    sums = torch.zeros(2, device=cells.device, dtype=torch.float64)
    for some in batch.batches(size):
        images = cells.images.index_select(0, some.rows)
        images = change(images, some.changes, settings.augmentation)
        if some.warps is not None:
            images = warp(images, some.warps)
        its = cells.patterns.index_select(0, some.rows)
        wide = network_input(images, settings.normalisation, dtype)
        if some.mixing is not None:
            wide = mix(wide, some.mixing)
        with mixed(settings, cells.device):
            logits = network(wide)
            loss = mixed_loss(logits, its, some.mixing, settings.label_smoothing)
        (loss / len(batch)).backward()  # type: ignore[no-untyped-call]
        right = (logits.detach().argmax(1) == its).sum()
        sums += torch.stack([loss.detach().double(), right.double()])
    return sums


def _average(state: FitState, settings: NetworkSettings, step: int) -> None:
    """Bring the running mean of the weights nearer to the weights.

    It starts short, as many steps as were taken, so that it forgets the beginning.
    """
    if state.average is None:
        return
    kept = min(settings.weight_average, (1 + step) / (10 + step))
    with torch.no_grad():
        means = list(state.average.state_dict().values())
        now = list(state.network.state_dict().values())
        torch._foreach_lerp_(means, now, 1 - kept)


def _step(state: FitState, settings: NetworkSettings, rate: float) -> None:
    fitted = [
        (parameter, parameter.grad, momentum)
        for parameter, momentum in zip(
            state.network.parameters(), state.momenta, strict=True
        )
        if parameter.grad is not None
    ]
    parameters, gradients, momenta = map(list, zip(*fitted, strict=True))
    descend(parameters, gradients, momenta, settings, rate)


def _vote(
    state: FitState,
    cells: ResidentCells,
    test: Rows | None,
    settings: NetworkSettings,
    *,
    keep_voters: bool,
) -> None:
    voter = state.voter.eval()
    if test is not None:
        rows = torch.from_numpy(test).to(cells.device)
        views = settings.test_views
        scores = score(voter, cells.images, settings.normalisation, rows, views)
        if not np.isfinite(scores).all():
            raise _diverged(f"epoch {state.epoch + 1}", "held-out scores")
        state.votes.append(scores)
    if keep_voters:
        weights = voter.state_dict()
        state.voters.append({k: v.detach().cpu().clone() for k, v in weights.items()})
