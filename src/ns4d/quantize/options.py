"""What a user may choose when a network is quantized."""

from __future__ import annotations

from dataclasses import dataclass, field

from ns4d.errors import ConfigError
from ns4d.numerics import Arithmetic
from ns4d.quantize.observers import Maximum, Observer

# A state so wide holds what a proof must assume of it, and loses no precision that matters.
ROOMY_BITS = 32


@dataclass(frozen=True)
class Options:
    """How scales are chosen.

    Args:
        fold_b: Whether B is folded into C, so that each channel is driven by a power of two.
        certified: Whether states are proved free of saturation, whatever the input; None where
            that costs no accuracy: in states of 32 bits.
        observer: What of the calibration data a scale must cover.
        headroom: Messages are clipped this much above the calibrated peak of their channel.
        headroom_bits: Bits left above the calibrated peak of a channel's states.

    Raises:
        ConfigError: An impossible value.
    """

    fold_b: bool = True
    certified: bool | None = None
    observer: Observer = field(default_factory=Maximum)
    headroom: float = 1.25
    headroom_bits: int = 1

    def __post_init__(self) -> None:
        self._require("headroom", self.headroom >= 1, "at least 1")
        self._require("headroom_bits", self.headroom_bits >= 0, "at least 0")

    def certifies(self, arithmetic: Arithmetic) -> bool:
        """Whether states of this profile are to be proved free of saturation."""
        if self.certified is None:
            return arithmetic.state_bits >= ROOMY_BITS
        return self.certified

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(
                f"quantization {name}",
                expected=expected,
                got=str(getattr(self, name)),
                fix="Leave it at its default.",
            )
