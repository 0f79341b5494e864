"""The table of exporters: what `ns4d export --to` takes. A new format is one row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ns4d.errors import ConfigError
from ns4d.export import c99, lava, nir, onnx
from ns4d.export.base import Exporter

EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {
        "c": Exporter(
            "C99 for microcontrollers; exact",
            frozenset({"name", "part", "flash_bytes", "ram_bytes", "tokens", "length", "sensor"}),
            c99.export_program,
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
    if name not in EXPORTERS:
        raise ConfigError(
            "--to",
            expected=f"one of {', '.join(EXPORTERS)}",
            got=repr(name),
            fix="`ns4d export --help` says what each of them is.",
        )
    return EXPORTERS[name]
