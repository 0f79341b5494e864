"""Many sequences at once: padding, slices, engines of one's own, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ns4d.engines import Engine, Reference, run
from ns4d.errors import RangeError, ShapeError
from program_strategies import random_program


@pytest.fixture
def program():
    return random_program(np.random.default_rng(2), inputs=2, layers=1)


class Counting:
    """The reference engine in slices of another size, with a record of them."""

    name = "counting"

    def __init__(self, batch):
        self.batch = batch
        self.seen = []

    def load(self, program, streams):
        self.seen.append(streams)
        return Reference().load(program, streams)

    def trace(self, program, u):
        return Reference().trace(program, u)


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_slices_never_change_a_score(program, size):
    u = np.random.default_rng(0).integers(-2047, 2048, (10, 5, 2))
    engine = Counting(size)
    assert isinstance(engine, Engine)
    np.testing.assert_array_equal(program.run(u, engine=engine), program.run(u))
    assert sum(engine.seen) == 10
    assert max(engine.seen) == min(size, 10)


def test_padding_never_counts(program):
    rng = np.random.default_rng(0)
    u = rng.integers(-2047, 2048, (4, 9, 2))
    lengths = np.array([9, 1, 4, 9])
    padded = u.copy()
    for b, length in enumerate(lengths):
        padded[b, length:] = rng.integers(-2047, 2048, (9 - length, 2))
    np.testing.assert_array_equal(program.run(u, lengths), program.run(padded, lengths))
    np.testing.assert_array_equal(program.run(u)[0], program.run(u, lengths)[0])


def test_no_sequences_give_no_scores(program):
    assert program.run(np.zeros((0, 5, 2))).shape == (0, 3)


def test_scores_are_64_bit(program):
    assert program.run(np.zeros((1, 1, 2))).dtype == np.int64


def test_run_is_what_the_program_calls(program):
    u = np.ones((2, 3, 2), int)
    np.testing.assert_array_equal(run(Reference(), program, u), program.run(u))


@pytest.mark.parametrize(
    ("lengths", "kind", "message"),
    [
        (np.array([0, 3]), RangeError, r"^lengths, index \(0,\): expected 1 to 3, got 0\."),
        (np.array([3, 4]), RangeError, r"^lengths, index \(1,\): expected 1 to 3, got 4\."),
        (np.array([3]), ShapeError, r"^lengths: expected an integer array of shape \(2,\)"),
        (np.array([3.0, 3.0]), ShapeError, r"^lengths: expected an integer array .* got float64"),
    ],
)
def test_illegal_lengths_are_refused(program, lengths, kind, message):
    with pytest.raises(kind, match=message):
        program.run(np.zeros((2, 3, 2)), lengths)


def test_no_tokens_are_refused(program):
    with pytest.raises(RangeError, match=r"^lengths, index \(0,\): expected 1 to 0, got 0\."):
        program.run(np.zeros((2, 0, 2)))


def test_an_illegal_token_names_its_place(program):
    tokens = np.zeros((3, 4, 2))
    tokens[1, 2, 0] = -math.inf
    with pytest.raises(
        RangeError, match=r"^sequence 1, token 2, channel 0: expected a finite number, got -inf\."
    ):
        program.run(tokens)
    messages = np.zeros((3, 4, 2), int)
    messages[2, 0, 1] = -2048
    with pytest.raises(
        RangeError,
        match=r"^sequence 2, token 0, channel 1: expected an integer message from -2047 to 2047, "
        r"got -2048\. Pass floats to have them quantized\.$",
    ):
        program.run(messages)


def test_a_missing_axis_is_refused(program):
    with pytest.raises(
        ShapeError,
        match=r"^tokens: expected a NumPy array of shape \(b, l, i\) with i = 2, got shape \(4,",
    ):
        program.run(np.zeros((4, 2)))
