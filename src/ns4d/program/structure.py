"""The parts of a program as JSON structure plus tensors, both ways, with their canonical digest.

Scalars go into the structure, arrays into the tensors under "<node>/<field>". The digest is

    sha256( canonical JSON of {"structure": …, "tensors": [[name, dtype, shape], …]} · bytes )

with the tensors sorted by name, their bytes in that order, integers as little-endian int64 however
a file stores them, floats as little-endian float64. Canonical JSON: sorted keys, no spaces, ASCII.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ns4d.numerics import Arithmetic, ProductRounding, SynapseRounding
from ns4d.program.metadata import Metadata
from ns4d.program.nodes import S4D, Add, Dense, Descale, InputQuantizer, Node, Readout

Tensors = dict[str, np.ndarray]
Parts = tuple[Arithmetic, InputQuantizer, tuple[Node, ...], Readout, Metadata]

KINDS: Mapping[str, type[Node]] = {"dense": Dense, "s4d": S4D, "add": Add}


def canonical_json(value: object) -> str:
    """JSON text that depends on the value alone."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def take_apart(parts: Parts) -> tuple[dict[str, Any], Tensors]:
    """Structure and tensors of a program.

    Args:
        parts: Arithmetic, input, nodes, read-out, metadata.

    Returns:
        JSON values, and the arrays by name.
    """
    arithmetic, quantizer, nodes, readout, metadata = parts
    tensors: Tensors = {}
    _split("input", quantizer, tensors)
    _split("readout", readout, tensors)
    structure = {
        "arithmetic": _plain(arithmetic),
        "metadata": {
            "task": metadata.task,
            "classes": list(metadata.classes),
            "provenance": dict(metadata.provenance),
        },
        "nodes": [_node(node, tensors) for node in nodes],
    }
    return structure, tensors


def put_together(structure: Any, tensors: Tensors) -> Parts:
    """The inverse of `take_apart`. Every entry must be used.

    Args:
        structure: As `take_apart` gives it, or anything at all from a file.
        tensors: The arrays by name.

    Returns:
        The parts; each checks itself.

    Raises:
        Ns4dError: A part refuses its values.
        KeyError, TypeError, ValueError, AttributeError: The structure is not of this form.
    """
    left = dict(tensors)
    arithmetic = dict(structure["arithmetic"])
    arithmetic["product_rounding"] = ProductRounding(arithmetic["product_rounding"])
    arithmetic["synapse_rounding"] = SynapseRounding(arithmetic["synapse_rounding"])
    metadata = dict(structure["metadata"])
    metadata["classes"] = tuple(metadata["classes"])
    parts = (
        Arithmetic(**arithmetic),
        InputQuantizer(**_join("input", {}, InputQuantizer, left)),
        tuple(_rebuild(dict(entry), left) for entry in structure["nodes"]),
        Readout(**_join("readout", {}, Readout, left)),
        Metadata(**metadata),
    )
    if left or set(structure) != {"arithmetic", "metadata", "nodes"}:
        raise ValueError(f"unknown entries {sorted(left)} or {sorted(structure)}")
    return parts


def digest(parts: Parts) -> str:
    """The sha256 defined above, as 64 hexadecimal digits."""
    structure, tensors = take_apart(parts)
    little = {k: v.astype(v.dtype.newbyteorder("<")) for k, v in sorted(tensors.items())}
    table = [[k, v.dtype.name, list(v.shape)] for k, v in little.items()]
    hashed = hashlib.sha256(canonical_json({"structure": structure, "tensors": table}).encode())
    for array in little.values():
        hashed.update(array.tobytes())
    return hashed.hexdigest()


def _node(node: Node, tensors: Tensors) -> dict[str, Any]:
    kind = next(kind for kind, cls in KINDS.items() if isinstance(node, cls))
    scalars = _split(node.name, node, tensors)
    return {"kind": kind, **scalars, "descale": _split(node.name, node.descale, tensors)}


def _split(prefix: str, part: object, tensors: Tensors) -> dict[str, Any]:
    """Move the arrays of a part into tensors; return its scalars."""
    scalars = {}
    for name, value in _plain(part).items():
        if isinstance(value, np.ndarray):
            tensors[f"{prefix}/{name}"] = value
        elif not isinstance(value, Descale):
            scalars[name] = value
    return scalars


def _plain(part: Any) -> dict[str, Any]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {
        k: v.value if isinstance(v, ProductRounding | SynapseRounding) else v
        for k, v in values.items()
    }


def _rebuild(entry: dict[str, Any], left: Tensors) -> Node:
    cls = KINDS[entry.pop("kind")]
    name = entry["name"]
    descale = Descale(**_join(name, entry.pop("descale"), Descale, left))
    return cls(**_join(name, entry, cls, left), descale=descale)


def _join(prefix: Any, scalars: Any, cls: Any, left: Tensors) -> dict[str, Any]:
    """The scalars of a part with its arrays, which are taken out of `left`."""
    known = [field.name for field in fields(cls) if field.name != "descale"]
    arrays = {name: left.pop(f"{prefix}/{name}") for name in known if name not in scalars}
    return {**scalars, **arrays}
