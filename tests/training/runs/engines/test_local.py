"""Folds in worker processes of this machine."""

import multiprocessing
import signal
from multiprocessing import resource_tracker

import pytest

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
