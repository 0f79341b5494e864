"""The command that measures.

Heavy packages are imported inside the commands, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, DataDir


@app.command()
def bench(
    only: Annotated[str | None, typer.Option(help="training or streaming (default: both).")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSON records.")] = Path(
        "benchmarks/results"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Timed training steps per process.")] = 8,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure training steps against the textbook's, streaming against float baselines."""
    from ns4d.bench.parts import run_parts
    from ns4d.bench.tables import print_table

    done = run_parts(only, results, steps, lambda line: print(line, file=sys.stderr), data_dir)
    if as_json:
        print(json.dumps({path.stem: record for path, (record, _) in done.items()}))
        return
    for path, (_, tables) in done.items():
        for table in tables:
            print_table(table, Console())
        print(f"record  {path}")
