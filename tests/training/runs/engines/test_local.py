"""Folds in worker processes of this machine."""

import multiprocessing
import signal
from multiprocessing import resource_tracker
from types import SimpleNamespace

import pytest
import torch

from training.config import PaperNetworkSettings
from training.runs.engines import local


@pytest.mark.skipif(
    not hasattr(signal, "pthread_sigmask"), reason="Windows masks no signals"
)
def test_an_interrupt_of_the_terminal_reaches_not_even_the_first_worker():
    resource_tracker._resource_tracker._stop()
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    with local._deaf_to_interrupts():
        process = context.Process(target=_send_blocked_signals, args=(send,))
        process.start()
    assert signal.SIGINT in receive.recv()
    process.join(30)
    assert signal.SIGINT not in _blocked_signals()


def _send_blocked_signals(pipe) -> None:
    pipe.send(_blocked_signals())


def _blocked_signals() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_fold_in_this_process_has_one_thread_and_gives_it_back(monkeypatch):
    """So that one worker gives the bits of several, whatever the machine's cores."""
    seen = []

    def train(*_given):
        seen.append(torch.get_num_threads())
        yield {"kind": "fold-done"}

    monkeypatch.setattr(local, "bind", lambda _task: (None, None))
    monkeypatch.setattr(local, "train_folds", train)
    task = SimpleNamespace(device="cpu", classifier=PaperNetworkSettings())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert len(list(local.run_tasks([task], 1))) == 1
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
