"""Count what the published network does, fit the unit costs to its published figures, record both.

    python -m ns4d.bench.loihi2_calibration

The network is `large` of `benchmarks/results/scifar`, quantized as `ns4d quantize --ptq` does, on
whole test sequences of sCIFAR. The record holds its mean token, from which the fit can be repeated
without network or data; `ns4d.loihi2.costs` states the result, a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ns4d.bench.runs import LoadedRun, load_run, provenance
from ns4d.environment import environment
from ns4d.loihi2.calibrate import TARGETS, fit, fit_corners
from ns4d.loihi2.chip import LOIHI2_CHIP
from ns4d.loihi2.costs import COSTS, Costs
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import simulate
from ns4d.loihi2.structure import structure_of
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.work import Work, work_of
from ns4d.numerics import LOIHI2
from ns4d.program import Program
from ns4d.quantize import post_training_quantize
from ns4d.storage import write_atomically
from ns4d.train.journal import epochs_of, read_journal

RUN, FILE, SEQUENCES = Path("benchmarks/results/scifar"), "loihi2_calibration.json", 8
PER_CORE = int(LOIHI2_CHIP.s4d_neurons_per_core.value)
FITTED = ("step_floor_s", "state_update_s", "static_w", "state_update_j")


def calibrate(
    program: Program, sequences: Sequence[np.ndarray], say: Callable[[str], None]
) -> dict[str, Any]:
    """Count sequences, fit.

    Args:
        program: The published network.
        sequences: Raw tokens (l, i) of each.
        say: Called with one line per sequence.

    Returns:
        Plain values for a record: the mean token, the fit, the fits at the ends of what is given.
    """
    placement = place(program)
    works = []
    for index, tokens in enumerate(sequences):
        works.append(work_of(simulate(placement, tokens, Mode.PIPELINED).activity))
        say(f"counted sequence {index + 1} of {len(sequences)}")
    every = replace(
        works[0],
        spikes=np.concatenate([work.spikes for work in works]),
        synops=np.concatenate([work.synops for work in works]),
    )
    fitted = fit(every, COSTS)
    times, energies = fit_corners(every, COSTS)
    return {
        "origin": "measured",
        "digest": program.digest,
        "sequences": len(works),
        "tokens": every.tokens,
        "cores": len(every.by_core),
        "published": {name: fact.value for name, fact in vars(TARGETS).items()},
        "fit": {name: fitted.facts[name].value for name in FITTED},
        "times_at_ends": _plain_ends(times),
        "energies_at_ends": _plain_ends(energies),
        "structure": vars(structure_of(program, every, PER_CORE)),
        "mean_token_gap": {mode.value: _gap(works, fitted, mode) for mode in Mode},
        "work": every.plain(),
    }


def counted_program(run: LoadedRun) -> Program:
    """The network of a run as `ns4d quantize --ptq` makes it."""
    facts = provenance(run.network, run.recipe)
    return post_training_quantize(run.network, run.dataset, LOIHI2, provenance=facts)


def main() -> None:
    """Write the record of the checkout in which it is called."""
    run = load_run(RUN)
    tokens = run.dataset.test.tokens[:SEQUENCES].astype(np.float64)
    record = calibrate(counted_program(run), list(tokens), _say)
    epochs = epochs_of(read_journal(RUN))
    accuracy = epochs[-1]["validation_accuracy"]
    record["network"] = {"run": str(RUN), "epochs": len(epochs), "validation_accuracy": accuracy}
    record["environment"] = environment()
    path = RUN.parent / FILE
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
    print(f"record  {path}")
    for name, value in record["fit"].items():
        print(f"{name:<15} {value:.4g}")
    for name in ("times_at_ends", "energies_at_ends"):
        for ends, pair in record[name].items():
            print(name, ends, *(f"{value:.4g}" for value in pair))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _plain_ends(found: dict[tuple[int, int], tuple[float, float]]) -> dict[str, list[float]]:
    return {f"{one}{other}": list(pair) for (one, other), pair in found.items()}


def _gap(works: Sequence[Work], costs: Costs, mode: Mode) -> float:
    """How much longer real tokens take than their mean, as a share: a step waits for a maximum."""
    real = sum(time_steps(work, mode, costs).token_s for work in works)
    mean = sum(time_steps(work.mean(work.tokens), mode, costs).token_s for work in works)
    return real / mean - 1


if __name__ == "__main__":
    main()
