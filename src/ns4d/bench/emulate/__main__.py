"""Runs the generated C on emulated microcontrollers: `make emulate`.

The same as `python -m ns4d.bench.emulate`. Prints the tables, writes the record; exits with 1 if a
score differs from the reference.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from ns4d.bench.emulate.record import Work, record
from ns4d.bench.emulate.table import TABLES
from ns4d.bench.tables import print_table
from ns4d.errors import Ns4dError
from ns4d.storage import write_atomically


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m ns4d.bench.emulate", description=__doc__)
    results = Path("benchmarks/results")
    parser.add_argument("--results", type=Path, default=results, help="folder of the programs")
    parser.add_argument("--record", type=Path, default=results / "emulation.json")
    parser.add_argument("--sequences", type=int, default=2, help="test sequences of each task")
    parser.add_argument("--data-dir", type=Path, default=None, help="data sets; else NS4D_DATA")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    options = parser.parse_args(arguments)
    work = Work(options.results, options.sequences, options.data_dir, options.only)
    try:
        found = record(work, lambda line: print(line, file=sys.stderr, flush=True))
    except Ns4dError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_atomically(options.record, (json.dumps(found, indent=1) + "\n").encode())
    console = Console()
    for table in TABLES.values():
        print_table(table(found), console)
    print(f"record  {options.record}")
    return int(any(row["different"] for row in (*found["rows"], *found["elsewhere"])))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
