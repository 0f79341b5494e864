"""A study of widths: quantize a run at many of them, stream a validation subset, compare.

Beside the accuracy of a configuration stands where it loses precision: the signal-to-noise ratio
of its scores, and the node that adds most to the noise.

Each finished configuration is one line of a JSON lines file. A program whose line is there is not
streamed again, so a sweep that was stopped goes on where it stopped. A line belongs to its network,
its profile, its sequences and its options; other lines are left alone. It holds the digest of its
program: where this version makes another one, the line is out of date, and a new one follows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ns4d.bench.operations import count_operations, stored_bytes
from ns4d.bench.runs import LoadedRun
from ns4d.data import Split
from ns4d.environment import environment
from ns4d.errors import ArtefactError, Ns4dError
from ns4d.model import Network
from ns4d.numerics import Arithmetic
from ns4d.program import Program
from ns4d.quantize import Options, build_program, choose_scales, fold_batch_norm, observe
from ns4d.quantize import agreement as compare
from ns4d.quantize.compare import stream_split
from ns4d.quantize.fidelity import fidelity, worst_node
from ns4d.quantize.observe import NetworkRange
from ns4d.quantize.observers import WIDTHLESS
from ns4d.quantize.ptq import calibration_tokens
from ns4d.quantize.scales import Scales
from ns4d.storage import write_atomically
from ns4d.train import evaluate
from ns4d.train.checkpoint import network_digest

# One axis at a time: these, below the width of the profile.
AXES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "weight_bits": (8, 6, 5, 4, 3),
        "coefficient_bits": (16, 14, 12, 11, 10, 9, 8),
        "message_bits": (12, 10, 8, 7, 6, 5),
        "state_bits": (24, 22, 20, 18, 16, 14),
    }
)
# All combinations of these.
GRID: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "weight_bits": (8, 6, 4),
        "coefficient_bits": (16, 12, 10),
        "message_bits": (12, 8, 6),
        "state_bits": (24, 18),
    }
)

# The first so many of the validation sequences tell where precision is lost.
EXAMINED = 16


@dataclass(frozen=True)
class Sweep:
    """What is swept.

    Args:
        base: The profile whose widths are changed.
        grid: Whether all combinations are run, instead of one axis at a time.
        sequences: Validation sequences per configuration.
        options: How scales are chosen.
    """

    base: Arithmetic
    grid: bool = False
    sequences: int = 1000
    options: Options = field(default_factory=Options)

    def configurations(self) -> Iterator[Arithmetic]:
        """The profile itself, then its narrower relatives; no two alike."""
        seen = set()
        for widths in self._widths():
            one = replace(self.base, name=label(widths), **widths)
            if one not in seen:
                seen.add(one)
                yield one

    def _widths(self) -> Iterator[dict[str, int]]:
        usual = {axis: getattr(self.base, axis) for axis in AXES}
        yield usual
        if self.grid:
            for values in itertools.product(*GRID.values()):
                yield dict(zip(GRID, values, strict=True))
            return
        for axis, values in AXES.items():
            yield from (usual | {axis: bits} for bits in values if bits < usual[axis])


def label(widths: Mapping[str, int]) -> str:
    """A short name of widths: weights, coefficients, messages, state."""
    return "-".join(f"{axis[0]}{widths[axis]}" for axis in AXES)


def run_sweep(
    sweep: Sweep, run: LoadedRun, journal: Path, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Compute what the journal does not hold yet.

    Args:
        sweep: What to compute.
        run: The trained network with its data; the test part is not touched.
        journal: The JSON lines file.
        say: Called with one line per configuration.

    Returns:
        A record for JSON, its configurations in order.

    Raises:
        ArtefactError: The journal cannot be read or written.
    """
    part = run.dataset.validation
    split = part.select(np.arange(min(sweep.sequences, len(part))))
    key = {
        "network": network_digest(run.network),
        # The names of configurations tell their widths, not their roundings.
        "arithmetic": str(sweep.base),
        "sequences": len(split),
        "examined": min(EXAMINED, len(split)),
        "options": str(sweep.options),
    }
    done = {row.get("name"): row for row in read_rows(journal) if row.get("key") == key}
    study = _Study(run, split, sweep)
    rows = []
    for arithmetic in sweep.configurations():
        kept = done.get(arithmetic.name, {})
        row = {"key": key, "name": arithmetic.name} | study.measure(arithmetic, kept)
        if row != kept:
            _append(journal, row)
            say(f"{row['name']}: {_shown(row)}")
        rows.append({name: value for name, value in row.items() if name != "key"})
    return {
        "origin": "measured",
        "task": run.recipe.task,
        "profile": sweep.base.name,
        **key,
        "configurations": rows,
    }


def write_sweep(record: Mapping[str, Any], path: Path) -> None:
    """Write a record as JSON, with the machine it was made on."""
    whole = {**record, "environment": environment()}
    write_atomically(path, (json.dumps(whole, indent=1) + "\n").encode())


def _append(journal: Path, row: Mapping[str, Any]) -> None:
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("a+b") as file:
            file.seek(max(file.tell() - 1, 0))
            # What an interruption left of a line must not take the next one with it.
            torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * torn + json.dumps(row).encode() + b"\n")
    except OSError as error:
        raise _refuse(journal, "to append a line", error) from error


def read_rows(journal: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; what an interruption cut off, or another program wrote, is not.

    Raises:
        ArtefactError: Something is there that cannot be read.
    """
    if not journal.exists():
        return []
    try:
        lines = journal.read_bytes().splitlines()
    except OSError as error:
        raise _refuse(journal, "a file of JSON lines", error) from error
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _refuse(journal: Path, expected: str, error: OSError) -> ArtefactError:
    got, fix = str(error.strerror), "Name another file with --journal."
    return ArtefactError(str(journal), expected=expected, got=got, fix=fix)


def front(rows: list[dict[str, Any]], cost: str) -> list[int]:
    """The rows that no other row beats in both cost and accuracy, by increasing cost."""
    usable = [k for k, row in enumerate(rows) if "accuracy" in row]
    found, best = [], -1.0
    for k in sorted(usable, key=lambda k: (rows[k][cost], -rows[k]["accuracy"])):
        if rows[k]["accuracy"] > best:
            found.append(k)
            best = rows[k]["accuracy"]
    return found


class _Study:
    """Evaluates the float network once; observes it once per widths that its observer weighs."""

    def __init__(self, run: LoadedRun, split: Split, sweep: Sweep) -> None:
        self._run, self._split, self._sweep = run, split, sweep
        self._folded: Network = fold_batch_norm(run.network)
        self._float: Any = None
        self._ranges: dict[tuple[int, int] | None, NetworkRange] = {}

    def measure(self, arithmetic: Arithmetic, kept: dict[str, Any]) -> dict[str, Any]:
        """One configuration: as kept, if of the same program; one without program says why."""
        widths = {axis: getattr(arithmetic, axis) for axis in AXES}
        try:
            scales, program = self._program(arithmetic)
        except Ns4dError as error:
            return widths | {"error": str(error)}
        if kept.get("program") == program.digest and "accuracy" in kept:
            return kept
        return widths | {"program": program.digest} | self._figures(scales, program)

    def _program(self, arithmetic: Arithmetic) -> tuple[Scales, Program]:
        """What `post_training_quantize` makes with these options, its provenance aside."""
        options = self._sweep.options
        scales = choose_scales(self._folded, self._observed(arithmetic), arithmetic, options)
        return scales, build_program(self._folded, scales, arithmetic, self._run.dataset, {})

    def _observed(self, arithmetic: Arithmetic) -> NetworkRange:
        options, widths = self._sweep.options, (arithmetic.message_bits, arithmetic.state_bits)
        key = None if isinstance(options.observer, WIDTHLESS) else widths
        if key not in self._ranges:
            tokens, lengths = calibration_tokens(self._run.dataset, 64)
            self._ranges[key] = observe(self._folded, tokens, lengths, options, arithmetic)
        return self._ranges[key]

    def _figures(self, scales: Scales, program: Program) -> dict[str, Any]:
        if self._float is None:
            normalization = self._run.dataset.normalization
            self._float = evaluate(self._folded, self._split, normalization).logits
        scores = stream_split(program, self._split)
        counts = compare(self._float, scores, self._split)
        few = self._split.select(np.arange(min(EXAMINED, len(self._split))))
        nodes = fidelity(self._folded, scales, program, few)
        worst = worst_node(nodes)
        return {
            "accuracy": counts.integer_accuracy,
            "float_accuracy": counts.float_accuracy,
            "agreement": counts.agreement,
            "scores_db": nodes[-1].snr_db,
            "worst_node": worst.name,
            "worst_drop_db": worst.drop_db,
            "bytes": stored_bytes(program),
            **asdict(count_operations(program)),
        }


def _shown(row: Mapping[str, Any]) -> str:
    return row.get("error") or f"{100 * row['accuracy']:.2f} % in {row['bytes']:,} bytes"
