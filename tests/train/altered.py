"""Checkpoint files altered on purpose, with checksums that hold: written from the format alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

KEY = "ns4d-checkpoint"
Header = dict[str, Any]
Tensors = dict[str, torch.Tensor]


def read_header(path: Path) -> Header:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[KEY])


def checksum(header: Header, tensors: Tensors) -> str:
    """The header as sorted JSON, then the tensors in the order of their names."""
    covered = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(covered, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def alter(
    source: Path,
    target: Path,
    edit: Callable[[Header, Tensors], object],
    *,
    refresh: bool = True,
) -> Path:
    """Write an edited copy of a checkpoint, by default with a new checksum."""
    header, tensors = read_header(source), load_file(source)
    edit(header, tensors)
    if refresh:
        header["sha256"] = checksum(header, tensors)
    save_file(tensors, target, {KEY: json.dumps(header)})
    return target


def leaves(group: Header, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every single value in a nested header."""
    paths = []
    for name, value in group.items():
        path = (*prefix, name)
        paths += leaves(value, path) if isinstance(value, dict) else [path]
    return paths


def put(group: Header, path: tuple[str, ...], value: object) -> None:
    """Replace one value of a nested header."""
    for name in path[:-1]:
        group = group[name]
    group[path[-1]] = value
