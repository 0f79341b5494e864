"""Lava: a stand-alone script that builds the network from Lava's public processes."""

from ns4d.export.lava.exporter import export_network, export_program

__all__ = ["export_network", "export_program"]
