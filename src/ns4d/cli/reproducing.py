"""The commands about the models that come with the package.

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
from ns4d.cli.options import AsJson, DataDir, Threads, counter, device_of


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the trained models that `ns4d.load` knows by name."""
    from ns4d.bench.models_table import models_table
    from ns4d.bench.tables import print_table
    from ns4d.zoo import find, names

    if as_json:
        print(json.dumps({name: json.loads(find(name).card.to_json()) for name in names()}))
    else:
        print_table(models_table([find(name) for name in names()]), Console())


@app.command()
def reproduce(
    task: Annotated[
        str | None, typer.Option(help="Models of this task only (default: all).")
    ] = None,
    quick: Annotated[bool, typer.Option(help="The first 500 test sequences only.")] = False,
    train: Annotated[
        bool, typer.Option(help="Train the models again from scratch first; repeat to resume.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for records, tables, report.")] = Path(
        "runs/reproduce"
    ),
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto; for --train")] = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Measure the shipped models again; print the paper's tables with ours beside them."""
    from ns4d.bench.reproduce import chosen, reproduce_all, retrain
    from ns4d.bench.tables import print_table
    from ns4d.storage import require_folder

    entries = chosen(task)
    require_folder("--out", out)
    place = device_of(device, threads)
    say = counter("streamed")
    if train:
        entries = [retrain(entry, out / "trained", data_dir, place) for entry in entries]
    done = reproduce_all(
        entries, out, data_dir, quick, say, lambda line: print(line, file=sys.stderr)
    )
    if as_json:
        print(json.dumps(done.records))
        return
    for table in done.tables:
        print_table(table, Console())
    print(f"report   {done.report}\ntables   {done.markdown}")
