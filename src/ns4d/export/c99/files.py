"""The three files of a model."""

from __future__ import annotations

from collections.abc import Mapping

from ns4d.export.c99.header import header
from ns4d.export.c99.source import constants, source
from ns4d.export.c99.unit import Unit


def model_files(unit: Unit) -> Mapping[str, bytes]:
    """File name -> content."""
    name = unit.name
    texts = {
        f"{name}.h": header(unit),
        f"{name}.c": source(unit),
        f"{name}_constants.h": constants(unit),
    }
    return {path: text.encode("ascii") for path, text in texts.items()}
