"""Instructions by kind, cycles from the published timings of the cores.

An emulator knows instructions, no cycles. What it runs is split into kinds by its encoding; a kind
costs what the manual of the core says, with memory that answers at once and a branch that refills
the pipeline in as many cycles as stated here. A part adds wait states of its flash.

Sources
    Arm DDI 0439B, Cortex-M4 r0p0 Technical Reference Manual, table 3-1 with section 3.3.3: a load
    takes 2 cycles, 1 behind another load or store; a store 1; N registers 1 + N; a taken branch
    1 + P with P from 1 to 3
    Arm DDI 0484C, Cortex-M0+ r0p1 Technical Reference Manual, table 3-1: a load or a store takes 2
    cycles, N registers 1 + N, a taken branch 2, a multiply 1 where the part has the fast multiplier
    Arm DDI 0403E, Armv7-M Architecture Reference Manual, chapter A5: encodings
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ns4d.bench.emulate.targets import Machine


@dataclass(frozen=True)
class Access:
    """What an instruction does to memory.

    Args:
        loads, stores: Registers that it loads, stores.
    """

    loads: int = 0
    stores: int = 0


PLAIN, LOAD, STORE = Access(), Access(loads=1), Access(stores=1)
LOAD_TWO, STORE_TWO = Access(loads=2), Access(stores=2)


@dataclass(frozen=True)
class Timing:
    """What kinds of instructions cost, in cycles.

    Args:
        load: One register from memory.
        load_behind: The same, right behind another access of one register.
        store: One register to memory.
        refill: What a taken branch adds to its one cycle.
    """

    load: int
    load_behind: int
    store: int
    refill: int

    def cycles(self, instructions: list[Access]) -> int:
        """A run of instructions, in order, without taken branches."""
        total, behind = 0, False
        for access in instructions:
            single = access in (LOAD, STORE)
            if access == LOAD:
                total += self.load_behind if behind else self.load
            elif access == STORE:
                total += self.store
            else:
                total += 1 + access.loads + access.stores
            behind = single
        return total


TIMINGS: Mapping[Machine, Timing] = MappingProxyType(
    {
        Machine.CORTEX_M4: Timing(load=2, load_behind=1, store=1, refill=2),
        Machine.CORTEX_M0: Timing(load=2, load_behind=2, store=2, refill=1),
    }
)


@dataclass
class Meter:
    """Counts what runs; give `see` to `Core.on_block`.

    Args:
        machine: What runs it.
        read: The bytes of the program, by address and size.
    """

    machine: Machine
    read: Callable[[int, int], bytes]
    runs: Counter[tuple[int, int]] = field(default_factory=Counter)
    jumps: int = 0
    _next: int = -1

    def see(self, address: int, size: int) -> None:
        """A run of instructions begins."""
        self.runs[address, size] += 1
        self.jumps += address != self._next
        self._next = address + size

    @property
    def instructions(self) -> int:
        """How many ran; those that a condition passes over are counted too."""
        decoded = self._decoded()
        return sum(len(decoded[run]) * times for run, times in self.runs.items())

    @property
    def cycles(self) -> int | None:
        """What they cost; None where no timings are published."""
        timing = TIMINGS.get(self.machine)
        if timing is None:
            return None
        decoded = self._decoded()
        inside = sum(timing.cycles(decoded[run]) * times for run, times in self.runs.items())
        return inside + timing.refill * self.jumps

    def _decoded(self) -> dict[tuple[int, int], list[Access]]:
        decode = riscv if self.machine is Machine.RISCV32 else thumb
        return {run: list(decode(self.read(*run))) for run in self.runs}


def riscv(code: bytes) -> Iterator[Access]:
    """The instructions of a run of RISC-V: 4 bytes, or 2 if compressed."""
    at = 0
    while at < len(code):
        at += 4 if code[at] & 3 == 3 else 2
        yield PLAIN


def thumb(code: bytes) -> Iterator[Access]:
    """The instructions of a run of Thumb: 4 bytes if the first five bits are 11101 or more."""
    halves = [code[k] | code[k + 1] << 8 for k in range(0, len(code), 2)]
    at = 0
    while at < len(halves):
        if halves[at] >> 11 >= 0b11101:
            yield _long(halves[at], halves[at + 1])
            at += 2
        else:
            yield _short(halves[at])
            at += 1


def _short(half: int) -> Access:
    top = half >> 12
    if half >> 11 == 0b01001:
        return LOAD  # from the literals behind the code
    if top == 0b0101:
        return LOAD if half >> 9 & 7 >= 3 else STORE
    if top in (0b0110, 0b0111, 0b1000, 0b1001):
        return LOAD if half >> 11 & 1 else STORE
    if top == 0b1100:
        many = (half & 0xFF).bit_count()
        return Access(loads=many) if half >> 11 & 1 else Access(stores=many)
    if half >> 9 == 0b1011010:
        return Access(stores=(half & 0x1FF).bit_count())
    if half >> 9 == 0b1011110:
        return Access(loads=(half & 0x1FF).bit_count())
    return PLAIN


def _long(first: int, second: int) -> Access:
    if first >> 9 == 0b1110100:
        loads = bool(first >> 4 & 1)
        if first >> 6 & 1:
            return LOAD_TWO if loads else STORE_TWO
        many = second.bit_count()
        return Access(loads=many) if loads else Access(stores=many)
    if first >> 9 == 0b1111100:
        return LOAD if first >> 4 & 1 else STORE
    return PLAIN
