"""Commands that take a program: show it, verify it, stream it.

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
from ns4d.cli.options import AsJson, DataDir, ProgramFile


@app.command()
def show(program: ProgramFile) -> None:
    """Print an integer program in readable form."""
    from ns4d.program import to_text
    from ns4d.zoo import load

    print(to_text(load(program)))


@app.command()
def verify(
    program: ProgramFile,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print what is proved about a program, then compare every engine bit by bit."""
    from ns4d.bench.tables import print_table
    from ns4d.bench.verify import verify as run_verification
    from ns4d.zoo import load

    found = run_verification(load(program), data_dir)
    if as_json:
        print(json.dumps(found.plain()))
    else:
        print_table(found.table, Console())
        print("\n".join(found.lines()))
    for line in found.differences():
        print(f"error: {line}", file=sys.stderr)
    if not found.equal:
        raise typer.Exit(1)


@app.command()
def stream(
    program: ProgramFile,
    tokens: Annotated[
        str, typer.Option("--input", help="A .npy of shape (l, i), or - for a token per line.")
    ] = "-",
    engine: Annotated[str, typer.Option(help="native or reference.")] = "native",
    state: Annotated[
        Path | None, typer.Option(help="Go on from this .npz if it is there; keep the state in it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stream tokens one by one; print the decision and the scores after each."""
    from ns4d.bench.live import engine_of, keep_state, open_stream, tokens_of
    from ns4d.zoo import load

    loaded = load(program)
    live = open_stream(loaded, engine_of(engine), state)
    try:
        before = live.state.tokens_seen
        for seen, token in enumerate(tokens_of(tokens, loaded.inputs), start=before + 1):
            scores = live.step(token)
            label = loaded.classes[int(scores.argmax())]
            if as_json:
                print(json.dumps({"token": seen, "decision": label, "scores": scores.tolist()}))
            else:
                print(seen, label, *scores.tolist())
    finally:
        if state is not None:
            keep_state(live, state)
