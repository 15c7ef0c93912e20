"""Folds side by side: the same numbers, and on a GPU how much they gain.

    python tests/benchmarks/folds.py
    python tests/benchmarks/folds.py --variants        a table of every way, as Markdown
    python tests/benchmarks/folds.py --variants --device cpu --width 0.05 --batch 16

The first figures need no GPU: a few steps of three folds, together and one at a time.
The others are of a whole study, set-1 over 83 folds and 50 epochs by the paper's
network at 0.29 of its width, told from some seconds of it. Its memory floor is the time
that the device takes to move, at the speed of its own copies, what one kernel after the
other reads and writes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from side_by_side import Row, frame, print_rows
from torch import Tensor, nn
from torch.utils.data import DataLoader
from training_step import SETTINGS, Peer, write_cells

from training.config import ExtractionSettings, PaperNetworkSettings
from training.data.cells.cell_set import pack_images
from training.data.cells.extraction import extract_cells
from training.models.base import EpochRecord
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import begin, fit
from training.models.networks.paper_network import PaperNetwork
from training.models.networks.parallel_folds import FoldGroup, Member
from training.splits.samples import Samples

IMAGE_STEPS = 55_700_000
"""Training images met by set-1: 83 folds of 50 epochs."""

CELLS = 2000
SIZES = (1, 2, 4, 8)
_SECONDS = 4.0
_NONE = "not measured: no GPU"


def largest_difference(dtype: torch.dtype) -> float:
    """Return how far weights are apart after five steps, together and alone.

    A batch is small enough to be taken whole on a CPU: pieces round differently.
    """
    settings = PaperNetworkSettings(width=0.25, batch_size=20, epochs=9, vote_epochs=1)
    crops = np.resize(
        extract_cells(*frame(), ExtractionSettings()).crops, (300, 77, 77)
    )
    patterns = np.arange(300) % 6
    cells = ResidentCells.place(pack_images(crops, 60), patterns, torch.device("cpu"))

    def members() -> list[Member]:
        made = []
        for seed, held in enumerate((200, 205, 210)):
            state = begin(settings, 6, seed)
            state.network.to(dtype)
            state.momenta = [momentum.to(dtype) for momentum in state.momenta]
            train = Samples.plain(np.arange(held, 300))
            made.append(Member(state, train, np.arange(held), seed))
        return made

    group = FoldGroup(settings, cells, 6, 3, dtype)
    together, alone = members(), members()
    steps = group.fit(together)
    while not all(member.state.epoch for member in together):
        next(steps)
    apart = 0.0
    for one, other in zip(together, alone, strict=True):
        next(fit(other.state, cells, other.train, settings, seed=other.seed))
        mine, its = one.state.network.state_dict(), other.state.network.state_dict()
        apart = max(apart, *(float((mine[k] - its[k]).abs().max()) for k in its))
    return apart


def noise(device: torch.device) -> ResidentCells:
    """Return cells of noise on a device."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (CELLS, 60, 60), np.uint8)
    return ResidentCells.place(images, rng.integers(0, 6, CELLS), device)


def speed(epochs: Callable[[], object], images: int, device: torch.device) -> float:
    """Return images per second of what trains on so many at each call."""
    epochs()
    wait(device)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < _SECONDS:
        epochs()
        wait(device)
        done += images
    return done / (time.perf_counter() - started)


def wait(device: torch.device) -> None:
    """Wait until a device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def eager(
    settings: PaperNetworkSettings, cells: ResidentCells, compiled: bool = False
) -> float:
    """Return images per second of one fold at a time."""
    state = begin(settings, 6, 0)
    if compiled:
        state.network.compile()
    steps = fit(state, cells, Samples.plain(np.arange(CELLS)), settings, seed=0)
    epochs = (step for step in steps if isinstance(step, EpochRecord))
    return speed(lambda: next(epochs), CELLS, cells.device)


def grouped(settings: PaperNetworkSettings, cells: ResidentCells, size: int) -> float:
    """Return images per second of so many folds side by side."""
    rows = np.arange(CELLS)
    members = [
        Member(begin(settings, 6, seed), Samples.plain(rows), rows[:10], seed)
        for seed in range(size)
    ]
    steps = FoldGroup(settings, cells, 6, size).fit(members)
    epochs = (step for _, step in steps if isinstance(step, EpochRecord))
    return speed(lambda: [next(epochs) for _ in members], size * CELLS, cells.device)


class PeerOnDevice(Peer):
    """The script of `training_step` with its network on a device."""

    def on(self, device: torch.device) -> PeerOnDevice:
        """Move to a device; four processes read, as is usual with a GPU."""
        self.device = device
        self.network.to(device)
        if device.type == "cuda":
            self.loader = DataLoader(
                self.loader.dataset,
                SETTINGS.batch_size,
                shuffle=True,
                num_workers=4,
                persistent_workers=True,
                pin_memory=True,
            )
        return self

    def step(self, images: Tensor, patterns: Tensor) -> None:
        """Take one step."""
        super().step(images.to(self.device), patterns.to(self.device))


def scripted(device: torch.device) -> float:
    """Return images per second of the script, whose network is always the same."""
    with tempfile.TemporaryDirectory() as folder:
        files, _ = write_cells(Path(folder))
        weights = dict(begin(SETTINGS, 6, 0).network.named_parameters())
        peer = PeerOnDevice(files, weights).on(device)
        return speed(peer.epoch, len(files), device)


def bytes_an_image(settings: PaperNetworkSettings, item: int) -> float:
    """Return what a training step moves for an image where each kernel is alone.

    A convolution reads its input and writes its output, and does as much again for
    each of its two gradients. A rectifier in place reads and writes its map, and in the
    gradient reads two and writes one. A pool writes places, 8 bytes each, too.
    """
    moved = 0.0

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        came, went = inputs[0].numel(), output.numel()
        if isinstance(module, nn.Conv2d):
            moved += 3 * (came + went) * item
        elif isinstance(module, nn.ReLU):
            moved += 5 * went * item
        elif isinstance(module, nn.MaxPool2d):
            moved += 2 * (came + went) * item + 2 * went * 8

    network = PaperNetwork(settings, 6, torch.Generator().manual_seed(0))
    hooks = [module.register_forward_hook(note) for module in network.modules()]
    side = settings.input_size
    network(torch.zeros(1, 1, side, side))
    for hook in hooks:
        hook.remove()
    return moved


def bandwidth(device: torch.device) -> float:
    """Return bytes per second, read and written, of copies on a device."""
    size = 2**30 if device.type == "cuda" else 2**27
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * speed(lambda: target.copy_(source), size, device)


def memory_of_more_folds(settings: PaperNetworkSettings, cells: ResidentCells) -> float:
    """Return MB of the device that three more groups of folds take beyond the first."""
    rows, short = np.arange(CELLS), settings.model_copy(update={"epochs": 1})
    group = FoldGroup(short, cells, 6, 4)
    peaks = []
    for first in range(0, 16, 4):
        members = [
            Member(begin(short, 6, seed), Samples.plain(rows), rows[:10], seed)
            for seed in range(first, first + 4)
        ]
        list(group.fit(members))
        peaks.append(torch.cuda.max_memory_reserved(cells.device) / 1e6)
    return peaks[-1] - peaks[0]


@dataclass(frozen=True)
class Variant:
    """One way to train, and its images per second."""

    name: str
    precision: str
    images_per_second: float
    floor: float

    @property
    def study(self) -> float:
        """Seconds of the whole study."""
        return IMAGE_STEPS / self.images_per_second


def variants(settings: PaperNetworkSettings, device: torch.device) -> Iterator[Variant]:
    """Measure every way in turn, each in float32 and bf16."""
    cells, moved = noise(device), bandwidth(device)
    for precision, item in (("float32", 4), ("bf16", 2)):
        recipe = settings.model_copy(update={"precision": precision})
        floor = IMAGE_STEPS * bytes_an_image(recipe, item) / moved

        def made(name: str, found: float) -> Variant:
            return Variant(name, precision, found, floor)  # noqa: B023 - used at once

        yield made("one fold, eager", eager(recipe, cells))
        small = recipe.model_copy(update={"batch_size": settings.batch_size // 8})
        yield made("one fold, eager, an eighth of the batch", eager(small, cells))
        if device.type == "cuda":
            yield made("one fold, compiled", eager(recipe, cells, compiled=True))
        for size in SIZES:
            yield made(f"{size} side by side", grouped(recipe, cells, size))


def print_variants(settings: PaperNetworkSettings, device: torch.device) -> None:
    """Print a Markdown table of every way."""
    name = "this CPU"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    print(f"On {name}, torch {torch.__version__}, {CELLS} cells of noise an epoch.\n")
    print("| way | numbers | images/s | the study, s | x its memory floor |")
    print("|---|---|---|---|---|")
    print(f"| PIL + DataLoader script | float32 | {scripted(device):,.0f} | | |")
    for one in variants(settings, device):
        print(
            f"| {one.name} | {one.precision} | {one.images_per_second:,.0f} | "
            f"{one.study:,.0f} | {one.study / one.floor:.2f} |",
            flush=True,
        )


def gpu_rows() -> Iterator[Row]:
    """Yield what needs a GPU; without one, rows that say so."""
    study = "a whole LOSO study of set-1 on the GPU"
    against_floor = f"{study}, against its memory floor"
    against_script = f"{study}, against a script of PIL + DataLoader"
    memory = "memory on the GPU that 12 more folds take"
    if not torch.cuda.is_available():
        yield Row(against_floor, None, "at most", 2, "x", note=_NONE)
        yield Row(against_script, None, "at least", 10, "x", note=_NONE)
        yield Row(memory, None, "at most", 50, "MB", note=_NONE)
        return
    device = torch.device("cuda")
    settings = SETTINGS.model_copy(update={"precision": "bf16"})
    cells = noise(device)
    best = max(grouped(settings, cells, size) for size in (4, 8))
    floor = IMAGE_STEPS * bytes_an_image(settings, 2) / bandwidth(device)
    ours, theirs = IMAGE_STEPS / best, IMAGE_STEPS / scripted(device)
    name = torch.cuda.get_device_name(device)
    yield Row(against_floor, ours / floor, "at most", 2, "x", floor, ours, name)
    yield Row(against_script, theirs / ours, "at least", 10, "x", theirs, ours, name)
    more = memory_of_more_folds(settings, cells)
    yield Row(memory, more, "at most", 50, "MB", note=name)


def rows() -> Iterator[Row]:
    """Yield the figures as rows of the table."""
    for dtype, bound in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        name = str(dtype).removeprefix("torch.")
        yield Row(
            f"folds side by side: largest difference of a weight, {name}",
            largest_difference(dtype),
            "at most",
            bound,
            "",
            note="three folds, five steps, against one at a time",
        )
    yield from gpu_rows()


def main() -> None:
    """Print rows, or with ``--variants`` the table of every way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--width", type=float, default=SETTINGS.width)
    parser.add_argument("--batch", type=int, default=SETTINGS.batch_size)
    given = parser.parse_args()
    if not given.variants:
        print_rows(rows())
        return
    changed = {"width": given.width, "batch_size": given.batch}
    print_variants(SETTINGS.model_copy(update=changed), torch.device(given.device))


if __name__ == "__main__":
    main()
