"""The cores on which the generated C is run, with the compilers that reach them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Machine(Enum):
    """What an emulator must be."""

    CORTEX_M4 = "cortex-m4"
    CORTEX_M0 = "cortex-m0"
    RISCV32 = "riscv32"


@dataclass(frozen=True)
class Target:
    """A core.

    Args:
        name: As in the table of parts.
        machine: What emulates it.
        gcc: Command and options of its GCC.
        zig: Options of `zig cc`, a clang that reaches every target.
        part: The part whose clock is stated, a name in `ns4d.export.c99.PARTS`.
    """

    name: str
    machine: Machine
    gcc: tuple[str, ...]
    zig: tuple[str, ...]
    part: str


ARM_GCC, RISCV_GCC = "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"
THUMB = ("-target", "thumb-freestanding-eabi")

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                "cortex-m4",
                Machine.CORTEX_M4,
                (ARM_GCC, "-mcpu=cortex-m4", "-mthumb"),
                (*THUMB, "-mcpu=cortex_m4"),
                "nrf52840",
            ),
            # A Cortex-M0+ runs the instructions of a Cortex-M0 in fewer cycles.
            Target(
                "cortex-m0plus",
                Machine.CORTEX_M0,
                (ARM_GCC, "-mcpu=cortex-m0plus", "-mthumb"),
                (*THUMB, "-mcpu=cortex_m0plus"),
                "rp2040",
            ),
            Target(
                "rv32im",
                Machine.RISCV32,
                (RISCV_GCC, "-march=rv32im", "-mabi=ilp32"),
                ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m"),
                "gd32vf103cb",
            ),
        )
    }
)
