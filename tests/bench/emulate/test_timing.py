"""Instructions are told apart by their encoding; cycles follow from the published timings."""

from __future__ import annotations

import pytest

from ns4d.bench.emulate.targets import Machine
from ns4d.bench.emulate.timing import (
    LOAD,
    LOAD_TWO,
    PLAIN,
    STORE,
    STORE_TWO,
    TIMINGS,
    Access,
    Meter,
    riscv,
    thumb,
)

M4, M0 = TIMINGS[Machine.CORTEX_M4], TIMINGS[Machine.CORTEX_M0]


def code(*halves: int) -> bytes:
    return b"".join(half.to_bytes(2, "little") for half in halves)


# Encodings as GNU as makes them.
SHORT = {
    "adds r0, r0, r1": (0x1840, PLAIN),
    "movs r3, #1": (0x2301, PLAIN),
    "muls r0, r1": (0x4348, PLAIN),
    "bx lr": (0x4770, PLAIN),
    "ldr r2, [pc, #8]": (0x4A02, LOAD),
    "str r0, [r1, r2]": (0x5088, STORE),
    "strh r0, [r1, r2]": (0x5288, STORE),
    "strb r0, [r1, r2]": (0x5488, STORE),
    "ldrsb r0, [r1, r2]": (0x5688, LOAD),
    "ldr r0, [r1, r2]": (0x5888, LOAD),
    "ldrsh r0, [r1, r2]": (0x5E88, LOAD),
    "str r0, [r1, #4]": (0x6048, STORE),
    "ldr r0, [r1, #4]": (0x6848, LOAD),
    "strb r0, [r1]": (0x7008, STORE),
    "ldrb r0, [r1]": (0x7808, LOAD),
    "strh r0, [r1]": (0x8008, STORE),
    "ldrh r0, [r1]": (0x8808, LOAD),
    "str r0, [sp, #4]": (0x9001, STORE),
    "ldr r0, [sp, #4]": (0x9801, LOAD),
    "push {r4, r5, lr}": (0xB530, Access(stores=3)),
    "pop {r4, pc}": (0xBD10, Access(loads=2)),
    "it ge": (0xBFA8, PLAIN),
    "cbz r0": (0xB108, PLAIN),
    "stmia r0!, {r1, r2}": (0xC006, Access(stores=2)),
    "ldmia r3!, {r1, r7}": (0xCB82, Access(loads=2)),
    "bne": (0xD1FE, PLAIN),
    "b": (0xE7FE, PLAIN),
}
LONG = {
    "smull r3, r9, r6, r5": ((0xFB86, 0x3905), PLAIN),
    "adc.w r2, r2, r9": ((0xEB42, 0x0209), PLAIN),
    "add.w r0, r0, #256": ((0xF500, 0x7080), PLAIN),
    "bl": ((0xF000, 0xF800), PLAIN),
    "ldrd r0, r1, [r2]": ((0xE9D2, 0x0100), LOAD_TWO),
    "strd r2, r3, [r7, #-8]": ((0xE947, 0x2302), STORE_TWO),
    "ldmia.w r3!, {r0, r8, r9}": ((0xE8B3, 0x0301), Access(loads=3)),
    "stmdb sp!, {r4-r10, fp, lr}": ((0xE92D, 0x4FF0), Access(stores=9)),
    "ldrsh.w r5, [ip, #-8]": ((0xF93C, 0x5C08), LOAD),
    "ldr.w r0, [lr, #-4]": ((0xF85E, 0x0C04), LOAD),
    "str.w r0, [r1, #256]": ((0xF8C1, 0x0100), STORE),
    "strh.w r2, [r1, r0, lsl #1]": ((0xF821, 0x2010), STORE),
}


@pytest.mark.parametrize("name", SHORT)
def test_short_instructions(name):
    half, access = SHORT[name]
    assert list(thumb(code(half))) == [access]


@pytest.mark.parametrize("name", LONG)
def test_long_instructions(name):
    halves, access = LONG[name]
    assert list(thumb(code(*halves))) == [access]


def test_a_run_of_both_lengths_is_split_where_instructions_begin():
    halves = (*LONG["smull r3, r9, r6, r5"][0], SHORT["ldr r0, [r1, #4]"][0])
    found = list(thumb(code(*halves, *LONG["ldrd r0, r1, [r2]"][0], SHORT["b"][0])))
    assert found == [PLAIN, LOAD, LOAD_TWO, PLAIN]


def test_instructions_of_riscv_have_four_bytes_or_two():
    whole, compressed = b"\x33\x05\xb5\x00", b"\x0d\x45"
    assert len(list(riscv(whole * 3))) == 3
    assert len(list(riscv(whole + compressed * 2 + whole))) == 4


class TestCycles:
    """By the tables of the manuals."""

    @pytest.mark.parametrize(
        ("run", "m4", "m0"),
        [
            ([PLAIN, PLAIN], 2, 2),
            ([LOAD], 2, 2),
            ([LOAD, LOAD, LOAD], 4, 6),
            ([LOAD, PLAIN, LOAD], 5, 5),
            ([STORE, LOAD], 2, 4),
            ([STORE], 1, 2),
            ([LOAD_TWO], 3, 3),
            ([STORE_TWO], 3, 3),
            ([Access(stores=9)], 10, 10),
            ([LOAD_TWO, LOAD], 5, 5),
            ([], 0, 0),
        ],
    )
    def test_a_run(self, run, m4, m0):
        assert (M4.cycles(run), M0.cycles(run)) == (m4, m0)


class TestMeter:
    """Counts runs; a run that does not follow the one before was jumped to."""

    def meter(self, machine: Machine) -> Meter:
        memory = code(SHORT["ldr r0, [r1, #4]"][0], SHORT["b"][0], SHORT["movs r3, #1"][0])
        return Meter(machine, lambda at, size: memory[at : at + size])

    def test_a_loop(self):
        meter = self.meter(Machine.CORTEX_M4)
        for _ in range(3):
            meter.see(0, 4)
        meter.see(4, 2)
        assert meter.instructions == 3 * 2 + 1
        # Each entry of the loop is a jump, also the first; what follows it is not.
        assert meter.jumps == 3
        assert meter.cycles == 3 * (2 + 1) + 1 + 3 * M4.refill

    def test_where_no_timings_are_published_there_are_no_cycles(self):
        meter = Meter(Machine.RISCV32, lambda at, size: bytes([0x33]) * size)
        meter.see(0, 8)
        assert meter.instructions == 2
        assert meter.cycles is None

    def test_nothing_ran(self):
        assert self.meter(Machine.CORTEX_M0).instructions == 0
        assert self.meter(Machine.CORTEX_M0).cycles == 0
