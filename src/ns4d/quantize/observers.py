"""Observers: how the largest magnitude that a scale must cover is read off calibration data.

An observer makes a tally. The tally sees magnitudes batch by batch, once, in bounded memory, and
then names one peak per channel:

    Maximum            the largest magnitude
    Percentile         the magnitude that so many percent do not exceed
    MeanSquaredError   the clip p with the least Σ_{v>p} (v - p)² + #{0<v<=p} (p/M)² / 12,     (1)
                       M the largest integer: what clipping costs, and what rounding does

The last two read a histogram whose bins are those of float32: 16 per octave, so an edge lies at
most 1/16 above the magnitudes of its bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ns4d.errors import ConfigError

# A float32 without its lower 19 bits: the exponent and four bits of the fraction.
DROPPED_BITS = 19
BINS = 1 << (31 - DROPPED_BITS)


@runtime_checkable
class Tally(Protocol):
    """What has been seen so far."""

    def add(self, magnitudes: Float[Tensor, "b h k"]) -> None:
        """See some magnitudes of each channel, float32, at least 0."""
        ...

    def peaks(self) -> Float[np.ndarray, " h"]:
        """The magnitude that each channel's scale must cover."""
        ...


@runtime_checkable
class Observer(Protocol):
    """Starts tallies."""

    def tally(self, channels: int, largest: int) -> Tally:
        """An empty tally.

        Args:
            channels: How many.
            largest: The largest integer that is to stand for the peak.
        """
        ...


@final
@dataclass(frozen=True)
class Maximum:
    """Covers everything seen."""

    def tally(self, channels: int, largest: int) -> Tally:
        """An empty tally."""
        return _LargestSeen(channels)


@final
@dataclass(frozen=True)
class Percentile:
    """Leaves out the rarest magnitudes.

    Args:
        percent: How many are covered, above 0, at most 100.

    Raises:
        ConfigError: Another number.
    """

    percent: float = 99.99

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise ConfigError(
                "Percentile.percent",
                expected="a number above 0, at most 100",
                got=str(self.percent),
                fix="99.99 leaves out one magnitude in ten thousand.",
            )

    def tally(self, channels: int, largest: int) -> Tally:
        """An empty tally."""
        return _PercentileTally(_Histogram(channels), self.percent)


@final
@dataclass(frozen=True)
class MeanSquaredError:
    """Balances clipping against rounding (1)."""

    def tally(self, channels: int, largest: int) -> Tally:
        """An empty tally."""
        return _ErrorTally(_Histogram(channels), largest)


# These name the same peaks whatever integer is to stand for them.
WIDTHLESS = (Maximum, Percentile)

OBSERVERS: Mapping[str, Observer] = MappingProxyType(
    {"max": Maximum(), "percentile": Percentile(), "mse": MeanSquaredError()}
)


@final
class _LargestSeen:
    def __init__(self, channels: int) -> None:
        self._largest = torch.zeros(channels)

    def add(self, magnitudes: Float[Tensor, "b h k"]) -> None:
        if magnitudes.numel():
            self._largest = torch.maximum(self._largest, magnitudes.amax((0, 2)))

    def peaks(self) -> Float[np.ndarray, " h"]:
        return self._largest.double().numpy()


@final
class _Histogram:
    """How many magnitudes of each channel fell into each bin."""

    def __init__(self, channels: int) -> None:
        self.counts = torch.zeros(channels, BINS, dtype=torch.int64)
        self._largest = _LargestSeen(channels)

    def add(self, magnitudes: Float[Tensor, "b h k"]) -> None:
        self._largest.add(magnitudes)
        index = magnitudes.contiguous().view(torch.int32) >> DROPPED_BITS
        first = BINS * torch.arange(magnitudes.shape[1], dtype=torch.int32)
        index = index + first[:, None]
        found = torch.bincount(index.flatten(), minlength=self.counts.numel())
        self.counts += found.view_as(self.counts)

    @property
    def largest(self) -> Float[np.ndarray, " h"]:
        return self._largest.peaks()

    @staticmethod
    def edges() -> Float[np.ndarray, " bins"]:
        """The upper edge of each bin; that of the last finite one is infinite, of zeros 0."""
        # Of float32's 256 exponents the last stands for infinity and NaN, which do not occur.
        bits = np.minimum(np.arange(BINS, dtype=np.uint32) + 1, BINS - BINS // 256)
        edges = (bits << DROPPED_BITS).view(np.float32).astype(float)
        edges[0] = 0.0  # what is below 1e-38 counts as zero
        return edges


@final
class _PercentileTally:
    def __init__(self, histogram: _Histogram, percent: float) -> None:
        self._histogram, self._percent = histogram, percent
        self.add = histogram.add

    def peaks(self) -> Float[np.ndarray, " h"]:
        below = self._histogram.counts.numpy().cumsum(1)
        wanted = np.ceil(below[:, -1:] * (self._percent / 100))
        first = (below >= wanted).argmax(1)
        return np.minimum(self._histogram.edges()[first], self._histogram.largest)


@final
class _ErrorTally:
    def __init__(self, histogram: _Histogram, largest: int) -> None:
        self._histogram, self._steps = histogram, largest
        self.add = histogram.add

    def peaks(self) -> Float[np.ndarray, " h"]:
        """The edge with the least (1), every magnitude standing at the middle of its bin."""
        counts = self._histogram.counts.numpy().astype(float)
        edges = self._histogram.edges()
        used = np.flatnonzero(counts[:, 1:].any(0)) + 1
        if not used.size:
            return self._histogram.largest
        counts, edges = counts[:, used], edges[used]
        middles = edges / (1 + 1 / 32)
        over = np.maximum(middles - edges[:, None], 0) ** 2
        clipped = counts @ over.T
        rounded = counts.cumsum(1) * (edges / self._steps) ** 2 / 12
        best = edges[(clipped + rounded).argmin(1)]
        return np.minimum(best, self._histogram.largest)
