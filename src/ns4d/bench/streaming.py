"""The streaming benchmark: contests over sizes, weights, ways in; limits of the machine.

What it returns is plain data, ready for JSON; `ns4d.bench.streaming_tables` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ns4d.bench.streaming_contests import (
    sequence_contest,
    stream_contest,
    token_contest,
    token_entries,
)
from ns4d.bench.streaming_limits import machine_limits
from ns4d.bench.streaming_race import OURS, Contestant, Timing, champions, race, times_faster
from ns4d.bench.streaming_subjects import (
    SIZES,
    Subject,
    build_subject,
    load_data,
    random_data,
    subjects,
)
from ns4d.bench.streaming_torch import can_compile
from ns4d.bench.streaming_work import Work, bounds, messages_sent, work_per_token
from ns4d.environment import environment
from ns4d.model import ModelConfig, Network

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        heat_rounds: Rounds that decide which variant of each baseline takes part.
        rounds: Rounds of the contest token by token.
        long_rounds: Rounds of the contests with many streams and with whole sequences.
        sequences: Test sequences of a subject.
        blocks: Those of them that are streamed token by token.
        streams: Streams that advance together.
        stream_tokens: Tokens of each per round.
        batch: Whole sequences per call.
        cores: Threads of PyTorch in those two contests; the engine takes what there is.
        compiled: Whether `torch.compile` takes part; it needs a C++ compiler.
    """

    heat_rounds: int = 2
    rounds: int = 12
    long_rounds: int = 5
    sequences: int = 4
    blocks: int = 4
    streams: int = 1000
    stream_tokens: int = 4
    batch: int = 64
    cores: int = 2
    compiled: bool = True


def full_plan() -> Plan:
    """The whole benchmark, without `torch.compile` where there is no C++ compiler."""
    return Plan(compiled=can_compile())


def measure_streaming(
    plan: Plan, results: Path, say: Say, data_dir: Path | None = None
) -> dict[str, Any]:
    """Measure both sizes.

    Args:
        plan: How much.
        results: Folder of the records, for trained weights.
        say: Called with one line per contest, and per thing that is missing.
        data_dir: As in `ns4d.data.load_task`; without it and NS4D_DATA the tokens are random.

    Returns:
        The record.
    """
    limits = machine_limits()
    notes = [] if plan.compiled else ["torch.compile did not run: there is no C++ compiler"]
    measured: list[dict[str, Any]] = []
    for size in SIZES:
        found = []
        for subject in subjects(size, *load_data(size, data_dir), results, plan.sequences):
            measured.append(measure_subject(subject, plan, limits, say))
            found.append(subject.weights)
        if "trained" not in found:
            notes.append(f"{size.name}: no trained weights, {results / size.task} is absent")
    for note in notes:
        say(note)
    return {
        "origin": "measured",
        "environment": environment(),
        "plan": asdict(plan),
        "notes": notes,
        "limits": limits,
        "subjects": measured,
    }


@dataclass(frozen=True)
class Contest:
    """How one contest is run.

    Args:
        build: Makes the contestants.
        threads: For PyTorch.
        rounds: How often each contestant is timed.
        units: Tokens, or sequences, per block.
    """

    build: Callable[[], list[Contestant]]
    threads: int
    rounds: int
    units: int


def contests(subject: Subject, plan: Plan) -> dict[str, Contest]:
    """The three contests of a subject: "tokens", "streams", "sequences"."""
    length = subject.tokens.shape[1]
    calls = plan.stream_tokens
    return {
        "tokens": Contest(
            lambda: token_contest(subject, plan.blocks, plan.compiled), 1, plan.rounds, length
        ),
        "streams": Contest(
            lambda: stream_contest(subject, plan.streams, plan.long_rounds, calls, plan.compiled),
            plan.cores,
            plan.long_rounds,
            plan.streams * calls,
        ),
        "sequences": Contest(
            lambda: sequence_contest(subject, plan.batch), plan.cores, plan.long_rounds, plan.batch
        ),
    }


def measure_subject(
    subject: Subject, plan: Plan, limits: Mapping[str, Any], say: Say
) -> dict[str, Any]:
    """All contests of one subject, with the work that its programs do per token."""
    record: dict[str, Any] = {name: getattr(subject, name) for name in ("size", "weights", "data")}
    record["heats"] = {}
    for kind, contest in contests(subject, plan).items():
        with torch_threads(contest.threads), torch.inference_mode():
            entrants = contest.build()
            heat = race(entrants, plan.heat_rounds, contest.units)
            finalists = qualified(entrants, heat)
            record[kind] = standings(race(finalists, contest.rounds, contest.units))
        record["heats"][kind] = {timing.name: timing.median for timing in heat}
        say(f"{subject.size}, {subject.weights}, {kind}: {_summary(record[kind])}")
    record["call_s"] = _call_seconds(subject, plan.rounds)
    record["work"] = {}
    for label, program in subject.programs.items():
        work = work_per_token(program, messages_sent(program, subject.tokens))
        if work is not None:
            record["work"][label] = _counted(work, limits)
    return record


def qualified(entrants: Sequence[Contestant], heat: Sequence[Timing]) -> list[Contestant]:
    """The fastest variant of each baseline, and all of ours: short rounds are fair rounds."""
    fastest = champions(heat)
    pairs = zip(entrants, heat, strict=True)
    return [c for c, timing in pairs if c.family == OURS or fastest[c.family] is timing]


def standings(timings: Sequence[Timing]) -> list[dict[str, Any]]:
    """Every contestant with its ratio to the best baseline, taken round by round.

    Returns:
        One entry per contestant: name, family, best_s, median_s, times_faster, and whether it is
        the fastest baseline.
    """
    baseline = min(champions(timings).values(), key=lambda timing: timing.median)
    return [
        {
            "name": timing.name,
            "family": timing.family,
            "best_s": timing.best,
            "median_s": timing.median,
            "times_faster": times_faster(timing, baseline),
            "baseline": timing is baseline,
        }
        for timing in timings
    ]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads in PyTorch, then as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _call_seconds(subject: Subject, rounds: int) -> float:
    """The best time of a token of almost no work: what the call itself costs, s."""
    size = subject.network.config
    model = ModelConfig(size.inputs, size.classes, channels=1, modes=1, layers=1)
    data = random_data(model, subject.tokens.shape[1])
    smallest = build_subject("", "random", "", Network(model), data, 1)
    label, program = next(iter(smallest.programs.items()))
    entry = next(token_entries(label, program, smallest.tokens, smallest.scores[label]))
    return race([entry], rounds, smallest.tokens.shape[1])[0].best


def _counted(work: Work, limits: Mapping[str, Any]) -> dict[str, Any]:
    level, moving, computing = bounds(work, limits)
    return asdict(work) | {
        "bytes_moved": work.bytes_moved,
        "level": level,
        "moving_s": moving,
        "computing_s": computing,
    }


def _summary(entries: Sequence[dict[str, Any]]) -> str:
    shown = [entry for entry in entries if entry["baseline"] or entry["family"] == OURS]
    return "; ".join(
        f"{entry['name']} {1e6 * entry['median_s']:.4g} µs ({entry['times_faster']:.2f}x)"
        for entry in shown
    )
