"""What a user may choose when a network is quantized."""

from __future__ import annotations

from dataclasses import dataclass

from ns4d.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """How scales are chosen.

    Args:
        fold_b: Whether B is folded into C, so that each channel is driven by a power of two.
        headroom: Messages are clipped this much above the calibrated maximum of their channel.
        headroom_bits: Bits left above the calibrated maximum of a channel's states.

    Raises:
        ConfigError: An impossible value.
    """

    fold_b: bool = False
    headroom: float = 1.25
    headroom_bits: int = 1

    def __post_init__(self) -> None:
        self._require("headroom", self.headroom >= 1, "at least 1")
        self._require("headroom_bits", self.headroom_bits >= 0, "at least 0")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(
                f"quantization {name}",
                expected=expected,
                got=str(getattr(self, name)),
                fix="Leave it at its default.",
            )
