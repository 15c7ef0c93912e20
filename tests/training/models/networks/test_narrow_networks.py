"""Networks as narrow as settings allow, with channels last, on an older processor.

oneDNN 3.12 writes outside its memory where a strided 1 x 1 convolution of fewer than
eight maps is differentiated with channels last on a processor without AVX-512.
"""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from torch import nn

from training.config import (
    ImageNetSettings,
    LeNetSettings,
    PaperNetworkSettings,
    RadialNetworkSettings,
)
from training.models.networks.architectures import blank_network

PROGRAM = Path(__file__).with_name("gradients_both_ways.py")
NARROW = {
    "radial-network": [
        RadialNetworkSettings(width=width, input_size=32)
        for width in (0.001, 0.1, 0.2, 0.4)
    ],
    "paper-network": [
        PaperNetworkSettings(width=width, input_size=32, batch_norm=norm)
        for width in (0.001, 0.02, 0.04)
        for norm in (False, True)
    ],
    "lenet": [LeNetSettings(input_size=42)],
    "imagenet": [ImageNetSettings(weights="random", input_size=64)],
}
"""The smallest widths and inputs of each architecture."""

ROUNDING = 0.01
"""A share of the gradient's norm: up to 8e-4 was seen where rounding turns a unit on
or off; what is written to a wrong place is as large as the gradient itself."""


@pytest.fixture(scope="module")
def distances():
    """What the program finds with oneDNN held to AVX2, by name."""
    settings = [(name, some) for name, group in NARROW.items() for some in group]
    done = subprocess.run(
        [
            sys.executable,
            str(PROGRAM),
            *(some.model_dump_json() for _, some in settings),
        ],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = defaultdict(list)
    for (name, _), line in zip(settings, done.stdout.splitlines(), strict=True):
        found[name].append(line)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
@pytest.mark.parametrize("name", NARROW)
def test_gradients_are_those_of_contiguous_memory(name, distances):
    ended = [line for line in distances[name] if line.startswith("ended")]
    assert ended == []
    assert max(map(float, distances[name])) < ROUNDING


@pytest.mark.parametrize("name", NARROW)
def test_no_convolution_skips_pixels(name):
    """A stride above the kernel's side is what is written wrongly."""
    for module in blank_network(NARROW[name][0], 6).modules():
        if isinstance(module, nn.Conv2d):
            assert all(
                stride <= side
                for stride, side in zip(module.stride, module.kernel_size, strict=True)
            )
