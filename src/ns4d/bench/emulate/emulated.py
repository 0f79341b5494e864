"""A model on an emulated core: its functions are called, its memory is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Int64

from ns4d.bench.emulate.targets import Machine
from ns4d.bench.emulate.toolchain import Build
from ns4d.errors import ArtefactError

if TYPE_CHECKING:
    from unicorn.unicorn import Uc

PAGE = 0x1000
RAM, RAM_BYTES = 0x2000_0000, 0x40_0000
TOKEN, SCORES, STATE = RAM, RAM + 0x1_0000, RAM + 0x2_0000
STACK_TOP, STACK_BYTES = RAM + RAM_BYTES, 0x1_0000
MESSAGES = STACK_TOP - 0x10_0000
# Where a function returns to; nothing is there, so the emulator stops.
RETURN = 0x3000_0000
PAINT = 0xA5


@dataclass(frozen=True)
class Registers:
    """The numbers by which an emulator knows the registers of a call."""

    arguments: tuple[int, ...]
    stack: int
    link: int
    globals: int


def _unicorn(machine: Machine) -> tuple[Uc, Registers]:
    from unicorn import arm_const as arm
    from unicorn import riscv_const as riscv
    from unicorn import unicorn_const as mode
    from unicorn.unicorn import Uc

    if machine is Machine.RISCV32:
        arguments = (riscv.UC_RISCV_REG_A0, riscv.UC_RISCV_REG_A1, riscv.UC_RISCV_REG_A2)
        others = riscv.UC_RISCV_REG_SP, riscv.UC_RISCV_REG_RA, riscv.UC_RISCV_REG_GP
        registers = Registers(arguments, *others)
        return Uc(mode.UC_ARCH_RISCV, mode.UC_MODE_RISCV32), registers
    # Not UC_MODE_MCLASS: that is always a Cortex-M33, whatever model is set.
    emulator = Uc(mode.UC_ARCH_ARM, mode.UC_MODE_THUMB)
    models = {
        Machine.CORTEX_M4: arm.UC_CPU_ARM_CORTEX_M4,
        Machine.CORTEX_M0: arm.UC_CPU_ARM_CORTEX_M0,
    }
    emulator.ctl_set_cpu_model(models[machine])
    arguments = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2)
    others = arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_R9
    return emulator, Registers(arguments, *others)


@final
class Core:
    """A model in the memory of a core, with one stream in zero state.

    Args:
        build: The model.
        machine: What emulates it.
    """

    def __init__(self, build: Build, machine: Machine) -> None:
        self.build, self.machine = build, machine
        self._emulator, self._registers = _unicorn(machine)
        self._load()
        self.init()

    @property
    def state_bytes(self) -> int:
        """The size of the caller's struct there."""
        at = self.build.elf.symbols["model_state_size"]
        return int.from_bytes(self._emulator.mem_read(at, 4), "little")

    def init(self) -> None:
        """A new sequence."""
        self._call("model_init", STATE)

    @property
    def struct(self) -> bytes:
        """The caller's struct."""
        return self.memory(STATE, self.state_bytes)

    @struct.setter
    def struct(self, content: bytes) -> None:
        self._emulator.mem_write(STATE, content)

    def record(self, count: int) -> None:
        """From here on, messages go to memory, of a build that can record them; 0 ends it."""
        at = self.build.elf.symbols["model_next"]
        self._emulator.mem_write(at, (MESSAGES if count else 0).to_bytes(4, "little"))

    def recorded(self, count: int) -> Int64[np.ndarray, " messages"]:
        """The first so many messages since `record`."""
        return np.frombuffer(self.memory(MESSAGES, 4 * count), "<i4").astype(np.int64)

    def step(self, token: Int64[np.ndarray, " i"]) -> Int64[np.ndarray, " classes"]:
        """One token of messages in, the scores out."""
        self._emulator.mem_write(TOKEN, token.astype("<i4").tobytes())
        refused = self._call("model_step", STATE, TOKEN, SCORES)
        assert refused == 0, refused
        size = 8 * len(self.build.program.classes)
        scores = np.frombuffer(bytes(self._emulator.mem_read(SCORES, size)), "<i8")
        return scores.astype(np.int64)

    def memory(self, address: int, size: int) -> bytes:
        """What is in memory."""
        return bytes(self._emulator.mem_read(address, size))

    def on_block(self, see: Any) -> Any:
        """Call `see(address, size)` for every run of instructions without a branch inside.

        Returns:
            A function that ends it.
        """
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        # What was translated before would not call the hook, and would go on calling it after.
        self._emulator.ctl_flush_tb()
        hook = self._emulator.hook_add(UC_HOOK_BLOCK, lambda _, at, size, __: see(at, size))

        def end() -> None:
            self._emulator.hook_del(hook)
            self._emulator.ctl_flush_tb()

        return end

    def paint_stack(self) -> None:
        """Fill the stack with a pattern, so that `stack_used` sees what is written."""
        self._emulator.mem_write(STACK_TOP - STACK_BYTES, bytes([PAINT]) * STACK_BYTES)

    @property
    def stack_used(self) -> int:
        """Bytes of stack, down to the lowest that was written since `paint_stack`."""
        stack = self.memory(STACK_TOP - STACK_BYTES, STACK_BYTES)
        return len(stack.lstrip(bytes([PAINT])))

    def _load(self) -> None:
        segments = self.build.elf.segments
        low = min(segment.address for segment in segments) // PAGE * PAGE
        high = max(segment.address + segment.size_bytes for segment in segments)
        self._emulator.mem_map(low, -(-(high - low) // PAGE) * PAGE)
        for segment in segments:
            self._emulator.mem_write(segment.address, segment.content)
        # What start-up code sets: linkers let RISC-V reach constants from there.
        if (anchor := self.build.elf.symbols.get("__global_pointer$")) is not None:
            self._emulator.reg_write(self._registers.globals, anchor)
        self._emulator.mem_map(RAM, RAM_BYTES)
        self._emulator.mem_map(RETURN, PAGE)

    def _call(self, function: str, *arguments: int) -> int:
        from unicorn.unicorn import UcError

        thumb = self.machine is not Machine.RISCV32
        for register, value in zip(self._registers.arguments, arguments, strict=False):
            self._emulator.reg_write(register, value)
        self._emulator.reg_write(self._registers.stack, STACK_TOP)
        self._emulator.reg_write(self._registers.link, RETURN | thumb)
        try:
            self._emulator.emu_start(self.build.elf.symbols[function] | thumb, RETURN)
        except UcError as error:
            raise ArtefactError(
                f"{function} on {self.machine.value}",
                expected="to run to its end",
                got=str(error),
                fix="This is a mistake of the exporter or of the emulator; report it.",
            ) from error
        return int(self._emulator.reg_read(self._registers.arguments[0]))
