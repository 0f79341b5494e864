"""The parts of `ns4d bench`: each measures, writes its record, returns its tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ns4d.bench.tables import Table
from ns4d.choice import choose
from ns4d.errors import ConfigError
from ns4d.storage import require_folder, write_atomically

Say = Callable[[str], None]
Result = tuple[dict[str, Any], tuple[Table, ...]]


def run_parts(
    only: str | None, results: Path, steps: int, say: Say, data_dir: Path | None = None
) -> dict[Path, Result]:
    """Run one part, or all.

    Args:
        only: A name in `PARTS`; all of them if None.
        results: Folder of the records; that of trained networks too.
        steps: Timed training steps per process.
        say: Called with one line per measurement.
        data_dir: As in `ns4d.data.load_task`, but nothing is downloaded.

    Returns:
        Where each record was written -> the record with its tables.

    Raises:
        ConfigError: No part of that name, or no folder for the records.
    """
    if only is not None:
        choose("--only", PARTS, only, "Leave it out to run all parts.")
    require_folder("--results", results)
    done = {}
    for name in PARTS if only is None else (only,):
        file, part = PARTS[name]
        record, tables = part(results, steps, say, data_dir)
        write_atomically(results / file, (json.dumps(record, indent=1) + "\n").encode())
        done[results / file] = record, tables
    return done


def _training(results: Path, steps: int, say: Say, data_dir: Path | None) -> Result:
    from ns4d.bench.summary import measure_bench

    result = measure_bench(steps, say)
    return result.plain(), result.tables


def _streaming(results: Path, steps: int, say: Say, data_dir: Path | None) -> Result:
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        raise ConfigError(
            "ns4d bench",
            expected="ONNX Runtime, one of the baselines",
            got="an installation without it",
            fix='Install it with: pip install "ns4d[bench]"',
        )
    from ns4d.bench.streaming import full_plan, measure_streaming
    from ns4d.bench.streaming_tables import TABLES

    record = measure_streaming(full_plan(), results, say, data_dir)
    return record, tuple(table(record) for table in TABLES.values())


Part = Callable[[Path, int, Say, Path | None], Result]
# name -> file of its record, what measures it
PARTS: Mapping[str, tuple[str, Part]] = MappingProxyType(
    {
        "training": ("training_step.json", _training),
        "streaming": ("streaming.json", _streaming),
    }
)
