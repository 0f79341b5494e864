"""Portable C99: a program as source code for a microcontroller, with the same bits."""

from ns4d.export.c99.engine import C99
from ns4d.export.c99.exporter import export_program
from ns4d.export.c99.parts import PARTS, Part

__all__ = ["C99", "PARTS", "Part", "export_program"]
