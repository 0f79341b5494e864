"""NIR: the network as standard primitives in real numbers, its exact integers as metadata."""

from ns4d.export.nir.exporter import export_network, export_program
from ns4d.export.nir.importer import read

__all__ = ["export_network", "export_program", "read"]
