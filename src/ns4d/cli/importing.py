"""The command that reads a program back from an exported file.

Heavy packages are imported inside the command, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, print_facts
from ns4d.errors import ArtefactError


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A .nir file that `ns4d export --to nir` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .ns4d file to write.")],
    as_json: AsJson = False,
) -> None:
    """Read a program back from a NIR file: the identical integers, or an error."""
    from ns4d.export import nir
    from ns4d.program import save

    if out.exists():
        raise ArtefactError(
            str(out), expected="a new file", got="an existing one", fix="Choose another name."
        )
    program = nir.read(file)
    save(program, out)
    print_facts({"program": str(out), "digest": program.digest}, as_json)
