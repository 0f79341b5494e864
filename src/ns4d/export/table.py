"""The table of exporters: what `ns4d export --to` takes. A new format is one row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ns4d.choice import choose
from ns4d.export import lava, nir, onnx
from ns4d.export.base import Export, Exporter, Request
from ns4d.program import Program


def _c99(program: Program, request: Request) -> Export:
    # The generator takes a while to load: only who exports to C pays for it.
    from ns4d.export import c99

    return c99.export_program(program, request)


EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {
        "c": Exporter(
            "C99 for microcontrollers; exact",
            frozenset({"name", "part", "flash_bytes", "ram_bytes", "tokens", "length", "sensor"}),
            _c99,
        ),
        "onnx": Exporter(
            "ONNX step, chunk, sequence; exact for a program",
            frozenset({"real"}),
            onnx.export_program,
            onnx.export_network,
        ),
        "nir": Exporter(
            "NIR graph in real numbers, the integers as metadata",
            frozenset(),
            nir.export_program,
            nir.export_network,
        ),
        "lava": Exporter(
            "script that builds the network in Lava, in real numbers",
            frozenset(),
            lava.export_program,
            lava.export_network,
        ),
    }
)


def exporter_of(name: str) -> Exporter:
    """The exporter that a user names.

    Raises:
        ConfigError: No format of that name.
    """
    return choose("--to", EXPORTERS, name, "`ns4d export --help` says what each of them is.")
