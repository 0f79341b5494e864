"""The command that places a program on Loihi 2.

Heavy packages are imported inside the command, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import AsJson


@app.command()
def place(
    program: Annotated[Path, typer.Argument(help="A .ns4d file.")],
    system: Annotated[
        str, typer.Option(help="oheo-gulch, kapoho-point, kp-stack, alia-point or hala-point.")
    ] = "oheo-gulch",
    cores: Annotated[
        int | None, typer.Option(min=1, help="At most so many: more are faster, fewer save power.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Place a program on the cores of a Loihi 2 system; say what limits each layer."""
    from ns4d.bench.placement_table import placement_plain, placement_table
    from ns4d.bench.tables import print_table
    from ns4d.loihi2.chip import system_of
    from ns4d.loihi2.place import place as find_place
    from ns4d.zoo import load

    placement = find_place(load(program), system_of(system), cores)
    if as_json:
        print(json.dumps(placement_plain(placement)))
        return
    print_table(placement_table(placement), Console())
    for note in placement.notes:
        print(f"assumed: {note}")
