"""This machine's rows: what is timed, per what, and that it computes what it should."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ns4d.bench import loihi2_cpu
from ns4d.bench.loihi2_cpu import cpu_rows
from ns4d.loihi2.comparison import Item
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(0), channels=6, modes=4, layers=1, inputs=2)
TOKENS = np.random.default_rng(1).integers(-900, 900, (25, 2))


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work."""
    monkeypatch.setattr(loihi2_cpu, "TOKENS", 30)
    monkeypatch.setattr(loihi2_cpu, "BATCH", 3)


def test_tokens_and_samples_are_timed() -> None:
    token, sample, batch = cpu_rows(PROGRAM, TOKENS, rounds=1)
    assert [row.item for row in (token, sample, batch)] == [Item.TOKEN, Item.SAMPLE, Item.SAMPLE]
    assert [row.name for row in (token, sample, batch)] == [
        "this CPU",
        "this CPU, batch 1",
        "this CPU, batch 3",
    ]


def test_rates_follow_from_times() -> None:
    token, sample, batch = cpu_rows(PROGRAM, TOKENS, rounds=2)
    assert token.per_s.value == pytest.approx(1 / token.latency_s.value)
    assert sample.per_s.value == pytest.approx(1 / sample.latency_s.value)
    assert batch.per_s.value == pytest.approx(3 / batch.latency_s.value)


def test_energy_is_not_guessed() -> None:
    for row in cpu_rows(PROGRAM, TOKENS, rounds=1):
        assert row.energy_j is None
        assert row.energy_delay_js is None
        assert row.origin == "measured"


def test_the_best_of_several_rounds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else the machine does only adds to a time; the first call may compile."""
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(loihi2_cpu, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    calls: list[int] = []
    assert loihi2_cpu._best(lambda: calls.append(1), 3) == 2.0
    assert len(calls) == 4
