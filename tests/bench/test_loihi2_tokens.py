"""Tokens for a simulation: three sources, one at a time, refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from loihi2_programs import shaped
from ns4d.bench.loihi2_tokens import GENERATED, tokens_for
from ns4d.errors import ConfigError, DataError
from ns4d.program import Program
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(0), inputs=2)
TOKENS = np.random.default_rng(1).normal(size=(25, 2))


@pytest.fixture
def digits() -> Program:
    """A program that says it was made for the bundled digits."""
    pytest.importorskip("sklearn")
    program = shaped(4, 3, classes=10)
    object.__setattr__(program.metadata, "task", "digits")
    return program


def test_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TOKENS)
    name, found = tokens_for(PROGRAM, str(tmp_path / "x.npy"), None, None, None)
    assert name == "x.npy"
    assert (found == TOKENS).all()
    assert found.dtype == np.float64


def test_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1 2\n\n3.5, -4\n"))
    name, found = tokens_for(PROGRAM, "-", None, None, None)
    assert name == "standard input"
    assert found.tolist() == [[1.0, 2.0], [3.5, -4.0]]


def test_not_more_than_asked(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TOKENS)
    for count in (1, 10, 99):
        _, found = tokens_for(PROGRAM, str(tmp_path / "x.npy"), None, count, None)
        assert (found == TOKENS[:count]).all()


def test_generated_messages_are_legal_and_always_the_same() -> None:
    name, found = tokens_for(PROGRAM, None, None, None, None)
    assert name == "generated messages"
    assert found.shape == (GENERATED, 2)
    assert (np.abs(found) <= PROGRAM.arithmetic.message_max).all()
    assert (PROGRAM.quantize_input(found) == found).all()
    assert (tokens_for(PROGRAM, None, None, 7, None)[1] == found[:7]).all()


def test_from_the_test_part(digits: Program) -> None:
    from ns4d.data import load_task

    name, found = tokens_for(digits, None, 5, 20, None)
    assert name == "test sequence 5 of digits"
    # Real numbers: raw bytes would pass for messages.
    assert found.dtype == np.float64
    assert (found == load_task("digits").test.tokens[5, :20]).all()


def test_a_sequence_that_is_not_there(digits: Program) -> None:
    with pytest.raises(ConfigError, match="--sequence: expected 0 to 358, the test part of digits"):
        tokens_for(digits, None, 359, None, None)


def test_a_task_that_is_not_known() -> None:
    with pytest.raises(ConfigError, match="expected one of digits"):
        tokens_for(PROGRAM, None, 0, None, None)


def test_one_source_only() -> None:
    with pytest.raises(
        ConfigError, match="tokens: expected one source, got --input and --sequence"
    ):
        tokens_for(PROGRAM, "x.npy", 0, None, None)


def test_no_tokens(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", TOKENS[:0])
    with pytest.raises(DataError, match="expected tokens, got none"):
        tokens_for(PROGRAM, str(tmp_path / "none.npy"), None, None, None)


def test_tokens_of_another_width(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 3)))
    with pytest.raises(DataError, match=r"wide\.npy: expected numbers of shape \(l, 2\)"):
        tokens_for(PROGRAM, str(tmp_path / "wide.npy"), None, None, None)
