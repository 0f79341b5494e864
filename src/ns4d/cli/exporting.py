"""The command that exports a program to other machines.

Heavy packages are imported inside the command, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, print_facts
from ns4d.errors import ConfigError
from ns4d.export.table import EXPORTERS, exporter_of

if TYPE_CHECKING:
    from ns4d.export.chain import Chain
    from ns4d.program import Program

FORMATS = "; ".join(f"{name}: {exporter.summary}" for name, exporter in EXPORTERS.items())
Prefix = Annotated[
    str | None, typer.Option(help="Prefix of every name in the output (default: the task).")
]
Length = Annotated[
    int | None,
    typer.Option(help="C: longest sequence; scores of 32 bits if they provably fit."),
]
Example = Annotated[
    str | None, typer.Option("--input", help="A .npy of shape (l, i) for the example, or -.")
]
Real = Annotated[
    bool, typer.Option("--real", help="ONNX: take real tokens and quantize them inside.")
]

RawRange = Annotated[
    str | None,
    typer.Option("--sensor", help="C: LOW:HIGH, raw integers; write a quantizer for them too."),
]


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A .ns4d file, or the folder of a training run.")],
    to: Annotated[str, typer.Option("--to", help=f"Format. {FORMATS}")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to create.")],
    name: Prefix = None,
    part: Annotated[str | None, typer.Option(help="Refuse what this part cannot hold.")] = None,
    flash: Annotated[int | None, typer.Option(help="Bytes of flash it must fit.")] = None,
    ram: Annotated[int | None, typer.Option(help="Bytes of RAM it must fit.")] = None,
    tokens: Example = None,
    real: Real = False,
    length: Length = None,
    sensor: RawRange = None,
    replace: Annotated[bool, typer.Option(help="Put it in place of an earlier export.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a program for other machines, with the same bits there; or a trained network."""
    from ns4d.bench.live import tokens_of
    from ns4d.export import Request, write_folder

    exporter, loaded = exporter_of(to), _loaded(model)
    given = None if tokens is None else np.array(list(tokens_of(tokens, loaded.inputs)))
    request = Request(
        name=name,
        part=part,
        flash_bytes=flash,
        ram_bytes=ram,
        tokens=given,
        real=real or None,
        length=length,
        sensor=None if sensor is None else _range(sensor),
    )
    made = exporter.export(loaded, request)
    write_folder(out, made.files, replace=replace)
    facts = {"format": to, "folder": str(out), "files": ", ".join(made.files), **made.facts}
    print_facts(facts, as_json)


def _range(text: str) -> tuple[int, int]:
    """LOW:HIGH."""
    found = re.fullmatch(r"(-?\d+):(-?\d+)", text)
    if found is None:
        fix = "The smallest and the largest raw value, such as 0:255."
        raise ConfigError("--sensor", expected="LOW:HIGH, two integers", got=repr(text), fix=fix)
    return int(found[1]), int(found[2])


def _loaded(model: Path) -> Program | Chain:
    """A program from a file, or the network of a training run from a folder."""
    if model.is_dir():
        from ns4d.trained import load_chain

        return load_chain(model)
    from ns4d.zoo import load

    return load(model)
