"""All contestants of a contest compute what the definition says, on every token that is timed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ns4d.bench import streaming_contests, streaming_subjects
from ns4d.bench.streaming import contests
from ns4d.bench.streaming_contests import (
    COMPILED,
    CONVOLUTION,
    EAGER,
    FLOAT_TOLERANCE,
    ONNX,
    sequence_contest,
    stream_contest,
    token_contest,
)
from ns4d.bench.streaming_race import OURS, Contestant, race
from ns4d.bench.streaming_subjects import Subject, definition
from ns4d.bench.streaming_torch import can_compile
from ns4d.engines import Reference
from ns4d.errors import RangeError
from ns4d.model import Norm
from streaming_subject import LENGTH, PLAN, tiny_network, tiny_subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    return tiny_subject()


def build(subject: Subject, kind: str) -> list[Contestant]:
    with torch.inference_mode():
        return contests(subject, PLAN)[kind].build()


def families(contestants: list[Contestant]) -> dict[str, int]:
    names = [contestant.family for contestant in contestants]
    return {name: names.count(name) for name in names}


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_all_contestants_agree_with_the_definition(subject: Subject, kind: str) -> None:
    with torch.inference_mode():
        timings = race(build(subject, kind), rounds=3, units=1)
    assert all(len(timing.seconds) == 3 for timing in timings)


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_batch_normalization_is_folded_for_all(kind: str) -> None:
    network, folded = tiny_network(norm=Norm.BATCH), tiny_subject(Norm.BATCH)
    with torch.inference_mode():
        expected, found = network(folded.normalized), folded.network(folded.normalized)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        race(build(folded, kind), rounds=3, units=1)  # compares every contestant


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_ours_allows_no_difference(subject: Subject, kind: str) -> None:
    for contestant in build(subject, kind):
        ours = contestant.family == OURS
        assert contestant.tolerance == (0.0 if ours else FLOAT_TOLERANCE)
        assert all(scores.dtype.kind == ("i" if ours else "f") for scores in contestant.expected)


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_names_are_distinct(subject: Subject, kind: str) -> None:
    names = [contestant.name for contestant in build(subject, kind)]
    assert len(set(names)) == len(names)


def test_who_takes_part(subject: Subject) -> None:
    programs = len(subject.programs)
    assert families(build(subject, "tokens")) == {EAGER: 2, ONNX: 4, OURS: 2 * programs}
    assert families(build(subject, "streams")) == {EAGER: 2, OURS: programs}
    assert families(build(subject, "sequences")) == {CONVOLUTION: 1, OURS: programs}


def test_compiled_steps_take_part_where_there_is_a_compiler(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[dict] = []

    def compile_nothing(module: torch.nn.Module, **options: object) -> torch.nn.Module:
        wanted.append(options)
        return module

    monkeypatch.setattr(torch, "compile", compile_nothing)
    with torch.inference_mode():
        contest = token_contest(subject, 1, compiled=True)
        assert families(contest)[COMPILED] == len(streaming_contests.COMPILE_OPTIONS)
        race(contest, rounds=1, units=1)
    assert {options.get("mode") for options in wanted} == {None, "max-autotune"}
    assert all(options["fullgraph"] for options in wanted)


COMPILED_RACE = """
import torch
from ns4d.bench.streaming_contests import COMPILED, token_contest
from ns4d.bench.streaming_race import race
from streaming_subject import tiny_subject

with torch.inference_mode():
    contest = token_contest(tiny_subject(), 1, compiled=True)
    race([c for c in contest if c.family == COMPILED][:1], rounds=1, units=1)
"""


def test_the_compiler_itself_gives_the_same_function() -> None:
    """The one test that runs the C++ compiler; in a process whose annotations are not enforced."""
    if not can_compile():
        pytest.skip("no C++ compiler")
    tests = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", COMPILED_RACE],
        env={**os.environ, "PYTHONPATH": f"{tests.parent / 'src'}{os.pathsep}{tests}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_tokens_are_whole_sequences_from_zero_state(subject: Subject) -> None:
    contest = build(subject, "tokens")
    network = subject.network
    with torch.inference_mode():
        logits = network(subject.normalized[: PLAN.blocks]).numpy()
    for contestant in contest:
        assert len(contestant.expected) == PLAN.blocks
        if contestant.family != OURS:
            np.testing.assert_allclose(np.stack(contestant.expected), logits, atol=1e-4)
    for label, program in subject.programs.items():
        scores = program.run(subject.tokens[: PLAN.blocks], engine=Reference())
        for form in ("real tokens", "integer tokens"):
            (ours,) = (c for c in contest if c.name == f"{OURS} {label}, {form}")
            np.testing.assert_array_equal(np.stack(ours.expected), scores)


def test_streams_go_on_from_block_to_block(subject: Subject) -> None:
    """The second block's scores are those of both blocks' tokens, in every stream."""
    blocks, tokens, streams = 2, 3, 5
    with torch.inference_mode():
        contest = stream_contest(subject, streams, blocks, tokens, compiled=False)
    start = (LENGTH - blocks * tokens) // 2
    raw = subject.tokens[np.arange(streams) % len(subject.tokens)][:, start : start + 6]
    for label, program in subject.programs.items():
        (ours,) = (c for c in contest if c.name == f"{OURS} {label}")
        for block in range(blocks):
            scores = program.run(raw[:, : tokens * (block + 1)], engine=Reference())
            np.testing.assert_array_equal(ours.expected[block], scores)


def test_a_stream_that_is_not_reset_is_caught(subject: Subject) -> None:
    contest = build(subject, "streams")
    for contestant in (contest[0], contest[-1]):
        endless = replace(contestant, prepare=lambda _: None)
        with torch.inference_mode():
            race([endless], rounds=0, units=1)
            with pytest.raises(RangeError, match="A time for another function says nothing"):
                race([endless], rounds=0, units=1)


def test_sequences_fill_the_batch(subject: Subject) -> None:
    with torch.inference_mode():
        contest = sequence_contest(subject, 5)
    for contestant in contest:
        (scores,) = contestant.expected
        assert len(scores) == 5
        np.testing.assert_array_equal(scores[0], scores[len(subject.tokens)])


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_a_wrong_program_is_caught(
    subject: Subject, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine runs one program, the definition says what another one computes."""
    first, *_, last = subject.programs.values()
    assert first != last
    for module in (streaming_contests, streaming_subjects):
        monkeypatch.setattr(module, "definition", lambda _, raw: definition(first, raw))
    swapped = replace(subject, programs={"swapped": last})
    with torch.inference_mode(), pytest.raises(RangeError, match="benchmark, ns4d swapped"):
        race(contests(swapped, PLAN)[kind].build(), rounds=0, units=1)


@pytest.mark.parametrize("kind", ["tokens", "streams", "sequences"])
def test_a_wrong_float_network_is_caught(subject: Subject, kind: str) -> None:
    """The baselines run another network than the one whose logits are expected."""
    contest = build(subject, kind)
    other = build(replace(subject, network=tiny_network(seed=1)), kind)
    mixed = [
        replace(theirs, run=ours.run)
        for theirs, ours in zip(other, contest, strict=True)
        if theirs.family != OURS
    ]
    for contestant in mixed:
        with torch.inference_mode(), pytest.raises(RangeError, match="within"):
            race([contestant], rounds=0, units=1)
