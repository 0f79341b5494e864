"""The native engine: compiled with Numba, exact by proof, as fast as the processor allows."""

from ns4d.engines.native.engine import Native

__all__ = ["Native"]
