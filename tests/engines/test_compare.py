"""The comparison of engines: silent about equal ones, exact about the first planted difference."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ns4d.engines import Reference, State
from ns4d.engines.compare import compare
from ns4d.errors import ShapeError
from program_strategies import ARITHMETICS, random_program

PROGRAM = random_program(
    np.random.default_rng(5), inputs=2, channels=3, modes=2, layers=2, residual=True
)
STREAMS, TOKENS = 2, 9
U = np.random.default_rng(6).integers(-2047, 2048, (STREAMS, TOKENS, 2))
SSM = "layer1.ssm"


@dataclass(frozen=True)
class Mistake:
    """What a dishonest engine adds, and where: token counts from zero state."""

    way: str
    token: int
    channel: int
    node: str = "readout"
    stream: int = 0
    batch: int | None = None  # only in machines of so many streams
    amount: int = 1  # of a state: what decays before it is seen is no difference


class Planted:
    """The reference, but off by one in one node at one token on one way in."""

    name, batch = "planted", 4

    def __init__(self, mistake: Mistake) -> None:
        self.mistake = mistake

    def load(self, program, streams):
        return PlantedMachine(self.mistake, Reference().load(program, streams))

    def trace(self, program, u):
        sent = Reference().trace(program, u)
        if self.mistake.way == "trace":
            sent[self.mistake.node][
                self.mistake.stream, self.mistake.token, self.mistake.channel
            ] += 1
        return sent


class PlantedMachine:
    """A reference machine that tells or keeps something else once."""

    def __init__(self, mistake, machine):
        self.mistake, self.machine = mistake, machine
        self.program, self.streams = machine.program, machine.streams

    @property
    def state(self):
        return self.machine.state

    @state.setter
    def state(self, state):
        self.machine.state = state

    def advance(self, u):
        if self.mistake.way == "advance" and self.mistake.batch in (None, self.streams):
            return np.concatenate([self.one(u[:, k : k + 1]) for k in range(u.shape[1])], axis=1)
        return self.machine.advance(u)

    def token(self, token):
        u = self.program.quantize_input(token)[None, None]
        return (self.one(u) if self.mistake.way == "token" else self.machine.advance(u))[0, 0]

    def one(self, u):
        m = self.mistake
        scores = self.machine.advance(u)
        if self.state.tokens_seen == m.token + 1 and m.node == "readout":
            scores[min(m.stream, self.streams - 1), 0, m.channel] += 1
        elif self.state.tokens_seen == m.token + 1:
            x_im = dict(self.state.x_im)
            x_im[m.node] = x_im[m.node].copy()
            x_im[m.node][min(m.stream, self.streams - 1), m.channel, 1] += m.amount
            self.state = State(self.state.x_re, x_im, self.state.r, m.token + 1)
        return scores


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda arithmetic: arithmetic.name)
def test_the_reference_equals_itself(arithmetic):
    program = random_program(np.random.default_rng(1), arithmetic, 2, 3, 2, 1, 4)
    u = U % (arithmetic.message_max + 1)
    found = compare(Reference(), program, u)
    assert found.difference is None
    messages = 3 * STREAMS * TOKENS * 3
    state = 2 * STREAMS * 3 * 2 + STREAMS * 4
    scores = STREAMS * TOKENS * 4
    assert found.values == messages + 3 * (scores + state) + (1 + 1 + STREAMS)


def test_real_numbers_are_admitted_on_every_way():
    x = np.random.default_rng(0).normal(size=(2, 6, 2))
    assert compare(Reference(), PROGRAM, x).difference is None


@pytest.mark.parametrize("node", ["encoder", "layer0.ssm", "layer0.add", SSM, "layer1.mix"])
def test_a_message_off_by_one_is_named(node):
    found = compare(Planted(Mistake("trace", 4, 2, node, stream=1)), PROGRAM, U).difference
    assert found is not None
    assert (found.way, found.node, found.part) == ("trace", node, "message")
    assert (found.stream, found.token, found.channel) == (1, 4, 2)
    assert found.got == found.expected + 1
    assert found.expected == Reference().trace(PROGRAM, U)[node][1, 4, 2]


def test_the_first_token_comes_before_the_first_node():
    class Twice(Planted):
        def trace(self, program, u):
            sent = super().trace(program, u)
            sent["encoder"][0, 7, 0] += 1
            return sent

    found = compare(Twice(Mistake("trace", 3, 1, "layer1.mix")), PROGRAM, U).difference
    assert found is not None
    assert (found.node, found.token) == ("layer1.mix", 3)


@pytest.mark.parametrize(
    ("way", "named"), [("advance", "all at once"), ("token", "token by token")]
)
@pytest.mark.parametrize("token", [0, 5, TOKENS - 1])
def test_a_score_off_by_one_is_named(way, named, token):
    found = compare(Planted(Mistake(way, token, 1)), PROGRAM, U).difference
    assert found is not None
    assert (found.way, found.node, found.part) == (named, "readout", "score")
    assert (found.stream, found.token, found.channel) == (0, token, 1)
    assert found.got == found.expected + 1


@pytest.mark.parametrize(
    ("way", "named"), [("advance", "all at once"), ("token", "token by token")]
)
@pytest.mark.parametrize("token", [0, 5, TOKENS - 1])
def test_a_state_off_by_one_is_traced_to_its_node(way, named, token):
    found = compare(Planted(Mistake(way, token, 2, SSM, amount=9999)), PROGRAM, U).difference
    assert found is not None
    assert (found.way, found.node, found.part) == (named, SSM, "x_im[1]")
    assert (found.stream, found.token, found.channel) == (0, token, 2)
    assert found.got == found.expected + 9999


def test_a_later_stream_is_named():
    found = compare(Planted(Mistake("advance", 5, 2, SSM, 1, 2, 9999)), PROGRAM, U).difference
    assert found is not None
    assert (found.stream, found.way) == (1, "all at once")


def test_a_stream_that_is_wrong_only_in_company_is_still_found():
    found = compare(Planted(Mistake("advance", 5, 1, stream=1, batch=2)), PROGRAM, U).difference
    assert found is not None
    assert (found.node, found.stream, found.token) == ("readout", 1, 5)


def test_a_state_that_does_not_resume_is_found_in_chunks():
    class Forgetful(PlantedMachine):
        @property
        def state(self):
            return self.machine.state

        @state.setter
        def state(self, state):
            x_re = {**state.x_re, SSM: np.zeros_like(state.x_re[SSM])}
            self.machine.state = State(x_re, state.x_im, state.r, state.tokens_seen)

    class Engine(Planted):
        def load(self, program, streams):
            return Forgetful(self.mistake, Reference().load(program, streams))

    found = compare(Engine(Mistake("never", 0, 0)), PROGRAM, U).difference
    assert found is not None
    assert found.way == "in chunks"


def test_scores_that_are_overwritten_later_are_found():
    class Reusing(PlantedMachine):
        def token(self, token):
            self.buffer = getattr(self, "buffer", np.zeros(3, np.int64))
            self.buffer[:] = super().token(token)
            return self.buffer

    class Engine(Planted):
        def load(self, program, streams):
            return Reusing(self.mistake, Reference().load(program, streams))

    found = compare(Engine(Mistake("never", 0, 0)), PROGRAM, U).difference
    assert found is not None
    assert (found.way, found.token) == ("token by token", 0)


def test_another_engine_can_be_the_one_that_is_right():
    planted = Planted(Mistake("trace", 4, 2, "encoder"))
    found = compare(Reference(), PROGRAM, U, against=planted).difference
    assert found is not None
    assert found.got == found.expected - 1


def test_a_difference_reads_well():
    found = compare(Planted(Mistake("trace", 4, 2, "encoder", stream=1)), PROGRAM, U).difference
    assert re.fullmatch(
        r"engine 'planted' trace: node 'encoder' message, stream 1, token 4, channel 2: "
        r"expected -?\d+, got -?\d+",
        str(found),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sent: sent.pop("encoder"), r"engine 'planted', trace: expected the nodes"),
        (
            lambda sent: sent.update(encoder=sent["encoder"].astype(np.int32)),
            r"trace, node 'encoder' message: expected int64 \(2, 9, 3\), got int32 \(2, 9, 3\)",
        ),
        (lambda sent: sent.update(encoder=sent["encoder"][:1]), r"got int64 \(1, 9, 3\)"),
        (lambda sent: sent.update(encoder=None), r"got NoneType"),
    ],
)
def test_arrays_of_another_form_are_refused(change, message):
    class Engine(Planted):
        def trace(self, program, u):
            sent = super().trace(program, u)
            change(sent)
            return sent

    with pytest.raises(ShapeError, match=message):
        compare(Engine(Mistake("never", 0, 0)), PROGRAM, U)


def test_values_count_up_to_the_way_that_differs():
    mistake = Mistake("token", 2, 0)
    assert (
        compare(Planted(Mistake("trace", 2, 0, "encoder")), PROGRAM, U).values
        < compare(Planted(replace(mistake, way="advance")), PROGRAM, U).values
        < compare(Planted(mistake), PROGRAM, U).values
        < compare(Reference(), PROGRAM, U).values
    )
