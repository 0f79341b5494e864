"""Exporters: a program leaves Python, its bits stay."""

from ns4d.export.base import Export, Exporter, Request
from ns4d.export.folder import write_folder
from ns4d.export.table import EXPORTERS

__all__ = ["EXPORTERS", "Export", "Exporter", "Request", "write_folder"]
