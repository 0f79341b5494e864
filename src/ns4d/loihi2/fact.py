"""A fact about hardware: a number that knows its unit, its spread, its source, its kind.

Whatever is computed from facts is no better than the weakest of them, so the kind travels along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from ns4d.errors import ConfigError


class Tag(Enum):
    """How a number came to be known, from best to worst."""

    PUBLISHED = "published"
    MEASURED = "measured"
    FITTED = "fitted"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Fact:
    """One number with everything needed to judge it.

    Args:
        value: The number that is used, in `unit`.
        unit: SI unit, or what is counted.
        source: Where it stands, or why it is assumed.
        tag: How it is known.
        low, high: The range in which the truth may lie; the value itself if None.

    Raises:
        ConfigError: Not finite, negative, without source, or a range that leaves the value out.
    """

    value: int | float
    unit: str
    source: str
    tag: Tag
    low: int | float | None = None
    high: int | float | None = None

    def __post_init__(self) -> None:
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if not (0 <= low <= self.value <= high and math.isfinite(high)):
            raise ConfigError(
                f"fact in {self.unit}",
                expected="finite numbers, 0 <= low <= value <= high",
                got=f"low {low}, value {self.value}, high {high}",
                fix="Give the range that the source allows.",
            )
        if not self.source.strip():
            raise ConfigError(
                f"fact of {self.value} {self.unit}",
                expected="a source",
                got="none",
                fix="Name the publication, the command that measured it, or why it is assumed.",
            )

    @property
    def spread(self) -> tuple[int | float, int | float]:
        """Lowest and highest value in the source."""
        assert self.low is not None and self.high is not None
        return self.low, self.high
