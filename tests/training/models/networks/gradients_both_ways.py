"""Gradients of networks, channels last against contiguous, as a program.

``gradients_both_ways.py SETTINGS...`` takes settings as JSON and prints a line for
each: the largest distance of a gradient with channels last from the contiguous one, as
a share of its norm. Each has a process of its own, as a write outside memory ends it:
then there is no line, but the code with which it ended.
"""

import os
import sys

import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional

from training.config import NetworkSettings
from training.config.classifiers import AnyNetworkSettings
from training.models.networks.architectures import build_network

IMAGES, TIMES = 16, 3


def gradient(settings: NetworkSettings, layout: torch.memory_format) -> Tensor:
    """Return the gradient of all weights at the first step, (n,) float32."""
    generator = torch.Generator().manual_seed(1)
    network = build_network(settings, 6, generator).to(memory_format=layout).train()
    size = settings.input_size
    images = torch.rand(IMAGES, 1, size, size, generator=generator)
    logits = network(images.contiguous(memory_format=layout))
    functional.cross_entropy(logits, torch.arange(IMAGES) % 6).backward()
    return torch.cat([p.grad.contiguous().flatten() for p in network.parameters()])


def distance(settings: NetworkSettings) -> float:
    """Return how far channels last is from contiguous in the worst of a few tries."""
    expected = gradient(settings, torch.contiguous_format)
    tries = [gradient(settings, torch.channels_last) for _ in range(TIMES)]
    return max(float((some - expected).norm() / expected.norm()) for some in tries)


def in_a_process(text: str) -> str:
    """Return what is printed of settings: the distance, or ``ended with CODE``."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        settings = TypeAdapter(AnyNetworkSettings).validate_json(text)
        os.write(writing, str(distance(settings)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"ended with {code}" if code else found


if __name__ == "__main__":
    torch.set_num_threads(1)
    for text in sys.argv[1:]:
        print(in_a_process(text))
