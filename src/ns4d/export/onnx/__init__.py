"""ONNX: programs exactly on int64, trained networks in float32; standard operators only."""

from ns4d.export.onnx.exporter import export_network, export_program

__all__ = ["export_network", "export_program"]
