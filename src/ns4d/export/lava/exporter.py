"""The files for people with access to Lava: a script beside the arrays that it reads."""

from __future__ import annotations

from pathlib import Path

from ns4d.export.base import Export, Request
from ns4d.export.chain import Chain, chain_of
from ns4d.export.lava.parameters import to_bytes
from ns4d.program import Program

SCRIPT = Path(__file__).with_name("network.py")


def export_program(program: Program, request: Request) -> Export:
    """What the program computes in real numbers, in its own units.

    Args:
        program: What to export.
        request: Nothing of it is used.

    Returns:
        Two files.

    Raises:
        ConfigError: Lava cannot express a part.
    """
    return export_network(chain_of(program), request)


def export_network(chain: Chain, request: Request) -> Export:
    """A trained network.

    Args:
        chain: The network.
        request: Nothing of it is used.

    Returns:
        Two files.

    Raises:
        ConfigError: Lava cannot express a part.
    """
    return Export(
        {"network.py": SCRIPT.read_bytes(), "parameters.npz": to_bytes(chain)},
        {
            "run": "python network.py tokens.npy scores.npy",
            "needs": "lava-nc 0.10 on Python 3.10",
            "not_expressed": "integers: rounding, saturation, limits; a state that is kept",
        },
    )
