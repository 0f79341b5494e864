"""Whether a program fits a part; if not, the sizes at which it would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ns4d.errors import ConfigError
from ns4d.export.c99.size import FRAME_BYTES, TOKENS_BYTES, size_of
from ns4d.export.c99.tables import Matrix, Table
from ns4d.export.c99.unit import Unit
from ns4d.program import S4D

COEFFICIENTS = ("a_re", "a_im", "b_re", "b_im", "c_re", "minus_c_im", "b", "d")


@dataclass(frozen=True)
class Room:
    """What there is.

    Args:
        name: Of the part, or what the user gave.
        flash_bytes: For constants with code; None if unlimited.
        ram_bytes: For states with stack; None if unlimited.
    """

    name: str
    flash_bytes: int | None
    ram_bytes: int | None

    def holds(self, flash_bytes: int, ram_bytes: int) -> bool:
        """Whether so much fits."""
        flash, ram = self.flash_bytes, self.ram_bytes
        return (flash is None or flash_bytes <= flash) and (ram is None or ram_bytes <= ram)


@dataclass(frozen=True)
class Change:
    """What else a program could be; None leaves it as it is.

    Args:
        channels: H, the width of its widest S4D nodes and of all that is as wide.
        modes: N of these nodes.
        coefficient_bits: Of a, b, c, d: 8 or 16.
        state_bits: 8 or 16.
    """

    channels: int | None = None
    modes: int | None = None
    coefficient_bits: int | None = None
    state_bits: int | None = None


def require_fit(unit: Unit, room: Room) -> None:
    """Refuse a program that does not fit.

    Raises:
        ConfigError: It does not; the fix names H, N, widths with which it would.
    """
    flash, ram = needs(unit, Change())
    if room.holds(flash, ram):
        return
    raise ConfigError(
        f"export for {room.name}",
        expected=f"at most {_bytes(room.flash_bytes)} of flash, {_bytes(room.ram_bytes)} of RAM",
        got=f"{flash:,} bytes of flash, {ram:,} of RAM with the stack",
        fix=_remedy(unit, room),
    )


def needs(unit: Unit, change: Change) -> tuple[int, int]:
    """Flash, then RAM with stack, in bytes, after a change."""
    size, scaled = size_of(unit), _Scaled(unit, change)
    constants = sum(
        scaled.constant_bytes(constant)
        for function in unit.all_functions
        for constant in function.constants
    )
    messages = unit.message.size_bytes * sum(map(scaled.width, unit.buffers.lengths))
    scores = unit.score.size_bytes * len(unit.program.classes)
    states = sum(map(scaled.state_bytes, unit.program.recurrent))
    ram = -(-(TOKENS_BYTES + scores + states) // TOKENS_BYTES) * TOKENS_BYTES
    return constants + size.code_bytes, ram + messages + FRAME_BYTES


class _Scaled:
    """The sizes of a program after a change."""

    def __init__(self, unit: Unit, change: Change) -> None:
        self.change = change
        self.kinds = {states.field: states.kind for states in unit.states}
        self.fields = {
            node.name: f"x_{unit.identifiers[node.name]}" for node in unit.program.recurrent
        }
        self.of_modes = {f"{unit.identifiers[n.name]}_modes": n for n in unit.program.recurrent}
        self.channels = largest_width(unit)

    def width(self, width: int) -> int:
        """A number of channels."""
        if self.change.channels is None or width != self.channels:
            return width
        return self.change.channels

    def modes(self, node: S4D) -> int:
        return node.modes if self.change.modes is None else min(node.modes, self.change.modes)

    def state_bytes(self, node: S4D) -> int:
        size = self.kinds[self.fields[node.name]].size_bytes
        return (
            2
            * _narrowed(size, self.change.state_bits)
            * self.width(node.outputs)
            * self.modes(node)
        )

    def constant_bytes(self, constant: Table | Matrix) -> int:
        if isinstance(constant, Matrix):
            outputs, inputs = constant.values.shape
            return constant.kind.size_bytes * self.width(outputs) * self.width(inputs)
        node = self.of_modes.get(constant.name)
        rows = (
            self.width(constant.rows)
            if node is None
            else self.width(node.outputs) * self.modes(node)
        )
        sizes = [
            _narrowed(
                kind.size_bytes, self.change.coefficient_bits if name in COEFFICIENTS else None
            )
            for name, kind in constant.members.items()
        ]
        most = max(sizes, default=1)
        return rows * -(-sum(sizes) // most) * most


def largest_width(unit: Unit) -> int:
    """H: the width of the widest S4D nodes, or of the widest node if there are none."""
    wide = [node.outputs for node in unit.program.recurrent]
    return max(wide or [*unit.program.channels, unit.program.inputs])


def _narrowed(size_bytes: int, bits: int | None) -> int:
    return size_bytes if bits is None else min(size_bytes, bits // 8)


def _remedy(unit: Unit, room: Room) -> str:
    """Each single change that is enough; if none is, each that is enough at narrow widths."""

    def fits(change: Change) -> bool:
        return room.holds(*needs(unit, change))

    single = list(_singles(unit, fits, Change()))
    if single:
        return f"It fits with {', or '.join(single)}."
    narrow = Change(coefficient_bits=8, state_bits=16)
    both = [f"{text} besides" for text in _singles(unit, fits, narrow)]
    if both:
        return f"It fits with coefficient_bits 8, state_bits 16 and {', or '.join(both)}."
    flash, ram = needs(unit, replace(narrow, channels=1, modes=1))
    return f"H = 1 and N = 1 need {flash:,} and {ram:,} bytes still: take fewer layers."


def _singles(unit: Unit, fits: Callable[[Change], bool], base: Change) -> Iterator[str]:
    """Every change of one thing that is enough, on top of others."""
    recurrent = unit.program.recurrent
    if base == Change() and recurrent:
        for change in (
            Change(coefficient_bits=8),
            Change(state_bits=16),
            Change(coefficient_bits=8, state_bits=16),
        ):
            if fits(change):
                yield _widths(change)
                break
    top = max((node.modes for node in recurrent), default=1)
    if n := _most(lambda n: fits(replace(base, modes=n)), top - 1):
        yield f"N = {n} modes (now {top})"
    top = largest_width(unit)
    if h := _most(lambda h: fits(replace(base, channels=h)), top - 1):
        yield f"H = {h} channels (now {top})"


def _widths(change: Change) -> str:
    widths = {"coefficient_bits": change.coefficient_bits, "state_bits": change.state_bits}
    return " and ".join(f"{name} {bits}" for name, bits in widths.items() if bits is not None)


def _most(fits: Callable[[int], bool], top: int) -> int:
    """The largest number up to `top` that fits; 0 if none does. Smaller ones fit as well."""
    low, high = 0, top
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _bytes(size: int | None) -> str:
    return "any amount" if size is None else f"{size:,} bytes"
