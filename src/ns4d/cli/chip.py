"""The command that places a program on Loihi 2.

Heavy packages are imported inside the command, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json

from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, Cores, ProgramFile, System


@app.command()
def place(
    program: ProgramFile,
    system: System = "oheo-gulch",
    cores: Cores = None,
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
