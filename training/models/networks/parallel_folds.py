"""Several folds on one device at once, in steps that they take side by side.

One fold alone leaves a GPU idle: its eighty to a hundred kernels a step are smaller
than the time it takes to launch them. Here the steps of K folds are the branches of one
CUDA graph, which is launched as a whole. The arithmetic of each fold is that of
`training.models.networks.loop.fit`: the order of its cells, its batches and its updates
are the same, to rounding.

A graph needs the same shapes in each step. So the last batch of an epoch is filled up
with images of weight zero, and a fold that has no batch left stands still. What lies on
the device are K networks and one batch for each, however many folds there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import NetworkSettings
from training.errors import DivergedError
from training.models.augmentation import Changes, change
from training.models.base import EpochRecord, Progress
from training.models.networks.architectures import build_network, needs_whole_batches
from training.models.networks.devices import ResidentCells, place
from training.models.networks.epoch_plan import EpochPlan, plan_epoch
from training.models.networks.loop import (
    PROGRESS_SECONDS,
    FitState,
    end_epoch,
    interrupted,
    mixed,
)
from training.models.networks.scoring import network_input
from training.models.networks.sgd import descend
from training.splits.samples import Rows, Samples

Step = EpochRecord | Progress | DivergedError
"""What is told of a fold; a fault ends that fold alone."""

_WARM_UP = 3
"""Steps before a graph is recorded, in which libraries choose their kernels."""


@dataclass
class Member:
    """A fold that trains beside others.

    Attributes
    ----------
    state
        As `training.models.networks.loop.begin` or a checkpoint made it; changed in
        place.
    train, test, seed
        As in `training.models.networks.loop.fit`.
    """

    state: FitState
    train: Samples
    test: Rows
    seed: int


_PLAIN = ("schedule", "mixup", "weight_average", "label_smoothing", "test_views")
"""Settings that folds must leave alone to train side by side."""


def can_train_together(settings: NetworkSettings) -> bool:
    """Return whether folds of a network can be trained together.

    Batch normalisation would see the filling; and what the paper's recipe does not
    need (a schedule, warps, mixing, a mean of the weights) stands in no graph yet.
    """
    plain = NetworkSettings()
    if needs_whole_batches(settings) or settings.augmentation == "all":
        return False
    return all(getattr(settings, n) == getattr(plain, n) for n in _PLAIN)


class FoldGroup:
    """Room for K folds on a device, used for one group of folds after the other.

    Parameters
    ----------
    settings
        The recipe of all folds; see `can_train_together`.
    cells
        The whole cell set on the device.
    n_patterns
        Length of the vocabulary.
    size
        K.
    dtype
        Of weights and arithmetic; float64 shows what is rounding.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        cells: ResidentCells,
        n_patterns: int,
        size: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._settings = settings
        self._cells = cells
        self._dtype = dtype
        blank = _Inputs.blank((size,), settings.batch_size, dtype)
        self._inputs = blank.to(cells.device)
        self._seats = []
        for number in range(size):
            generator = torch.Generator().manual_seed(0)
            network = build_network(settings, n_patterns, generator).to(dtype)
            place(network, cells.device)
            self._seats.append(_Seat(network, self._inputs.of(number)))
        self._graph: torch.cuda.CUDAGraph | None = None

    def __len__(self) -> int:
        return len(self._seats)

    def fit(
        self,
        members: Sequence[Member],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Step]]:
        """Train folds from where they stand to their last epochs.

        Parameters
        ----------
        members
            At most K.
        should_stop
            Asked before each step.

        Yields
        ------
        number, step
            Of which member; the state of a member is true at its records, until the
            next step of any is asked for.

        Raises
        ------
        ValueError
            If there are more members than seats.
        InterruptedRunError
            If `should_stop` said so; states are then inside an epoch.
        """
        if len(members) > len(self):
            raise ValueError(f"{len(members)} folds for {len(self)} seats")
        for member, seat in zip(members, self._seats, strict=False):
            seat.take(member.state)
        going = dict(enumerate(members))
        while going := self._unfinished(going):
            started = time.perf_counter()
            yield from self._epoch(going, should_stop)
            for number, member in list(going.items()):
                try:
                    record = self._end_epoch(number, member, started)
                except DivergedError as fault:
                    del going[number]
                    yield number, fault
                else:
                    yield number, record
        for member in members:
            member.state.network.eval()

    def _unfinished(self, members: dict[int, Member]) -> dict[int, Member]:
        epochs = self._settings.epochs
        return {k: one for k, one in members.items() if one.state.epoch < epochs}

    def _epoch(
        self, going: dict[int, Member], should_stop: Callable[[], bool]
    ) -> Iterator[tuple[int, Progress]]:
        """Take one pass over the training cells of each member."""
        plans = {
            number: plan_epoch(
                member.train, self._settings, member.seed + member.state.epoch + 1
            )
            for number, member in going.items()
        }
        epoch = _Inputs.epoch(
            plans, len(self), self._settings.batch_size, self._dtype
        ).to(self._cells.device)
        for seat in self._seats:
            seat.network.train()
            seat.sums.zero_()
        told, steps = time.perf_counter(), len(epoch.live)
        for step in range(steps):
            if should_stop():
                raise interrupted()
            self._inputs.copy_(epoch, step)
            self._step()
            if time.perf_counter() - told > PROGRESS_SECONDS:
                told = time.perf_counter()
                for number, member in going.items():
                    yield number, Progress(member.state.epoch + 1, (step + 1) / steps)

    def _end_epoch(self, number: int, member: Member, started: float) -> EpochRecord:
        means = self._seats[number].sums / len(member.train)
        return end_epoch(
            member.state,
            self._cells,
            self._settings,
            means,
            started,
            test=member.test,
        )

    def _step(self) -> None:
        """Take a step with every seat."""
        if self._cells.device.type != "cuda":
            self._branches()
            return
        if self._graph is None:
            self._graph = self._record()
        self._graph.replay()

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record a step of all seats as one graph; nothing is trained by that."""
        kept = self._inputs.live.clone()
        sums = [seat.sums.clone() for seat in self._seats]
        self._inputs.live.zero_()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._branches()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._branches()
        self._inputs.live.copy_(kept)
        for seat, its in zip(self._seats, sums, strict=True):
            seat.sums.copy_(its)
        return graph

    def _branches(self) -> None:
        """Enqueue a step of every seat, each on a stream of its own where there are."""
        device = self._cells.device
        if device.type != "cuda":
            for seat in self._seats:
                seat.step(self._cells, self._settings)
            return
        trunk = torch.cuda.current_stream(device)
        for seat in self._seats:
            branch = seat.branch(device)
            branch.wait_stream(trunk)
            with torch.cuda.stream(branch):
                seat.step(self._cells, self._settings)
        for seat in self._seats:
            trunk.wait_stream(seat.branch(device))


@dataclass
class _Inputs:
    """Inputs of the seats in one step, or in all steps of an epoch, on the device.

    Attributes
    ----------
    places : (..., K, 2, B) int64
        Rows and views.
    shades : (..., K, 3, B), of the networks' dtype
        Gains, gammas and weights; a weight is one part of the real images of its
        batch, or 0.
    live : (..., K), of the networks' dtype
        0 where a seat stands still.
    """

    places: Tensor
    shades: Tensor
    live: Tensor

    @classmethod
    def blank(cls, shape: tuple[int, ...], batch: int, dtype: torch.dtype) -> _Inputs:
        """Return inputs that move nothing, of seats in a shape, on the CPU."""
        return cls(
            torch.zeros(*shape, 2, batch, dtype=torch.int64),
            torch.zeros(*shape, 3, batch, dtype=dtype),
            torch.zeros(*shape, dtype=dtype),
        )

    @classmethod
    def epoch(
        cls, plans: dict[int, EpochPlan], size: int, batch: int, dtype: torch.dtype
    ) -> _Inputs:
        """Return the inputs of all steps of an epoch, on the CPU."""
        steps = max(-(-len(plan) // batch) for plan in plans.values())
        made = cls.blank((steps, size), batch, dtype)
        for number, plan in plans.items():
            for step, part in enumerate(plan.batches(batch)):
                n = len(part)
                made.places[step, number, 0, :n] = part.rows
                made.places[step, number, 1, :n] = part.changes.views
                made.shades[step, number, 0, :n] = part.changes.gains
                made.shades[step, number, 1, :n] = part.changes.gammas
                made.shades[step, number, 2, :n] = 1 / n
                made.live[step, number] = 1
        return made

    def to(self, device: torch.device) -> _Inputs:
        """Return the inputs on a device."""
        parts = (self.places, self.shades, self.live)
        return _Inputs(*(part.to(device) for part in parts))

    def of(self, number: int) -> _Inputs:
        """Return the inputs of one seat: views, which follow what is copied here."""
        return _Inputs(self.places[number], self.shades[number], self.live[number])

    def copy_(self, epoch: _Inputs, step: int) -> None:
        """Copy the inputs of a step."""
        self.places.copy_(epoch.places[step])
        self.shades.copy_(epoch.shades[step])
        self.live.copy_(epoch.live[step])


@dataclass
class _Seat:
    """A network on the device and what it needs for a step, all at fixed places.

    Attributes
    ----------
    sums : (2,) float64
        Losses and right answers of the epoch so far.
    """

    network: nn.Module
    inputs: _Inputs
    momenta: list[Tensor] = field(init=False)
    sums: Tensor = field(init=False)
    _branch: torch.cuda.Stream | None = None

    def __post_init__(self) -> None:
        self.momenta = [torch.zeros_like(p) for p in self.network.parameters()]
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.inputs.live.device)

    def branch(self, device: torch.device) -> torch.cuda.Stream:
        """Return the stream of this seat."""
        if self._branch is None:
            self._branch = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        return self._branch

    def take(self, state: FitState) -> None:
        """Train a state from now on: its weights and momenta become this seat's."""
        self.network.load_state_dict(state.network.state_dict())
        for mine, its in zip(self.momenta, state.momenta, strict=True):
            mine.copy_(its)
        state.network, state.momenta = self.network, self.momenta

    def step(self, cells: ResidentCells, settings: NetworkSettings) -> None:
        """Do one step of gradient descent, without synchronising with the host."""
        rows, views = self.inputs.places
        gains, gammas, weights = self.inputs.shades
        changes = Changes(views, gains.float(), gammas.float())
        parameters: list[Tensor] = list(self.network.parameters())
        images = cells.images.index_select(0, rows)
        images = change(images, changes, settings.augmentation)
        truth = cells.patterns.index_select(0, rows)
        wide = network_input(images, settings.normalisation, parameters[0].dtype)
        with mixed(settings, cells.device):
            logits = self.network(wide)
            losses = functional.cross_entropy(logits, truth, reduction="none")
        gradients = torch.autograd.grad((losses * weights).sum(), parameters)
        descend(
            parameters,
            list(gradients),
            self.momenta,
            settings,
            settings.learning_rate,
            live=self.inputs.live,
        )
        with torch.no_grad():
            real = weights > 0
            right = (logits.argmax(1) == truth) & real
            self.sums += torch.stack([(losses * real).sum(), right.sum()])
