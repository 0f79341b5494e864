"""Two engines on the same tokens, by every way in: how many values are equal, where they part.

    trace             the messages of every node at every token
    all at once       all streams, all tokens in one call: scores, then the state
    in chunks         1, 2, 3, 5, 8 … tokens a call, each on a fresh machine that goes on from the
                      state of the one before
    token by token    each stream alone through `Machine.token`, which admits real numbers as well

Equal means `==`. Where scores or states differ, both engines run that stream again in step, to find
the node whose state parted first.

Axes      b stream, l time step, i in, o out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ns4d.engines.base import Engine
from ns4d.engines.reference import Reference
from ns4d.engines.state import State
from ns4d.errors import ShapeError
from ns4d.program import Program
from ns4d.program.tokens import admit_sequences


@dataclass(frozen=True)
class Difference:
    """The first place where an engine gave another integer.

    Args:
        engine: Its name.
        way: How the tokens went in: a name of the table above.
        node: The node, or 'readout'.
        part: What differs: 'message', 'score', 'r', 'tokens_seen', or 'x_re' and 'x_im' with
            the mode in brackets.
        stream, token, channel: Where. A state is that after the token.
        expected: What the other engine gave.
        got: What this one gave.
    """

    engine: str
    way: str
    node: str
    part: str
    stream: int
    token: int
    channel: int
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"engine '{self.engine}' {self.way}: node '{self.node}' {self.part}, "
            f"stream {self.stream}, token {self.token}, channel {self.channel}: "
            f"expected {self.expected}, got {self.got}"
        )


@dataclass(frozen=True)
class Comparison:
    """What came of comparing one engine on one program.

    Args:
        engine: Its name.
        values: How many integers were compared, up to the way in that showed a difference.
        difference: The first one, or None if all are equal.
    """

    engine: str
    values: int
    difference: Difference | None


def compare(
    engine: Engine, program: Program, sequences: np.ndarray, against: Engine | None = None
) -> Comparison:
    """Run an engine by every way in and compare each integer with those of another engine.

    Args:
        engine: The engine on trial.
        program: What both run.
        sequences: (b, l, i) real numbers or messages, each from zero state.
        against: The engine that is right; the reference if None.

    Returns:
        The number of values, and the first difference in the order of the table above.

    Raises:
        ShapeError: Illegal sequences, or an engine that returns arrays of another shape or type.
        RangeError: An illegal token.
    """
    right = Reference() if against is None else against
    u = admit_sequences(program.arithmetic, program.input, sequences)
    values = 0
    for way, pairs in _ways(engine, right, program, sequences, u):
        found = []
        for origin, wanted, got in pairs:
            values += wanted.size
            found += _first_unequal(engine.name, way, origin, wanted, got)
        if found:
            # Of one token, the pairs come in the order in which a mistake spreads.
            first = min(found, key=lambda difference: difference.token)
            if first.part != "message":
                stream = slice(first.stream, first.stream + 1)
                first = _located(engine, right, program, sequences[first.stream], u[stream], first)
            return Comparison(engine.name, values, first)
    return Comparison(engine.name, values, None)


@dataclass(frozen=True)
class _Origin:
    """Of what the arrays of a pair are: (b, l, o) for every token, or (b, …) after `token`."""

    node: str
    part: str
    stream: int = 0
    token: int | None = None


Pair = tuple[_Origin, np.ndarray, np.ndarray]


def _ways(
    engine: Engine, right: Engine, program: Program, sequences: np.ndarray, u: np.ndarray
) -> Iterator[tuple[str, Iterable[Pair]]]:
    """Name of a way in -> the arrays to compare, computed when they are asked for."""
    yield "trace", _messages(engine, right, program, u)
    machine = right.load(program, len(u))
    scores = machine.advance(u)
    state = machine.state
    yield "all at once", _outcome(scores, state, *_at_once(engine, program, u))
    yield "in chunks", _outcome(scores, state, *_in_chunks(engine, program, u))
    for k in range(len(u)):
        alone = scores[k : k + 1], _of_stream(state, k)
        yield "token by token", _outcome(*alone, *_by_token(engine, program, sequences[k]), k)


def _messages(engine: Engine, right: Engine, program: Program, u: np.ndarray) -> Iterator[Pair]:
    wanted, got = right.trace(program, u), engine.trace(program, u)
    names = [node.name for node in program.nodes]
    if set(got) != set(names):
        raise _malformed(engine.name, "trace", f"the nodes {names}", str(sorted(got)))
    yield from ((_Origin(name, "message"), wanted[name], got[name]) for name in names)


def _at_once(engine: Engine, program: Program, u: np.ndarray) -> tuple[np.ndarray, State]:
    machine = engine.load(program, len(u))
    return machine.advance(u), machine.state


def _in_chunks(engine: Engine, program: Program, u: np.ndarray) -> tuple[np.ndarray, State]:
    machine = engine.load(program, len(u))
    done, size, following, scores = 0, 1, 2, []
    while done < u.shape[1]:
        state, machine = machine.state, engine.load(program, len(u))
        machine.state = state
        scores.append(machine.advance(u[:, done : done + size]))
        done, size, following = done + size, following, size + following
    return np.concatenate(scores, axis=1), machine.state


def _by_token(engine: Engine, program: Program, tokens: np.ndarray) -> tuple[np.ndarray, State]:
    machine = engine.load(program, 1)
    # Joined at the end: scores that a later token overwrites are found out.
    scores = [machine.token(token) for token in tokens]
    return np.array(scores)[None], machine.state


def _outcome(
    wanted: np.ndarray, after: State, scores: np.ndarray, state: State, stream: int = 0
) -> list[Pair]:
    scored = (_Origin("readout", "score", stream), wanted, scores)
    return [scored, *_states(after, state, stream, wanted.shape[1] - 1)]


def _states(wanted: State, got: State, stream: int, token: int) -> Iterator[Pair]:
    """In the order of the nodes, the read-out last."""
    for node in wanted.x_re:
        for part in ("x_re", "x_im"):
            origin = _Origin(node, part, stream, token)
            yield origin, getattr(wanted, part)[node], getattr(got, part)[node]
    yield _Origin("readout", "r", stream, token), wanted.r, got.r
    seen = [np.array([[state.tokens_seen]]) for state in (wanted, got)]
    yield _Origin("readout", "tokens_seen", stream, token), seen[0], seen[1]


def _of_stream(state: State, k: int) -> State:
    x_re, x_im = ({n: x[k : k + 1] for n, x in part.items()} for part in (state.x_re, state.x_im))
    return State(x_re, x_im, state.r[k : k + 1], state.tokens_seen)


def _located(
    engine: Engine,
    right: Engine,
    program: Program,
    raw: np.ndarray,
    u: np.ndarray,
    found: Difference,
) -> Difference:
    """The node whose state parts first in this stream alone; as found if none does."""
    tried, trusted = engine.load(program, 1), right.load(program, 1)
    for token in range(found.token + 1):
        trusted.advance(u[:, token : token + 1])
        if found.way == "token by token":
            tried.token(raw[token])
        else:
            tried.advance(u[:, token : token + 1])
        for origin, wanted, got in _states(trusted.state, tried.state, found.stream, token):
            for difference in _first_unequal(engine.name, found.way, origin, wanted, got):
                return difference
    return found


def _first_unequal(
    engine: str, way: str, origin: _Origin, wanted: np.ndarray, got: object
) -> list[Difference]:
    """The first difference by token, then stream, then channel; or nothing."""
    if not isinstance(got, np.ndarray) or got.dtype != np.int64 or got.shape != wanted.shape:
        given = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
        where = f"{way}, node '{origin.node}' {origin.part}"
        raise _malformed(engine, where, f"int64 {wanted.shape}", given)
    unequal = wanted != got
    if not unequal.any():
        return []
    part = origin.part
    if origin.token is None:
        by_token = unequal.swapaxes(0, 1)
        token, stream, channel = _first(by_token)
        place = stream, token, channel
    else:
        token, place = origin.token, _first(unequal)
        stream, channel = place[:2]
        part = f"{part}[{place[2]}]" if len(place) == 3 else part
    values = int(wanted[place]), int(got[place])
    stream += origin.stream
    return [Difference(engine, way, origin.node, part, stream, token, channel, *values)]


def _first(unequal: np.ndarray) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(int(unequal.argmax()), unequal.shape))


def _malformed(engine: str, where: str, expected: str, got: str) -> ShapeError:
    return ShapeError(
        f"engine '{engine}', {where}",
        expected=expected,
        got=got,
        fix="Correct the engine; see ns4d.engines.base.",
    )
