"""How fast the simulated chip runs here, with every count, on one core.

Seconds of the clock, and seconds of the processor: on a machine that does other work as well the
former are more, and say how busy it was.

python -m ns4d.bench.loihi2_speed
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from ns4d.bench.tables import Table, print_table
from ns4d.engines import default_engine
from ns4d.environment import environment
from ns4d.errors import RangeError
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.simulate import simulate
from ns4d.program import Program, load
from ns4d.storage import write_atomically

ROUNDS, TOKENS = 5, 1024
RECORD = "loihi2_speed.json"
COMMAND = "python -m ns4d.bench.loihi2_speed"

Subject = tuple[str, str, Program, np.ndarray]


def measure_speed(
    name: str, data: str, program: Program, tokens: np.ndarray, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Time runs in both modes; what they compute is compared with the default engine.

    Args:
        name: Of the program, for the record.
        data: Where the tokens come from.
        program: What runs; it is placed on Oheo Gulch.
        tokens: (l, i), one stream.
        rounds: How often each mode runs; the median counts.

    Returns:
        The entry of the record.

    Raises:
        RangeError: The simulated chip gave another score than the engine.
        PlacementError: A program that Oheo Gulch does not take.
    """
    placement = place(program)
    wanted = program.stream(default_engine()).run(tokens)
    clock: dict[str, float] = {}
    processor: dict[str, float] = {}
    for mode in Mode:
        found = simulate(placement, tokens, mode)  # also compiles
        if not np.array_equal(found.scores, wanted):
            raise RangeError(
                f"{name}, {mode.value}",
                expected="the scores of the default engine",
                got="others",
                fix="Find the first difference with `ns4d verify`.",
            )
        taken = [_seconds(placement, tokens, mode) for _ in range(rounds)]
        clock[mode.value] = len(tokens) / median(wall for wall, _ in taken)
        processor[mode.value] = len(tokens) / median(cpu for _, cpu in taken)
    updates = sum(population.neurons for population in placement.populations)
    return {
        "program": name,
        "digest": program.digest,
        "data": data,
        "tokens": len(tokens),
        "rounds": rounds,
        "cores_placed": len(placement.cores),
        "updates_per_token": updates,
        "spikes_per_token": float(found.activity.spikes.sum() / len(tokens)),
        "synops_per_token": float(found.activity.synops.sum() / len(tokens)),
        "values_compared": int(wanted.size),
        "tokens_per_s": clock,
        "tokens_per_cpu_s": processor,
    }


def measure_all(results: Path, data_dir: Path | None = None) -> dict[str, Any]:
    """The record: every subject for which there is a program or a network.

    Args:
        results: Folder of the records.
        data_dir: As in `ns4d.data.load_task`, but nothing is downloaded.
    """
    entries = [measure_speed(*subject) for subject in subjects(results, data_dir)]
    return {
        "origin": "measured",
        "command": COMMAND,
        "threads": 1,
        "environment": environment(),
        "programs": entries,
    }


def speed_table(record: dict[str, Any]) -> Table:
    """The record as a table."""
    columns = ("program", "cores", "updates", "synops", *(f"{m.value}\ntokens/s" for m in Mode))
    # Per second of the processor: what an idle core would do.
    rows = tuple(
        (
            entry["program"],
            str(entry["cores_placed"]),
            str(entry["updates_per_token"]),
            f"{entry['synops_per_token']:.0f}",
            *(f"{entry['tokens_per_cpu_s'][mode.value]:.0f}" for mode in Mode),
        )
        for entry in record["programs"]
    )
    return Table("Simulated chip: work per token; speed per second of one core", columns, rows)


def subjects(results: Path, data_dir: Path | None = None) -> Iterator[Subject]:
    """Trained programs as they are; `large` quantized from its trained network, else random."""
    for task in ("digits", "smnist"):
        path = results / task / "loihi2.ns4d"
        if path.exists():
            program = load(path)
            yield f"{task}/{path.name}", *_tokens(program)
    yield _large(results, data_dir)


def _tokens(program: Program) -> tuple[str, Program, np.ndarray]:
    """Messages at random: as many are zero as the layers of the program make so."""
    top = program.arithmetic.message_max
    shape = (TOKENS, program.inputs)
    return "random messages", program, np.random.default_rng(0).integers(-top, top + 1, shape)


def _large(results: Path, data_dir: Path | None) -> Subject:
    import torch

    from ns4d.bench.streaming_subjects import CALIBRATION_SEQUENCES, SIZES, load_data
    from ns4d.model import Network
    from ns4d.quantize import post_training_quantize
    from ns4d.train import load_network

    size = next(size for size in SIZES if size.name == "large")
    dataset, data = load_data(size, data_dir)
    weights = "random"
    torch.manual_seed(0)
    network = Network(size.model)
    if (results / size.task / "best.safetensors").exists():
        weights, (network, _) = "trained", load_network(results / size.task)
    program = post_training_quantize(network.eval(), dataset, sequences=CALIBRATION_SEQUENCES)
    tokens = dataset.test.tokens[0, :TOKENS].astype(np.float64)
    return f"large, {weights}", data, program, tokens


def _seconds(placement: Placement, tokens: np.ndarray, mode: Mode) -> tuple[float, float]:
    """Of one run, by the clock and by the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    simulate(placement, tokens, mode)
    return time.perf_counter() - wall, time.process_time() - cpu


def main(results: Path) -> None:
    """Measure, write the record, print the table."""
    record = measure_all(results)
    write_atomically(results / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    print_table(speed_table(record), Console())
    print(f"record  {results / RECORD}")


if __name__ == "__main__":
    main(Path("benchmarks/results"))
