"""Writes what docs/loihi2.md shows beyond the calibration.

    python -m ns4d.bench.loihi2_record

The pictures follow from the records. This one holds what was counted on one test sequence, what
changes would do, how this machine does the same work; what follows from the costs is computed from
the calibration's record instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ns4d.bench.loihi2_calibration import RUN, counted_program
from ns4d.bench.loihi2_cpu import cpu_rows
from ns4d.bench.loihi2_documents import (
    RECORD,
    estimates_of,
    outcomes_of,
    rows_of,
    work_of_record,
)
from ns4d.bench.loihi2_pictures import pictures_of, write_pictures
from ns4d.bench.loihi2_run import run
from ns4d.bench.loihi2_study import study
from ns4d.bench.runs import load_run
from ns4d.environment import environment
from ns4d.loihi2.chip import LOIHI2_CHIP, SYSTEMS
from ns4d.loihi2.mode import Mode
from ns4d.storage import write_atomically

PICTURES = Path("docs/loihi2")


def record_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of `Study.plain`, with the machine that it was measured on."""
    kept = ("digest", "source", "tokens", "steps", "equal_values", "engine", "layers", "metrics")
    cpu = [row for row in plain["comparison"] if row["origin"] == "measured"]
    return {
        **{name: plain[name] for name in kept},
        "cpu": cpu,
        "what_if": plain["what_if"],
        "environment": environment(),
    }


def draw(results: Path, folder: Path) -> list[Path]:
    """The pictures of the document, from its records alone.

    Args:
        results: Folder of the records.
        folder: Where the pictures are written.
    """
    pictures = pictures_of(
        work_of_record(results),
        estimates_of(results),
        rows_of(results),
        int(LOIHI2_CHIP.cores.value),
        outcomes_of(results),
    )
    return write_pictures(pictures, folder)


def main() -> None:
    """Write record and pictures of the checkout in which it is called."""
    loaded = load_run(RUN)
    program = counted_program(loaded)
    tokens = loaded.dataset.test.tokens[0].astype(np.float64)
    source = f"test sequence 0 of {program.metadata.task}"
    found = run(program, tokens, source, Mode.PIPELINED, SYSTEMS["oheo-gulch"])
    record = record_of(study(found, cpu_rows(program, tokens), what_if=True).plain())
    results = RUN.parent
    write_atomically(results / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    for path in (results / RECORD, *draw(results, PICTURES)):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
