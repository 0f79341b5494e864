"""Ctrl-C is noted once, then means what it meant before."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ns4d.errors import TrainingError
from ns4d.train import train
from ns4d.train.interrupt import Interrupt
from train.tiny import tiny_dataset, tiny_recipe

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def handlers() -> list:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.fixture(autouse=True)
def _handlers_stay():
    before = handlers()
    yield
    assert handlers() == before
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def test_nothing_is_requested_by_itself():
    with Interrupt() as interrupt:
        assert not interrupt.requested


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_noted(number):
    with Interrupt() as interrupt:
        send(number)
        assert interrupt.requested


def test_the_second_acts_as_before():
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        send(signal.SIGINT)
        assert interrupt.requested
        send(signal.SIGINT)


def test_handlers_are_restored_after_the_first_already():
    before = handlers()
    with Interrupt():
        assert handlers() != before
        send(signal.SIGTERM)
        assert handlers() == before


def test_handlers_are_restored_after_an_error():
    with pytest.raises(ValueError, match="from inside"), Interrupt():
        raise ValueError("from inside")


def test_another_handler_gets_its_turn_back():
    seen = []
    original = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with Interrupt():
            send(signal.SIGINT)
            assert not seen
        send(signal.SIGINT)
        assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, original)


def test_a_training_restores_them(tmp_path):
    def stop(tokens, generator):
        send(signal.SIGINT)
        return tokens

    with pytest.raises(TrainingError, match=r"an interrupt after step 1\. Everything is saved"):
        train(tiny_recipe(), tiny_dataset(), tmp_path, hooks=[stop], show=False)


def test_a_training_runs_outside_the_main_thread(tmp_path):
    """Where no handler may be set."""
    results = []

    def work():
        before = handlers()
        results.append(train(tiny_recipe(), tiny_dataset(), tmp_path, show=False))
        assert handlers() == before

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0].progress.step == 15
