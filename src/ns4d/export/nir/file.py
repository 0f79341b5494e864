"""The NIR file of a program: the graph in real numbers, the exact integers as its metadata.

    metadata/ns4d/format    "ns4d-nir"
    metadata/ns4d/version   1
    metadata/ns4d/digest    sha256 of the program; see `ns4d.program.structure`
    metadata/ns4d/program   its structure as JSON
    metadata/ns4d/tensors   <part>/<field>: its arrays, int64, and the input's offset and scale
    metadata/dt             1: the time unit of the graph is one token

Reading trusts nothing: the program is built and proved again, its digest compared, and the graph
that it stands for compared with the one in the file.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nir
import numpy as np

from ns4d.errors import ArtefactError, Ns4dError
from ns4d.export.chain import Chain, chain_of
from ns4d.export.nir.graph import to_graph
from ns4d.program import Program
from ns4d.program.structure import Tensors, canonical_json, put_together, take_apart

FORMAT, VERSION = "ns4d-nir", 1
# Other tools may store the floats as float32; the integers must be exact.
FLOAT_TOLERANCE = 1e-6


def to_bytes(chain: Chain) -> bytes:
    """The file of a chain, with the integers that it stands for, if any.

    Args:
        chain: What to express.

    Returns:
        The content of an HDF5 file.

    Raises:
        ConfigError: What NIR cannot express.
    """
    graph = to_graph(chain)
    graph.metadata = {"dt": 1.0, "task": chain.task, "classes": json.dumps(chain.classes)}
    if chain.program is not None:
        graph.metadata["ns4d"] = _integers(chain.program)
    file = io.BytesIO()
    nir.write(file, graph)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def read(path: str | Path) -> Program:
    """The program in a NIR file that ns4d exported, equal to the one that was exported.

    Args:
        path: The file.

    Returns:
        The program.

    Raises:
        ArtefactError: Missing, truncated, altered, from another tool, or newer.
    """
    path = Path(path)
    graph = _graph(path)
    try:
        kept = graph.metadata["ns4d"]
        format, version = str(kept["format"]), int(kept["version"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _refuse(path, "the metadata of a program", "a graph without them") from error
    if format != FORMAT or version > VERSION:
        got = f"{format[:80]!r}, version {version}"
        raise _refuse(path, f"format {FORMAT!r}, version {VERSION} or older", got)
    program = _program(path, kept)
    _require_equal(path, to_graph(chain_of(program)), graph)
    return program


def _graph(path: Path) -> nir.NIRGraph:
    if not path.is_file():
        raise _refuse(path, "a file", "no regular file" if path.exists() else "nothing")
    try:
        graph = nir.read(path)
    # What NIR raises about a file is not specified: HDF5's errors, assertions, missing keys.
    except Exception as error:
        got = f"{type(error).__name__}: {error}"[:300]
        raise _refuse(path, "a NIR graph in an HDF5 file", got) from error
    if not isinstance(graph, nir.NIRGraph):
        raise _refuse(path, "a graph", type(graph).__name__)
    return graph


def _integers(program: Program) -> dict[str, Any]:
    structure, tensors = take_apart(
        (program.arithmetic, program.input, program.nodes, program.readout, program.metadata)
    )
    nested: dict[str, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        part, _, field = name.rpartition("/")
        nested.setdefault(part, {})[field] = array
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": program.digest,
        "program": canonical_json(structure),
        "tensors": nested,
    }


def _program(path: Path, kept: Mapping[str, Any]) -> Program:
    try:
        tensors: Tensors = {
            f"{part}/{field}": np.asarray(array)
            for part, fields in kept["tensors"].items()
            for field, array in fields.items()
        }
        program = Program(*put_together(json.loads(kept["program"]), tensors))
    except (Ns4dError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"[:300]
        raise _refuse(path, "a legal program in the metadata", got) from error
    if program.digest != kept.get("digest"):
        got = f"{program.digest}: the integers were altered"
        raise _refuse(path, f"digest {str(kept.get('digest'))[:80]}", got)
    return program


def _require_equal(path: Path, wanted: nir.NIRGraph, got: nir.NIRGraph) -> None:
    """Refuse a graph that is not the one of the integers."""
    if set(wanted.nodes) != set(got.nodes) or set(wanted.edges) != set(got.edges):
        raise _refuse(path, "the nodes and edges of the integers", "others: the graph was altered")
    for name, node in wanted.nodes.items():
        ours, theirs = _parameters(node), _parameters(got.nodes[name])
        same = ours.keys() == theirs.keys() and all(
            value.shape == theirs[field].shape
            and np.allclose(value, theirs[field], rtol=FLOAT_TOLERANCE, atol=0)
            for field, value in ours.items()
        )
        if not same or type(node) is not type(got.nodes[name]):
            raise _refuse(path, f"node '{name}' as the integers give it", "an altered one")


def _parameters(node: nir.NIRNode) -> dict[str, np.ndarray]:
    fields = {k: v for k, v in node.to_dict().items() if k not in ("type", "metadata")}
    return {name: np.asarray(value, float) for name, value in fields.items() if value is not None}


def _refuse(path: Path, expected: str, got: str) -> ArtefactError:
    fix = "Export the program again with `ns4d export --to nir`."
    return ArtefactError(str(path), expected=expected, got=got, fix=fix)
