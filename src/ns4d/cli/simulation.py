"""The command that simulates a program on Loihi 2.

Heavy packages are imported inside the command, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, Cores, DataDir, ProgramFile, System

Mode = Annotated[str, typer.Option("--mode", help="fall-through or pipelined.")]
Tokens = Annotated[
    str | None, typer.Option("--input", help="A .npy of shape (l, i), or - for lines.")
]
Sequence = Annotated[int | None, typer.Option(min=0, help="One of the task's test part.")]
Count = Annotated[
    int | None, typer.Option("--tokens", min=1, help="At most so many; generated ones: 256.")
]
WhatIf = Annotated[bool, typer.Option("--what-if", help="Also change one property at a time.")]
Page = Annotated[Path | None, typer.Option("--report", help="Write an HTML page here.")]
Figures = Annotated[Path | None, typer.Option(help="Write the pictures in this folder.")]


@app.command()
def simulate(
    program: ProgramFile,
    mode: Mode = "fall-through",
    system: System = "oheo-gulch",
    cores: Cores = None,
    tokens: Tokens = None,
    sequence: Sequence = None,
    count: Count = None,
    what_if: WhatIf = False,
    report: Page = None,
    figures: Figures = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a program on a model of Loihi 2: exact results, latency, throughput, energy."""
    from ns4d.bench.loihi2_cpu import cpu_rows
    from ns4d.bench.loihi2_run import run
    from ns4d.bench.loihi2_study import mode_of, study
    from ns4d.bench.loihi2_tokens import tokens_for
    from ns4d.bench.tables import print_table
    from ns4d.loihi2.chip import system_of
    from ns4d.zoo import load

    chosen, board, loaded = mode_of(mode), system_of(system), load(program)
    source, stream = tokens_for(loaded, tokens, sequence, count, data_dir)
    made = run(loaded, stream, source, chosen, board, cores)
    found = study(made, cpu_rows(loaded, stream), what_if=what_if)
    written = found.write(report, figures)
    if as_json:
        print(json.dumps(found.plain() | {"written": [str(path) for path in written]}))
        return
    for table in found.tables:
        print_table(table, Console())
    print("\n".join([*found.lines(), *(f"wrote {path}" for path in written)]))
