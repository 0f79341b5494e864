"""Observers: exact where they can be, within a bin elsewhere, the same however data are cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.errors import ConfigError
from ns4d.quantize import OBSERVERS, Maximum, MeanSquaredError, Observer, Percentile

BIN = 1 + 1 / 16


def magnitudes(seed: int, count: int = 4000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = torch.tensor([1e-6, 1.0, 300.0])[:, None]
    return (torch.randn(2, 3, count, generator=generator) * spread).abs()


def peaks(
    observer: Observer, values: torch.Tensor, parts: int = 1, largest: int = 127
) -> np.ndarray:
    tally = observer.tally(values.shape[1], largest)
    for part in values.chunk(parts, dim=2):
        tally.add(part)
    return tally.peaks()


@pytest.mark.parametrize("name", OBSERVERS)
@settings(max_examples=15)
@given(seed=st.integers(0, 99), parts=st.integers(1, 7))
def test_one_pass_in_any_pieces(name: str, seed: int, parts: int) -> None:
    values = magnitudes(seed, 50)
    whole = peaks(OBSERVERS[name], values)
    assert (whole == peaks(OBSERVERS[name], values, parts)).all()
    assert (whole <= values.amax((0, 2)).numpy()).all()
    assert (whole > 0).all()


def test_the_maximum_is_exact() -> None:
    values = magnitudes(1)
    assert (peaks(Maximum(), values) == values.amax((0, 2)).double().numpy()).all()


@pytest.mark.parametrize("percent", [50.0, 90.0, 99.9])
def test_a_percentile_is_right_within_a_bin(percent: float) -> None:
    values = magnitudes(2)
    flat = values.movedim(1, 0).flatten(1).numpy()
    exact = np.quantile(flat, percent / 100, axis=1, method="inverted_cdf")
    found = peaks(Percentile(percent), values)
    assert (exact <= found).all()
    assert (found <= exact * BIN).all()


def test_all_percent_are_the_maximum() -> None:
    values = magnitudes(3)
    assert (peaks(Percentile(100.0), values) == peaks(Maximum(), values)).all()


def test_the_error_of_a_clip_is_the_least_of_all_clips() -> None:
    values, largest = magnitudes(4), 7
    found = peaks(MeanSquaredError(), values, largest=largest)
    for channel, clip in enumerate(found):
        flat = values[:, channel].flatten().double().numpy()

        def error(p: float, flat: np.ndarray = flat) -> float:
            return (np.maximum(flat - p, 0) ** 2).sum() + (flat <= p).sum() * (
                p / largest
            ) ** 2 / 12

        others = np.geomspace(flat.max() / 30, flat.max(), 200)
        assert error(clip) < 1.02 * min(error(p) for p in others)
        assert clip < 0.9 * flat.max(), "three bits of a normal distribution clip it"


def test_more_bits_clip_less() -> None:
    values = magnitudes(5)
    clips = [peaks(MeanSquaredError(), values, largest=2**k - 1) for k in (2, 4, 8, 16)]
    for narrow, wide in itertools.pairwise(clips):
        assert (narrow <= wide).all()
    assert (clips[-1] > 0.9 * peaks(Maximum(), values)).all()


@pytest.mark.parametrize("name", OBSERVERS)
def test_dead_channels_have_peak_zero(name: str) -> None:
    values = torch.zeros(2, 3, 10)
    values[:, 1] = 4.0
    assert peaks(OBSERVERS[name], values).tolist() == [0.0, 4.0, 0.0]
    assert peaks(OBSERVERS[name], torch.zeros(2, 3, 10)).tolist() == [0.0, 0.0, 0.0]


def test_zeros_count_for_a_percentile_alone() -> None:
    values = torch.cat([torch.zeros(1, 1, 900), torch.linspace(1, 2, 100)[None, None]], dim=2)
    assert peaks(Percentile(90.0), values) == 0
    assert peaks(MeanSquaredError(), values) > 1


def test_an_impossible_percentage_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Percentile.percent: expected a number above 0"):
        Percentile(0.0)
