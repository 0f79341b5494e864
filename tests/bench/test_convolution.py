"""The benchmark of the convolution: all subjects compute the same; the textbook is the baseline."""

from __future__ import annotations

import pytest
import torch

from ns4d.bench import convolution
from ns4d.bench.convolution import (
    BASELINE,
    SHAPES,
    SUBJECTS,
    ConvolutionCost,
    compare_convolutions,
    convolution_table,
)
from ns4d.bench.training_step import SIZES


def test_the_layers_are_those_of_the_networks_that_are_trained():
    assert {
        name: (size.batch, size.model.channels, size.length) for name, size in SIZES.items()
    } == SHAPES
    assert SHAPES == {"small": (64, 64, 784), "large": (32, 128, 1024)}


def test_all_subjects_are_measured_and_agree():
    costs = list(compare_convolutions({"small": (3, 2, 100)}, rounds=2))
    assert [cost.subject for cost in costs] == list(SUBJECTS)
    assert all(cost.seconds > 0 and 0 < cost.error < 1e-6 for cost in costs)


def test_an_error_is_found(monkeypatch):
    """Of the worst of the three results, in what it is of the largest value."""

    def wrong(u, k, g):
        y, of_u, of_k = SUBJECTS[BASELINE](u, k, g)
        return y, of_u, of_k + of_k.abs().max() / 8

    monkeypatch.setattr(convolution, "SUBJECTS", {BASELINE: SUBJECTS[BASELINE], "wrong": wrong})
    right, off = compare_convolutions({"small": (3, 2, 100)}, rounds=1)
    assert right.error < 1e-6
    assert off.error == pytest.approx(1 / 8, rel=1e-4)


def test_every_call_is_timed_by_the_clock(monkeypatch):
    ticks = iter(range(0, 1000))
    monkeypatch.setattr(convolution.time, "perf_counter", lambda: float(next(ticks)))
    costs = compare_convolutions({"small": (1, 1, 20)}, rounds=3)
    assert {cost.seconds for cost in costs} == {1.0}


def test_ratios_are_to_the_textbook_at_the_same_layer():
    table = convolution_table(
        [
            ConvolutionCost("small", BASELINE, 0.4, 1e-7),
            ConvolutionCost("small", "ns4d, compiled", 0.1, 2e-7),
            ConvolutionCost("large", BASELINE, 0.9, 1e-7),
            ConvolutionCost("large", "ns4d, compiled", 0.3, 3e-7),
        ]
    )
    assert [row[0] for row in table.rows] == ["small 64x64x784"] * 2 + ["large 32x128x1024"] * 2
    assert [row[3] for row in table.rows] == ["1.00x", "4.00x", "1.00x", "3.00x"]
    assert table.rows[1][2:] == ("100.0", "4.00x", "2.0e-07")


def test_arguments_of_the_textbook_are_left_alone():
    u, k, g = torch.randn(2, 3, 20), torch.randn(3, 20), torch.randn(2, 3, 20)
    SUBJECTS[BASELINE](u, k, g)
    assert not u.requires_grad
    assert u.grad is None
