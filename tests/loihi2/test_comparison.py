"""The rows of the paper, and the same quantities of a simulation and of a measurement."""

from __future__ import annotations

import pytest

from loihi2_works import random_work
from ns4d.loihi2.comparison import (
    ITEM_OF,
    PAPER_ROWS,
    Item,
    Row,
    exact,
    measured,
    published_for,
    simulated,
)
from ns4d.loihi2.estimate import Span, estimate
from ns4d.loihi2.mode import Mode


@pytest.mark.parametrize("row", PAPER_ROWS, ids=lambda row: row.name)
def test_printed_rates_follow_from_printed_latencies(row: Row) -> None:
    """But for the pipeline, whose samples overlap, and for batches, which end together."""
    together = 64 if row.name.endswith("batch 64") else 1
    rate = together / row.latency_s.value
    tolerance = 0.02 if row is published_for(Mode.PIPELINED) else 0.01
    assert row.per_s.value == pytest.approx(rate, rel=tolerance)


def test_the_pipeline_drains_behind_a_sample_but_not_between_samples() -> None:
    """12.74 ms are 78.5 samples/s, not the 80 in print; without the 14 steps of drain, 79.6."""
    row = published_for(Mode.PIPELINED)
    step_s = row.latency_s.value / (1024 + 14)
    assert round(1 / row.latency_s.value) == 78
    assert round(1 / (1024 * step_s)) == row.per_s.value == 80


def test_every_mode_has_its_published_row() -> None:
    for mode in Mode:
        row = published_for(mode)
        assert row.item is ITEM_OF[mode]
        assert row.origin == "published"


def test_energy_delay_is_of_one_item() -> None:
    row = published_for(Mode.FALL_THROUGH)
    assert row.energy_delay_js == exact(16e-6 * 66e-6)
    wide = Row("x", Item.TOKEN, "simulated", Span(2.0, 1.0, 4.0), Span(3.0, 2.0, 5.0), exact(1.0))
    assert wide.energy_delay_js == Span(6.0, 2.0, 20.0)


def test_the_ratios_of_the_paper() -> None:
    """Loihi 2 against the GPU, token by token: 75 times faster, 1000 times less energy."""
    loihi, gpu = (row for row in PAPER_ROWS if row.item is Item.TOKEN)
    assert gpu.latency_s.value / loihi.latency_s.value == pytest.approx(75, abs=1)
    assert loihi.energy_j is not None
    assert gpu.energy_j is not None
    assert gpu.energy_j.value / loihi.energy_j.value == pytest.approx(1007, abs=1)


@pytest.mark.parametrize("board", [False, True])
def test_fall_through_counts_tokens(board: bool) -> None:
    found = estimate(random_work(0, tokens=6), Mode.FALL_THROUGH)
    row = simulated(found, board)
    assert row.item is Item.TOKEN
    assert row.latency_s == found.token_s
    assert row.per_s == found.token_s.inverse
    assert row.energy_j == (found.board_token_j if board else found.token_j)
    assert row.name.endswith("boards") == board


@pytest.mark.parametrize("board", [False, True])
def test_pipelined_counts_samples(board: bool) -> None:
    found = estimate(random_work(0, tokens=20), Mode.PIPELINED)
    row = simulated(found, board)
    assert row.item is Item.SAMPLE
    assert row.latency_s == found.latency_s
    assert row.per_s.value == pytest.approx(1 / (20 * found.token_s.value))
    # The next sample enters before this one has left.
    assert row.per_s.value > 1 / row.latency_s.value
    assert row.energy_j == (found.board_sample_j if board else found.sample_j)


def test_a_measured_machine_has_no_energy() -> None:
    row = measured("this CPU", Item.TOKEN, 2e-6, 5e5)
    assert row.energy_j is None
    assert row.energy_delay_js is None
    assert (row.latency_s.value, row.per_s.value, row.origin) == (2e-6, 5e5, "measured")
