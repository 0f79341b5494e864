"""ns4d: train a diagonal state-space model, make it an integer program, stream it bit-exactly.

The names here need NumPy and Numba; training lives in `ns4d.train` and needs PyTorch.
"""

from ns4d.engines import Reference, State, Stream, trace
from ns4d.errors import Ns4dError
from ns4d.numerics import LOIHI2, PROFILES, WIDE, Arithmetic
from ns4d.program import Program, save, to_text
from ns4d.zoo import load

__version__ = "0.1.0"

__all__ = [
    "LOIHI2",
    "PROFILES",
    "WIDE",
    "Arithmetic",
    "Ns4dError",
    "Program",
    "Reference",
    "State",
    "Stream",
    "load",
    "save",
    "to_text",
    "trace",
]
