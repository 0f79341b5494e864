"""Microcontrollers by name: what they hold. A part is one row; its figures are published ones.

Sources: the data sheets of the makers, by document number. A part without flash of its own runs
from the flash on its usual board.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ns4d.choice import choose

KIB = 1024


@dataclass(frozen=True)
class Part:
    """A microcontroller.

    Args:
        core: As `ns4d.bench.emulate` names it.
        flash_bytes: What constants and code share.
        ram_bytes: What states and stack share.
        clock_hz: Its highest clock.
        source: Where these figures stand.
    """

    core: str
    flash_bytes: int
    ram_bytes: int
    clock_hz: int
    source: str


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "nrf52840": Part(
            "cortex-m4", 1024 * KIB, 256 * KIB, 64_000_000, "Nordic nRF52840 Product Specification"
        ),
        "nrf52832": Part(
            "cortex-m4", 512 * KIB, 64 * KIB, 64_000_000, "Nordic nRF52832 Product Specification"
        ),
        "stm32f411re": Part("cortex-m4", 512 * KIB, 128 * KIB, 100_000_000, "ST DS10314"),
        "stm32l476rg": Part("cortex-m4", 1024 * KIB, 128 * KIB, 80_000_000, "ST DS10198"),
        "stm32g071rb": Part("cortex-m0plus", 128 * KIB, 36 * KIB, 64_000_000, "ST DS12232"),
        "stm32l053r8": Part("cortex-m0plus", 64 * KIB, 8 * KIB, 32_000_000, "ST DS10152"),
        "samd21g18": Part("cortex-m0plus", 256 * KIB, 32 * KIB, 48_000_000, "Microchip DS40001882"),
        "rp2040": Part(
            "cortex-m0plus",
            2048 * KIB,
            264 * KIB,
            133_000_000,
            "Raspberry Pi RP2040 Datasheet; flash of the Pico board",
        ),
        "gd32vf103cb": Part(
            "rv32im", 128 * KIB, 32 * KIB, 108_000_000, "GigaDevice GD32VF103 Datasheet"
        ),
    }
)


def part_of(name: str) -> Part:
    """The part of that name.

    Raises:
        ConfigError: It is not in the table.
    """
    return choose("--part", PARTS, name, "For another part give --flash and --ram in bytes.")
