"""Networks as narrow as settings allow, with channels last, on an older processor.

oneDNN 3.12 writes outside its memory where a strided 1 x 1 convolution of fewer than
eight maps is differentiated with channels last on a processor without AVX-512.
"""

import json
import os
import subprocess
import sys
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


@pytest.mark.parametrize("name", NARROW)
def test_gradients_are_those_of_contiguous_memory(name):
    """In a process of its own, with oneDNN held to AVX2."""
    settings = [some.model_dump_json() for some in NARROW[name]]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *settings],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    distances = json.loads(done.stdout)
    assert len(distances) == len(settings)
    assert max(distances) < ROUNDING


@pytest.mark.parametrize("name", NARROW)
def test_no_convolution_skips_pixels(name):
    """A stride above the kernel's side is what is written wrongly."""
    for module in blank_network(NARROW[name][0], 6).modules():
        if isinstance(module, nn.Conv2d):
            assert all(
                stride <= side
                for stride, side in zip(module.stride, module.kernel_size, strict=True)
            )
