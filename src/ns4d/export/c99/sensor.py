"""(0) in C without floating point: the raw integers of a sensor become messages.

    u = clip( ⌊(x·m + b) / 2^s⌋, -M, M )                                                    (12)

For every integer x of a range this equals (0), which is checked for each of them: s is the smallest
with an m and a b that pass. M is the largest message; (0) rounds ties away from zero, which no b
alone can do, but an m a little above 2^s / scale does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.errors import ConfigError
from ns4d.export.c99 import primitives
from ns4d.export.c99.function import Function
from ns4d.export.c99.scalars import INT32, sum_type
from ns4d.export.c99.tables import Table, channel
from ns4d.program import Program

MOST_VALUES = 1 << 20
SHIFTS = range(41)


@dataclass(frozen=True)
class Sensor:
    """What a sensor may give.

    Args:
        low, high: The smallest and the largest raw value, integers of 32 bits.

    Raises:
        ConfigError: No range, or one of more than a million values.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        inside = -(2**31) < self.low < self.high < 2**31
        if not inside or self.high - self.low >= MOST_VALUES:
            raise ConfigError(
                "--sensor",
                expected=f"LOW:HIGH, 32-bit integers, LOW < HIGH, at most {MOST_VALUES:,} values",
                got=f"{self.low}:{self.high}",
                fix="Scale a wider sensor down before, or quantize in floating point.",
            )

    @property
    def values(self) -> Int64[np.ndarray, " values"]:
        """All of them."""
        return np.arange(self.low, self.high + 1)


@dataclass(frozen=True)
class Line:
    """(12) for one input.

    Args:
        multiplier, offset, shift: m, b, s.
    """

    multiplier: int
    offset: int
    shift: int

    def messages(self, x: Int64[np.ndarray, " values"], most: int) -> Int64[np.ndarray, " values"]:
        """(12)."""
        return np.clip(x * self.multiplier + self.offset >> self.shift, -most, most)


def lines_for(program: Program, sensor: Sensor) -> tuple[Line, ...]:
    """(12) for every input of a program.

    Raises:
        ConfigError: None of 64 bits equals (0); the input is named.
    """
    x, most = sensor.values, program.arithmetic.message_max
    raw = np.repeat(x.astype(np.float64)[:, None], program.inputs, axis=1)
    u = program.quantize_input(raw)
    scales = program.input.scale
    return tuple(_line(x, u[:, i], most, float(scales[i]), i) for i in range(program.inputs))


def _line(
    x: Int64[np.ndarray, " values"],
    u: Int64[np.ndarray, " values"],
    most: int,
    scale: float,
    i: int,
) -> Line:
    for shift in SHIFTS:
        slope = 2.0**shift / scale
        if slope * max(abs(int(x[0])), abs(int(x[-1]))) > 2.0**61:
            break
        for multiplier in (round(slope), int(slope), int(slope) + 1):
            least, largest = _offsets(x, u, most, multiplier, shift)
            if least <= largest:
                return Line(multiplier, (least + largest) // 2, shift)
    raise ConfigError(
        f"--sensor, input {i}",
        expected="a scale for which a 64-bit multiplication with a shift equals (0)",
        got=f"{scale}",
        fix="Quantize in floating point, by equation (0) of docs/numerics.md.",
    )


def _offsets(
    x: Int64[np.ndarray, " values"],
    u: Int64[np.ndarray, " values"],
    most: int,
    multiplier: int,
    shift: int,
) -> tuple[int, int]:
    """The smallest b and the largest for which (12) gives u everywhere."""
    below, above = u > -most, u < most
    start = (u << shift) - x * multiplier
    least = start[below].max(initial=-(2**62))
    largest = (start + (1 << shift) - 1)[above].min(initial=2**62)
    return int(least), int(largest)


def quantizer(program: Program, sensor: Sensor, name: str) -> Function:
    """The public function of (12)."""
    found, most = lines_for(program, sensor), program.arithmetic.message_max
    columns = {
        "multiplier": np.array([line.multiplier for line in found]),
        "offset": np.array([line.offset for line in found]),
        "shift": np.array([line.shift for line in found]),
    }
    rows = Table("sensor_rows", "sensor: a row per input", columns)
    ends = (sensor.low, sensor.high)
    kind = sum_type(
        max(abs(x * line.multiplier) + abs(line.offset) for line in found for x in ends)
    )
    floor = primitives.SHIFT_FLOOR if kind is INT32 else primitives.SHIFT_FLOOR_64
    return Function(
        f"{name}_quantize",
        list(_lines(rows, sensor, most, kind is INT32, program.inputs, name)),
        (rows,),
        (primitives.CLIP, floor),
        None,
        program.inputs,
        program.inputs,
    )


def _lines(
    rows: Table, sensor: Sensor, most: int, short: bool, inputs: int, name: str
) -> Iterator[str]:
    multiplier, offset, shift = (rows.value(c, "k->") for c in ("multiplier", "offset", "shift"))
    floor, cast, wide = (
        ("shift_floor", "", "") if short else ("shift_floor_64", "(int32_t)", "(int64_t)")
    )
    yield "/* (0) without floating point, equal to it for every raw value of the sensor. */"
    yield f"void {name}_quantize(const int32_t raw[{inputs}], int32_t token[{inputs}])"
    yield "{"
    yield f"    for (int i = 0; i < {inputs}; i++) {{"
    yield from channel(rows, "i")
    yield f"        const int32_t x = clip(raw[i], {sensor.low}, {sensor.high});"
    total = f"{wide}x * {multiplier} + {offset}"
    yield f"        token[i] = clip({cast}{floor}({total}, {shift}), -{most}, {most});"
    yield "    }"
    yield "}"
