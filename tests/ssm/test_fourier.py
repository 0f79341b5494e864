"""The FFTs of the library: fast lengths, blocks of the batch, real ones in both passes."""

from __future__ import annotations

import pytest
import torch

from ns4d.ssm import convolve, fourier
from ns4d.ssm.fourier import fft_length
from ssm_strategies import normal, plain_convolution


def test_blocks_of_the_batch_change_no_bit(monkeypatch):
    u, k, g = normal(5, 3, 40, seed=1), normal(3, 40, seed=2), normal(5, 3, 40, seed=3)
    whole = fourier.convolve(u, k), *fourier.gradients(u, k, g)
    monkeypatch.setattr(fourier, "BLOCK_BYTES", 1)
    single = fourier.convolve(u, k), *fourier.gradients(u, k, g)
    assert torch.equal(whole[0], single[0])
    assert torch.equal(whole[1], single[1])
    # A sum over the batch, in another order.
    torch.testing.assert_close(single[2], whole[2], rtol=0, atol=1e-12)


def test_neither_pass_runs_a_complex_fft():
    """Autograd's own backward of a real FFT does, which costs twice as much."""
    u, k = normal(2, 3, 9, seed=0).requires_grad_(), normal(3, 9, seed=1).requires_grad_()
    used = {}
    for function in (convolve, plain_convolution):
        with torch.autograd.profiler.profile() as profile:
            function(u, k).sum().backward()
        used[function] = {event.key for event in profile.key_averages()}
    assert "aten::_fft_c2c" in used[plain_convolution]
    assert "aten::_fft_c2c" not in used[convolve]
    assert "aten::_fft_r2c" in used[convolve]


def largest_prime_factor(number: int) -> int:
    factor = 2
    while number > 1:
        while number % factor == 0:
            number //= factor
        factor += 1
    return factor - 1


def test_fft_lengths_are_the_smallest_that_run_fast():
    """Even, without a prime factor above 7, at least what is asked for, never more than needed."""
    fast = [n for n in range(2, 2400, 2) if largest_prime_factor(n) <= 7]
    for minimum in range(1, 2200):
        assert fft_length(minimum) == next(n for n in fast if n >= minimum)


@pytest.mark.parametrize("minimum", [-1, 0])
def test_no_length_at_all_ends_too(minimum):
    """An empty sequence asks for -1; a search from zero would never end."""
    assert fft_length(minimum) == 2
    empty = torch.zeros(2, 3, 0)
    assert convolve(empty, empty[0]).shape == (2, 3, 0)
