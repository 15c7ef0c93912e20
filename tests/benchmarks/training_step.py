"""How much faster a fold trains than by a script of PIL, a DataLoader and a plain loop.

    OMP_NUM_THREADS=1 python tests/benchmarks/training_step.py

Both train the paper's network from the same weights on the same cells, turned at
random, at a width that costs 374 million operations a training image; the script reads
its cells as files, the product holds them packed. One thread, CPU time, turns taken in
one run. Then the input alone, and the share that a step reaches of the speed of large
matrix products.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from side_by_side import Row, frame, in_turn, print_rows
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from training.config import ExtractionSettings, PaperNetworkSettings
from training.data.cells.cell_set import pack_images
from training.data.cells.extraction import extract_cells
from training.models.augmentation import VIEWS, change, normalise, turn
from training.models.networks.devices import ResidentCells
from training.models.networks.epoch_plan import plan_epoch
from training.models.networks.loop import FitState, begin, fit
from training.models.networks.scoring import network_input
from training.splits.samples import Samples

Array = npt.NDArray[Any]

CELLS = 400
SETTINGS = PaperNetworkSettings(
    width=0.29, augmentation="d4", epochs=1000, vote_epochs=1
)
_SQUARE = 2048
_SIDE = SETTINGS.input_size
_CHANNELS = ((56, 46, 28), (56, 56, 56), (56, 56, 56))
_KERNELS = (5, 5, 3)


class CellFiles(Dataset[tuple[Tensor, int]]):
    """Cells as PNG files, each read, resized and turned when it is asked for."""

    def __init__(self, files: Sequence[Path], patterns: Array) -> None:
        self.files, self.patterns = files, patterns
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = Image.open(self.files[row]).resize((_SIDE, _SIDE))
        view = int(self.rng.integers(VIEWS))
        pixels = np.rot90(np.asarray(image), view % 4)
        if view > 3:
            pixels = np.fliplr(pixels)
        scaled = np.ascontiguousarray(pixels, np.float32) / 255
        return torch.from_numpy(scaled)[None], int(self.patterns[row])


def plain_network() -> nn.Sequential:
    """Return the network as it is usually written: the rectifier, then the pool."""
    layers: list[nn.Module] = []
    channels, side = 1, _SIDE
    for widths, kernel in zip(_CHANNELS, _KERNELS, strict=True):
        for outputs, size in zip(widths, (kernel, 1, 1), strict=True):
            layers += [
                nn.Conv2d(channels, outputs, size, padding=size // 2),
                nn.ReLU(inplace=True),
            ]
            channels = outputs
        layers.append(nn.MaxPool2d(3, 2))
        side = (side - 3) // 2 + 1
    return nn.Sequential(*layers, nn.Conv2d(channels, 6, side), nn.Flatten())


class Peer:
    """The script: a DataLoader, cross entropy, ``torch.optim.SGD``."""

    def __init__(self, cells: CellFiles, weights: dict[str, Tensor]) -> None:
        self.loader = DataLoader(cells, SETTINGS.batch_size, shuffle=True)
        self.network = plain_network()
        for parameter, its in zip(
            self.network.parameters(), weights.values(), strict=True
        ):
            parameter.data.copy_(its)
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            SETTINGS.learning_rate,
            momentum=SETTINGS.momentum,
            weight_decay=SETTINGS.weight_decay,
        )

    def epoch(self) -> None:
        """Train on each cell once."""
        for images, patterns in self.loader:
            self.step(images, patterns)

    def step(self, images: Tensor, patterns: Tensor) -> None:
        """Take one step."""
        self.optimiser.zero_grad()
        nn.functional.cross_entropy(self.network(images), patterns).backward()
        self.optimiser.step()


def write_cells(folder: Path) -> tuple[CellFiles, ResidentCells]:
    """Return simulated cells of 77 x 77 pixels as files, and packed."""
    cells = extract_cells(*frame(), ExtractionSettings()).crops
    crops = np.resize(cells, (CELLS, *cells.shape[1:]))
    patterns = np.arange(CELLS) % 6
    files = [folder / f"{row:05d}.png" for row in range(CELLS)]
    for file, crop in zip(files, crops, strict=True):
        Image.fromarray(crop).save(file)
    packed = pack_images(crops, _SIDE)
    resident = ResidentCells.place(packed, patterns, torch.device("cpu"))
    return CellFiles(files, patterns), resident


def same_step(
    peer: Peer,
    state: FitState,
    resident: ResidentCells,
    cells: int = SETTINGS.batch_size,
) -> None:
    """Take one step of both on the same batch of so many cells.

    Raises
    ------
    AssertionError
        If a weight differs by more than 1e-5.
    """
    plain = SETTINGS.model_copy(update={"augmentation": "none"})
    rows = np.arange(cells)
    next(fit(state, resident, Samples.plain(rows), plain, seed=0))
    images = normalise(resident.images[rows], "none")
    peer.step(images, resident.patterns[rows])
    for one, other in zip(
        peer.network.parameters(), state.network.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def our_input(resident: ResidentCells) -> None:
    """Make the input of one epoch."""
    plan = plan_epoch(Samples.plain(np.arange(CELLS)), SETTINGS, seed=0)
    for batch in plan.batches(SETTINGS.batch_size):
        images = resident.images.index_select(0, batch.rows)
        network_input(change(images, batch.changes, "d4"), SETTINGS.normalisation)


def check_views(resident: ResidentCells) -> None:
    """Turn cells in all views.

    Raises
    ------
    AssertionError
        If a pixel differs from numpy's rotation or mirror.
    """
    for view in range(VIEWS):
        turned = turn(resident.images, torch.full((CELLS,), view)).numpy()
        images = resident.images.numpy()
        mirrored = images[:, :, ::-1] if view > 3 else images
        np.testing.assert_array_equal(turned, np.rot90(mirrored, view % 4, (1, 2)))


def measure() -> dict[str, float]:
    """Return seconds an epoch of each, the ratios, and the share of sgemm's speed."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files, resident = write_cells(Path(folder))
        check_views(resident)
        state = begin(SETTINGS, 6, 0)
        peer = Peer(files, dict(state.network.named_parameters()))
        same_step(peer, state, resident)
        epochs = fit(state, resident, Samples.plain(np.arange(CELLS)), SETTINGS, seed=0)
        square, product = torch.rand(2, _SQUARE, _SQUARE)
        factors, result = square.numpy(), product.numpy()
        theirs, ours, *sgemm = in_turn(
            peer.epoch,
            lambda: next(epochs),
            lambda: torch.mm(square, square, out=product),
            lambda: np.matmul(factors, factors, out=result),
            rounds=4,
        )
        loading, making = in_turn(
            lambda: list(peer.loader), lambda: our_input(resident), rounds=10
        )
    reached = count_operations(peer.network) * CELLS / ours
    return {
        "peer": theirs,
        "ours": ours,
        "peer_input": loading,
        "our_input": making,
        "sgemm_share": 100 * reached / (2 * _SQUARE**3 / min(sgemm)),
    }


def count_operations(network: nn.Module) -> float:
    """Return the floating-point operations of a training step, for one image."""
    images = torch.zeros(8, 1, _SIDE, _SIDE)
    with FlopCounterMode(display=False) as counter:
        network(images).sum().backward()
    return counter.get_total_flops() / len(images)


def rows() -> Iterator[Row]:
    """Yield the figures as rows of the table."""
    found = measure()
    yield Row(
        f"training: {CELLS} cells, against PIL + DataLoader, one core",
        found["peer"] / found["ours"],
        "at least",
        1.8,
        "x",
        found["peer"],
        found["ours"],
        f"{CELLS / found['ours']:.0f} images per CPU second",
    )
    yield Row(
        "training: share of the core's sgemm speed",
        found["sgemm_share"],
        "at least",
        70,
        "%",
        note="of the faster of torch's and numpy's",
    )
    yield Row(
        "input: cells read and turned, against PNG + PIL + DataLoader",
        found["peer_input"] / found["our_input"],
        "at least",
        20,
        "x",
        found["peer_input"],
        found["our_input"],
        "turned bit for bit",
    )


if __name__ == "__main__":
    print_rows(rows())
