"""Initial spectra: their formulas, recomputed in other ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ns4d.ssm import inverse_spectrum, legs_spectrum, linear_spectrum

SPECTRA = (linear_spectrum, inverse_spectrum, legs_spectrum)
COUNTS = (1, 2, 3, 5, 16, 32, 64)


def hippo_legs(size: int) -> np.ndarray:
    """HiPPO-LegS entry by entry, as the paper states it."""
    matrix = np.zeros((size, size))
    for n in range(size):
        for k in range(n + 1):
            matrix[n, k] = -(n + 1) if n == k else -np.sqrt((2 * n + 1) * (2 * k + 1))
    return matrix


def normal_part(size: int) -> np.ndarray:
    """HiPPO-LegS + P Pᵀ, with P_n = √(n + 1/2)."""
    p = np.sqrt(np.arange(size) + 0.5)
    return hippo_legs(size) + np.outer(p, p)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("count", COUNTS)
def test_every_mode_decays_by_one_half(spectrum, count):
    a = spectrum(count)
    assert a.shape == (count,)
    assert a.dtype == torch.complex128
    assert (a.real == -0.5).all()


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("count", COUNTS)
def test_one_mode_of_each_pair_is_kept(spectrum, count):
    """No two modes coincide, and none is the conjugate of another."""
    frequencies = spectrum(count).imag.numpy()
    assert (frequencies >= 0).all()
    assert len(np.unique(frequencies.round(6))) == count


def test_linear_values():
    expected = [0, np.pi, 2 * np.pi, 3 * np.pi]
    np.testing.assert_allclose(linear_spectrum(4).imag, expected, rtol=1e-15)


def test_inverse_values():
    """N = 4: (4/π)(4/1 - 1), (4/π)(4/3 - 1)."""
    np.testing.assert_allclose(inverse_spectrum(2).imag, [12 / np.pi, 4 / (3 * np.pi)], rtol=1e-14)


@pytest.mark.parametrize("spectrum", [linear_spectrum, legs_spectrum])
@pytest.mark.parametrize("count", COUNTS)
def test_frequencies_ascend(spectrum, count):
    assert (np.diff(spectrum(count).imag) > 0).all()


@pytest.mark.parametrize("count", COUNTS)
def test_inverse_frequencies_descend(count):
    assert (np.diff(inverse_spectrum(count).imag) < 0).all()


@pytest.mark.parametrize("count", COUNTS)
def test_legs_modes_are_the_eigenvalues_of_hippos_normal_part(count):
    matrix = normal_part(2 * count)
    commutator = matrix @ matrix.T - matrix.T @ matrix
    assert np.abs(commutator).max() < 1e-9 * np.abs(matrix).max() ** 2
    eigenvalues = np.linalg.eig(matrix).eigenvalues
    np.testing.assert_allclose(eigenvalues.real, -0.5, atol=1e-9 * count**2)
    expected = np.sort(eigenvalues.imag)[count:]
    np.testing.assert_allclose(legs_spectrum(count).imag, expected, rtol=1e-9)


def test_legs_keeps_the_trace():
    """Σ |λ|² of a normal matrix is its Frobenius norm: no eigenvalue is missing or doubled."""
    total = 2 * (legs_spectrum(32).abs() ** 2).sum()
    assert total.item() == pytest.approx(np.linalg.norm(normal_part(64)) ** 2, rel=1e-12)


@pytest.mark.parametrize("count", [16, 32, 64])
def test_inverse_approximates_legs(count):
    """Within 3 % for the fastest mode, within a quarter for the faster half."""
    legs, inverse = legs_spectrum(count).imag, inverse_spectrum(count).imag.flip(0)
    error = (inverse / legs - 1).abs()
    assert error[-1] < 0.04
    assert error[count // 2 :].max() < 0.25
    slower = (linear_spectrum(count).imag / legs - 1).abs()
    assert slower[-1] > 0.5
