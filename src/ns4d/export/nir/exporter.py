"""The NIR file of a program, or of a trained network."""

from __future__ import annotations

from ns4d.export.base import Export, Request
from ns4d.export.chain import Chain, chain_of
from ns4d.export.optional import require_packages
from ns4d.program import Program

NAME = "network.nir"


def export_program(program: Program, request: Request) -> Export:
    """The program's graph in real numbers with its integers; `read` gives the same program.

    Args:
        program: What to export.
        request: Nothing of it is used.

    Returns:
        One file.

    Raises:
        ConfigError: A package is not installed, or NIR cannot express a part.
    """
    return export_network(chain_of(program), request)


def export_network(chain: Chain, request: Request) -> Export:
    """The graph of a trained network; without integers unless the chain has a program.

    Args:
        chain: The network.
        request: Nothing of it is used.

    Returns:
        One file.

    Raises:
        ConfigError: A package is not installed, or NIR cannot express a part.
    """
    require_packages("nir", "nir", "h5py")
    from ns4d.export.nir.file import to_bytes

    content = to_bytes(chain)
    return Export(
        {NAME: content},
        {
            "bytes": len(content),
            "time_unit": "one token: forward Euler with dt = 1",
            "integers": "none" if chain.program is None else "all, read back by `ns4d import`",
            "not_expressed": "ReLU (Threshold with metadata), rounding, saturation, limits",
        },
    )
