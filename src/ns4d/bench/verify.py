"""`ns4d verify`: what is proved about a program, then every engine on the same tokens.

A program is *certified* if no input whatever can saturate a state, else *calibrated*: it saturates
on purpose. No accumulator of either can overflow; otherwise the program could not be built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ns4d.bench.program_data import data_of
from ns4d.bench.tables import Origin, Table
from ns4d.data import Split
from ns4d.engines import Engine
from ns4d.engines.compare import Comparison, compare
from ns4d.engines.table import ENGINES as CPU_ENGINES
from ns4d.errors import DataError
from ns4d.loihi2.engines import CHIP_ENGINES
from ns4d.numerics import Arithmetic
from ns4d.program import NodeRange, Program

STREAMS, TOKENS, SEED = 8, 64, 0

# Everything that computes programs: on this machine, or a simulated chip in either mode.
ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType({**CPU_ENGINES, **CHIP_ENGINES})


@dataclass(frozen=True)
class Span:
    """A proved bound against what there is room for.

    Args:
        bound: Largest magnitude that any input can lead to.
        room: Largest magnitude that the width holds.
    """

    bound: int
    room: int

    @property
    def spare_bits(self) -> int:
        """How many bits of the width no input ever uses."""
        return self.room.bit_length() - self.bound.bit_length()


@dataclass(frozen=True)
class NodeProof:
    """One row of the certificate.

    Args:
        name: The node, or 'readout'.
        accumulator: The largest over channels.
        states: The largest over states; None without states.
        message: The largest over channels; None for the read-out.
        state_count: Complex states of the node.
        may_saturate: How many of them are not proved free of saturation.
    """

    name: str
    accumulator: Span
    states: Span | None
    message: Span | None
    state_count: int
    may_saturate: int


@dataclass(frozen=True)
class Verification:
    """What `ns4d verify` found.

    Args:
        program: The program.
        proofs: One per node, then the read-out.
        comparisons: One per engine.
        source: Where the tokens came from.
        streams, tokens: How many sequences of at most how many tokens.
    """

    program: Program
    proofs: tuple[NodeProof, ...]
    comparisons: tuple[Comparison, ...]
    source: str
    streams: int
    tokens: int

    @property
    def equal(self) -> bool:
        """Whether every engine gave the same integers throughout."""
        return all(found.difference is None for found in self.comparisons)

    @property
    def may_saturate(self) -> int:
        """How many states of the whole program may saturate."""
        return sum(proof.may_saturate for proof in self.proofs)

    @property
    def verdict(self) -> str:
        """'certified' or 'calibrated'."""
        return "calibrated" if self.may_saturate else "certified"

    @property
    def rates(self) -> dict[str, Any]:
        """What the provenance says about saturation on the calibration data."""
        noted = self.program.metadata.provenance
        return {name: noted[name] for name in sorted(noted) if "saturat" in name}

    @property
    def given(self) -> str:
        """What the engines were compared on."""
        return f"{self.streams} sequences of {self.tokens} tokens ({self.source})"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "digest": self.program.digest,
            "verdict": self.verdict,
            "states": sum(proof.state_count for proof in self.proofs),
            "may_saturate": self.may_saturate,
            "saturation": self.rates,
            "safe_tokens": self.program.safe_tokens,
            "nodes": [_plain_proof(proof) for proof in self.proofs],
            "tokens": {"source": self.source, "streams": self.streams, "tokens": self.tokens},
            "equal": self.equal,
            "engines": [_plain_comparison(found) for found in self.comparisons],
        }

    def lines(self) -> list[str]:
        """The verdict, then one line per engine."""
        states = sum(proof.state_count for proof in self.proofs)
        if self.may_saturate:
            first = f"calibrated: {self.may_saturate} of {states} states may saturate"
        else:
            first = "certified: no input can overflow an accumulator or saturate a state"
        rates = [f"provenance {name} = {value}" for name, value in self.rates.items()]
        engines = [
            f"engine {found.engine}: {found.values} values equal to the reference's, {self.given}"
            for found in self.comparisons
            if found.difference is None
        ]
        return [first, *rates, *engines]

    def differences(self) -> list[str]:
        """One line per engine that gave another integer."""
        return [str(found.difference) for found in self.comparisons if found.difference]

    @property
    def table(self) -> Table:
        """The certificate."""
        arithmetic = self.program.arithmetic
        columns = (
            "node",
            f"accumulator\nof {arithmetic.accumulator_max}",
            f"state\nof {arithmetic.state_max}",
            f"message\nof {arithmetic.message_max}",
            "may\nsaturate",
        )
        rows = tuple(
            (
                proof.name,
                *map(_cell, (proof.accumulator, proof.states, proof.message)),
                f"{proof.may_saturate}/{proof.state_count}" if proof.state_count else "",
            )
            for proof in self.proofs
        )
        return Table("No input exceeds (bits to spare)", columns, rows, Origin.PROVED)


def verify(
    program: Program,
    data_dir: Path | None = None,
    engines: Iterable[Engine] | None = None,
    test: Split | None = None,
) -> Verification:
    """Read off what is proved, and compare every engine with the reference.

    Args:
        program: Already loaded: its certificate has been proved again by that.
        data_dir: Folder of data sets; see `tokens_for`.
        engines: Which to try; all of `ENGINES` if None.
        test: The test part of the program's task, if it is loaded already.

    Returns:
        The certificate with one comparison per engine, stopped at its first difference.

    Raises:
        DataError: data_dir lacks the data of the task, or they are damaged.
        ConfigError: data_dir is no folder.
    """
    source, parts = tokens_for(program, data_dir, test)
    tried = [make() for make in ENGINES.values()] if engines is None else engines
    comparisons = tuple(_compared(engine, program, parts) for engine in tried)
    streams, tokens = sum(len(part) for part in parts), max(part.shape[1] for part in parts)
    return Verification(program, prove(program), comparisons, source, streams, tokens)


def _compared(engine: Engine, program: Program, parts: Iterable[np.ndarray]) -> Comparison:
    """On one part after the other, until there is a difference."""
    values = 0
    for part in parts:
        found = compare(engine, program, part)
        values += found.values
        if found.difference is not None:
            return replace(found, values=values)
    return Comparison(engine.name, values, None)


def prove(program: Program) -> tuple[NodeProof, ...]:
    """The certificate of a program, one row per node with the read-out last."""
    limits = [*(int(node.descale.limit.max()) for node in program.nodes), None]
    return tuple(
        _proof(program.arithmetic, proved, limit)
        for proved, limit in zip(program.ranges, limits, strict=True)
    )


def tokens_for(
    program: Program, data_dir: Path | None = None, test: Split | None = None
) -> tuple[str, tuple[np.ndarray, ...]]:
    """Generated sequences, after real ones of the program's task where these are at hand.

    Data are at hand if they are given as `test`, or the task is bundled, or in `data_dir`, or in
    the folder that NS4D_DATA names: nothing is downloaded.

    Returns:
        Where they come from, and parts of shape (b, l, i): raw tokens, messages.
    """
    test = _at_hand(program, data_dir) if test is None else test
    real, made = _real(program, test), generated(program)
    if real is None:
        return "generated", (made,)
    source = f"from the middle of test sequences of {program.metadata.task}; generated"
    return source, (real, made)


def _at_hand(program: Program, data_dir: Path | None) -> Split | None:
    """The test part of the task, or None."""
    from ns4d.data import TASKS
    from ns4d.data.tasks import DATA_VARIABLE

    task = TASKS.get(program.metadata.task)
    if task is None or not (task.bundled or data_dir or os.environ.get(DATA_VARIABLE)):
        return None
    try:
        return data_of(program, data_dir).test
    except (DataError, ImportError):
        # Nobody named this folder, and `pip install ns4d` brings no scikit-learn for the digits.
        if data_dir is not None:
            raise
        return None


def _real(program: Program, test: Split | None) -> Float64[np.ndarray, "b l i"] | None:
    """Raw tokens, or None if there are none of the program's size."""
    if test is None or test.tokens.shape[2] != program.inputs:
        return None
    # The middle: the first rows of a handwritten digit are blank. Raw bytes would pass for
    # messages; equation (0) takes real numbers.
    first = max(test.tokens.shape[1] - TOKENS, 0) // 2
    return test.tokens[:STREAMS, first : first + TOKENS].astype(np.float64)


def generated(program: Program) -> Int64[np.ndarray, "b l i"]:
    """Messages at the edges: zero, largest, smallest, alternating, a pulse, then random ones."""
    top = program.arithmetic.message_max
    u = np.random.default_rng(SEED).integers(-top, top + 1, (STREAMS, TOKENS, program.inputs))
    u[0], u[1], u[2], u[4] = 0, top, -top, 0
    u[3] = top * (-1) ** np.arange(TOKENS)[:, None]
    u[4, 0] = top
    return u


def _proof(arithmetic: Arithmetic, proved: NodeRange, limit: int | None) -> NodeProof:
    states = proved.states
    return NodeProof(
        proved.name,
        Span(int(proved.accumulator.max()), proved.accumulator_max),
        None if states is None else Span(int(states.max()), proved.state_max),
        None if limit is None else Span(limit, arithmetic.message_max),
        0 if states is None else states.size,
        proved.may_saturate,
    )


def _cell(span: Span | None) -> str:
    return "" if span is None else f"{span.bound} ({span.spare_bits})"


def _plain_span(span: Span | None) -> dict[str, int] | None:
    if span is None:
        return None
    return {"bound": span.bound, "available": span.room, "spare_bits": span.spare_bits}


def _plain_proof(proof: NodeProof) -> dict[str, Any]:
    return {
        "node": proof.name,
        "accumulator": _plain_span(proof.accumulator),
        "states": _plain_span(proof.states),
        "message": _plain_span(proof.message),
        "state_count": proof.state_count,
        "may_saturate": proof.may_saturate,
    }


def _plain_comparison(found: Comparison) -> dict[str, Any]:
    difference = None if found.difference is None else vars(found.difference)
    return {"engine": found.engine, "values": found.values, "difference": difference}
