"""The state of a program between two tokens: a value to copy, save, resume from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ns4d.errors import RangeError, ShapeError
from ns4d.program import Program
from ns4d.program.arrays import integer

TOKENS_MAX = 2**63 - 1


@dataclass(frozen=True, eq=False)
class State:
    """Everything that a stream remembers. Arrays are read-only; writable ones are copied.

    Args:
        x_re: Node name -> int64 (b, h, n), for every S4D node.
        x_im: The same for the imaginary parts.
        r: int64 (b, classes), the read-out without its bias.
        tokens_seen: How many tokens led here, the same for the whole batch.

    Raises:
        ShapeError: Arrays of another type, or that do not agree.
        RangeError: tokens_seen is not a count.
    """

    x_re: Mapping[str, np.ndarray]
    x_im: Mapping[str, np.ndarray]
    r: np.ndarray
    tokens_seen: int

    def __post_init__(self) -> None:
        for part in ("x_re", "x_im"):
            given = getattr(self, part)
            arrays = {k: _read_only(f"state {part} of '{k}'", v, 3) for k, v in given.items()}
            object.__setattr__(self, part, MappingProxyType(arrays))
        object.__setattr__(self, "r", _read_only("state r", self.r, 2))
        seen = integer("state tokens_seen", self.tokens_seen, 0, TOKENS_MAX)
        object.__setattr__(self, "tokens_seen", seen)
        shapes = [{k: v.shape for k, v in part.items()} for part in (self.x_re, self.x_im)]
        batches = {len(self.r), *(shape[0] for shape in shapes[0].values())}
        if shapes[0] != shapes[1] or len(batches) > 1:
            raise ShapeError(
                "state",
                expected="x_re like x_im, all with one batch size",
                got=f"{shapes[0]}, {shapes[1]}, r {self.r.shape}",
                fix="Take a state from a stream instead of building it.",
            )

    @property
    def batch(self) -> int:
        """How many streams it holds."""
        return len(self.r)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        mine, theirs = self.to_arrays(), other.to_arrays()
        return mine.keys() == theirs.keys() and all(
            np.array_equal(mine[k], theirs[k]) for k in mine
        )

    __hash__ = None  # type: ignore[assignment]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, for numpy.savez: "<node>/x_re", "<node>/x_im", "r", "tokens_seen"."""
        arrays = {f"{k}/x_re": v for k, v in self.x_re.items()}
        arrays |= {f"{k}/x_im": v for k, v in self.x_im.items()}
        return arrays | {"r": self.r, "tokens_seen": np.array(self.tokens_seen)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> State:
        """The inverse of `to_arrays`.

        Raises:
            ShapeError: A name that `to_arrays` does not give, or one that is missing.
        """
        x_re, x_im = dict(_ending(arrays, "/x_re")), dict(_ending(arrays, "/x_im"))
        known = {"r", "tokens_seen", *(f"{k}/x_re" for k in x_re), *(f"{k}/x_im" for k in x_im)}
        if set(arrays) != known:
            raise ShapeError(
                "state arrays",
                expected="the names that State.to_arrays gives",
                got=str(sorted(arrays)),
                fix="Pass exactly what was saved.",
            )
        return cls(x_re, x_im, arrays["r"], arrays["tokens_seen"].item())


def zero_state(program: Program, batch: int) -> State:
    """The state before the first token.

    Args:
        program: What will run.
        batch: How many streams.

    Returns:
        All zeros.
    """
    shapes = {node.name: (batch, *node.a_re.shape) for node in program.recurrent}
    return State(
        {name: np.zeros(shape, np.int64) for name, shape in shapes.items()},
        {name: np.zeros(shape, np.int64) for name, shape in shapes.items()},
        np.zeros((batch, len(program.classes)), np.int64),
        0,
    )


def require_state(program: Program, state: State, batch: int) -> None:
    """Refuse a state that no run of this program could have led to.

    The certificate holds from zero state onward. A state beyond its bounds could overflow an
    accumulator, so such a state is refused, not merely one that is too wide.

    Raises:
        ShapeError: Other nodes, shapes or batch size.
        RangeError: A state or a score beyond the certificate; its node is named.
    """
    wanted = zero_state(program, batch).to_arrays()
    got = state.to_arrays()
    if {k: v.shape for k, v in wanted.items()} != {k: v.shape for k, v in got.items()}:
        raise ShapeError(
            "state",
            expected=f"that of this program with batch {batch}",
            got=str({k: v.shape for k, v in got.items()}),
            fix="Use the program that the state was taken from.",
        )
    for proved in program.ranges:
        if proved.states is not None:
            x_re, x_im = state.x_re[proved.name], state.x_im[proved.name]
            _require(proved.name, np.maximum(np.abs(x_re), np.abs(x_im)) <= proved.states)
            # Both squares are below 2^62, so their sum is an int64.
            inside = x_re**2 + x_im**2 <= proved.states**2
            _require(proved.name, inside | (proved.states == proved.state_max))
    per_token = program.ranges[-1].accumulator
    reachable = min(state.tokens_seen, program.safe_tokens)
    _require("readout", np.abs(state.r) <= per_token * reachable)


def require_safe(program: Program, tokens: int) -> None:
    """Refuse more tokens than the 64-bit scores are proved for.

    Raises:
        RangeError: More than `program.safe_tokens`.
    """
    if tokens > program.safe_tokens:
        raise RangeError(
            f"token {program.safe_tokens}",
            expected=f"at most {program.safe_tokens} tokens, proved safe for 64-bit scores",
            got=str(tokens),
            fix="Reset the stream.",
        )


def require_one(streams: int) -> None:
    """Refuse a single token where there is not a single stream.

    Raises:
        ShapeError: Other than one stream.
    """
    if streams != 1:
        raise ShapeError(
            "token",
            expected="a machine of one stream",
            got=f"one of {streams}",
            fix="Use advance, with one token per stream.",
        )


def _require(name: str, inside: np.ndarray) -> None:
    if not inside.all():
        index = tuple(int(k) for k in np.argwhere(~inside)[0])
        raise RangeError(
            f"state of '{name}', index {index}",
            expected="a value within the program's range certificate",
            got="one outside",
            fix="Use a state that a stream of this program has returned.",
        )


def _read_only(where: str, value: object, axes: int) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype != np.int64 or value.ndim != axes:
        got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else str(type(value))
        raise ShapeError(
            where,
            expected=f"an int64 array with {axes} axes",
            got=got,
            fix="Take a state from a stream instead of building it.",
        )
    if not value.flags.writeable and value.base is None:
        return value
    copy = np.array(value, order="C")
    copy.setflags(write=False)
    return copy


def _ending(arrays: Mapping[str, np.ndarray], suffix: str) -> Iterator[tuple[str, np.ndarray]]:
    return ((k.removesuffix(suffix), v) for k, v in arrays.items() if k.endswith(suffix))
