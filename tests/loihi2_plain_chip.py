"""The chip in plain Python: steps, spikes in flight, neurons one by one. The law of `simulate`.

Nothing here is shared with the compiled steps but the program. A spike is an entry of a queue with
the step in which it arrives; a neuron sees what has arrived, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from ns4d.numerics import ProductRounding, SynapseRounding
from ns4d.program import S4D, Add, Dense, Descale, Program


def floor(p: int, s: int) -> int:
    return p // 2**s


def toward_zero(p: int, s: int) -> int:
    return abs(p) // 2**s * (1 if p >= 0 else -1)


def half_up(p: int, s: int) -> int:
    return (2 * p + 2**s) // 2 ** (s + 1)


@dataclass
class Part:
    """Neurons that act together.

    Args:
        name, stage: Of the population.
        node: Of the program; None for the input and the read-out.
        adds_up: Of an S4D node, whether it is the second population.
    """

    name: str
    stage: int
    node: Dense | S4D | Add | None = None
    adds_up: bool = False


@dataclass
class PlainChip:
    """One stream on a chip. `acted` has (step, stage, token) of everything that acted."""

    program: Program
    period: int
    acted: list[tuple[int, int, int]] = field(default_factory=list)
    spikes: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    synops: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.parts = [Part("input", 0)]
        for node in self.program.nodes:
            for adds_up in (False, True) if isinstance(node, S4D) else (False,):
                self.parts.append(Part(node.name, len(self.parts), node, adds_up))
        self.parts.append(Part("readout", len(self.parts)))
        self.x: dict[tuple[str, int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.r = [0] * self.program.readout.outputs
        # (step of arrival, stage, whether by the skip) -> sender -> message
        self.flying: dict[tuple[int, int, bool], dict[int, int]] = defaultdict(dict)

    def run(self, tokens: list[list[int]]) -> list[list[int]]:
        """The scores after every token; the chip is empty again when this returns."""
        scores: dict[int, list[int]] = {}
        step = 0
        while len(scores) < len(tokens):
            for part in reversed(self.parts):
                token, phase = divmod(step - part.stage, self.period)
                if phase == 0 and 0 <= token < len(tokens):
                    self.acted.append((step, part.stage, token))
                    self._act(part, step, token, tokens, scores)
            step += 1
        self.steps = step
        assert all(not heard for heard in self.flying.values()), "spikes that nobody heard"
        return [scores[token] for token in range(len(tokens))]

    def _act(self, part: Part, step: int, token: int, tokens, scores) -> None:
        direct = self.flying.pop((step, part.stage, False), {})
        skipped = self.flying.pop((step, part.stage, True), {})
        if part.stage == 0:
            sent = tokens[token]
        elif part.name == "readout":
            bias = self.program.readout.bias
            rows = self.program.readout.weight
            self._count(part, token, [(rows[:, i], m) for i, m in direct.items()])
            self.r = [r + self._dot(row, direct) for r, row in zip(self.r, rows, strict=True)]
            scores[token] = [r + (token + 1) * int(b) for r, b in zip(self.r, bias, strict=True)]
            return
        else:
            sent = self._messages(part, token, direct, skipped)
        self._send(part, step, token, sent)

    def _messages(self, part: Part, token: int, direct, skipped) -> list[int]:
        node = part.node
        if isinstance(node, Dense):
            self._count(part, token, [(node.weight[:, i], m) for i, m in direct.items()])
            v = [
                self._dot(row, direct) + int(b)
                for row, b in zip(node.weight, node.bias, strict=True)
            ]
        elif isinstance(node, Add):
            self._count(part, token, [(node.weight[i : i + 1], m) for i, m in direct.items()])
            self._count(part, token, [(node.skip[i : i + 1], m) for i, m in skipped.items()])
            v = [
                int(node.weight[h]) * direct.get(h, 0) + int(node.skip[h]) * skipped.get(h, 0)
                for h in range(node.outputs)
            ]
        elif not part.adds_up:
            assert isinstance(node, S4D)
            self.synops[token, part.stage] += len(direct) * node.modes
            return [
                self._neuron(node, h, n, direct.get(h, 0))
                for h in range(node.outputs)
                for n in range(node.modes)
            ]
        else:
            assert isinstance(node, S4D)
            self.synops[token, part.stage] += len(direct)
            v = [
                sum(direct.get(h * node.modes + n, 0) for n in range(node.modes))
                for h in range(node.outputs)
            ]
            if self._exact:
                v = [half_up(k, max(node.c_shift[h], node.d_shift[h])) for h, k in enumerate(v)]
        return [self._descaled(node.descale, h, k) for h, k in enumerate(v)]

    @property
    def _exact(self) -> bool:
        return self.program.arithmetic.product_rounding is ProductRounding.SUM_HALF_UP

    def _total(self, terms: list[tuple[int, int]]) -> int:
        if not self._exact:
            return sum(toward_zero(p, s) for p, s in terms)
        top = max(s for _, s in terms)
        return half_up(sum(p * 2 ** (top - s) for p, s in terms), top)

    def _neuron(self, node: S4D, h: int, n: int, u: int) -> int:
        """(1), (2); what it sends is its part of (3), with D·u if it is the first."""
        ar, ai, br, bi, cr, ci = (
            int(getattr(node, name)[h, n])
            for name in ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")
        )
        sa, sb, sc, sd = (
            node.a_shift,
            *(int(getattr(node, name)[h]) for name in ("b_shift", "c_shift", "d_shift")),
        )
        xr, xi = self.x[node.name, h, n]
        most = self.program.arithmetic.state_max
        xr, xi = (
            min(max(self._total(terms), -most), most)
            for terms in (
                [(ar * xr, sa), (-ai * xi, sa), (br * u, sb)],
                [(ar * xi, sa), (ai * xr, sa), (bi * u, sb)],
            )
        )
        self.x[node.name, h, n] = xr, xi
        d = int(node.d[h]) * u if n == 0 else 0
        if self._exact:
            top = max(sc, sd)
            return (cr * xr - ci * xi) * 2 ** (top - sc) + d * 2 ** (top - sd)
        return toward_zero(cr * xr, sc) - toward_zero(ci * xi, sc) + toward_zero(d, sd)

    def _descaled(self, descale: Descale, h: int, v: int) -> int:
        floors = self.program.arithmetic.synapse_rounding is SynapseRounding.FLOOR
        p = (floor if floors else half_up)(v * int(descale.multiplier[h]), descale.shift)
        limit = int(descale.limit[h])
        return min(max(p, 0 if descale.relu else -limit), limit)

    def _send(self, part: Part, step: int, token: int, sent: list[int]) -> None:
        events = {k: int(m) for k, m in enumerate(sent) if m}
        self.spikes[token, part.stage] += len(events)
        if events:
            self.flying[step + 1, part.stage + 1, False] = events
        for other in self.parts:
            is_source = isinstance(other.node, Add) and other.node.source == part.name
            if events and is_source and self._sends_messages(part):
                arrival = step + other.stage - part.stage
                self.flying[arrival, other.stage, True] = dict(events)

    @staticmethod
    def _sends_messages(part: Part) -> bool:
        return part.adds_up or not isinstance(part.node, S4D)

    def _count(self, part: Part, token: int, heard: list[tuple[np.ndarray, int]]) -> None:
        self.synops[token, part.stage] += sum(int(np.count_nonzero(column)) for column, _ in heard)

    @staticmethod
    def _dot(row: np.ndarray, heard: dict[int, int]) -> int:
        return sum(int(row[i]) * m for i, m in heard.items())
