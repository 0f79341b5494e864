"""Reads CIFAR-10 as its author published it: six pickled batches, in a tarball or unpacked.

A pickle can run any program, so (a) checksums are compared before anything is unpickled, and
(b) the unpickler knows nothing but NumPy arrays and the built-in containers. The tarball is read
in memory; no path in it is ever used as a path.

Source    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from ns4d.data.dataset import Split
from ns4d.data.pinned import PinnedFile, command
from ns4d.errors import DataError

TARBALL = PinnedFile(
    "cifar-10-python.tar.gz",
    "cifar10",
    170498071,
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ("https://www.cs.toronto.edu/~kriz/",),
)
BATCH_FOLDER = "cifar-10-batches-py"

# MD5 of the unpacked batches, in order, as listed in torchvision/datasets/cifar.py.
BATCH_MD5: Mapping[str, str] = MappingProxyType(
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }
)

# The names under which the pickles, written by Python 2, ask for what an array is made of. NumPy
# has since moved the function, so an array of today is asked for it.
_ALLOWED: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }
)
_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)


def read_tarball(path: Path, task: str, pinned: PinnedFile = TARBALL) -> tuple[Split, Split]:
    """The train and test images of the original tarball.

    Args:
        path: The tarball.
        task: The task it is for, named in messages.
        pinned: What the tarball must contain.

    Raises:
        DataError: It is altered, or a batch is missing or malformed.
    """
    content = pinned.read(path, task)
    batches = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    batches[PurePosixPath(member.name).name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        fix = f"Fetch it again, then run {command(task)}."
        raise DataError(str(path), expected="a gzip tarball", got=str(error), fix=fix) from error
    return _assemble(batches, path, task)


def read_folder(path: Path, task: str, md5: Mapping[str, str] = BATCH_MD5) -> tuple[Split, Split]:
    """The train and test images of the unpacked batches.

    Args:
        path: The folder cifar-10-batches-py.
        task: The task it is for, named in messages.
        md5: The checksum that each batch must have.

    Raises:
        DataError: A batch is missing, altered or malformed.
    """
    batches = {n: (path / n).read_bytes() for n in md5 if (path / n).is_file()}
    for name, content in batches.items():
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != md5[name]:
            fix = f"Unpack {TARBALL.name} again, then run {command(task)}."
            raise DataError(str(path / name), expected=f"MD5 {md5[name]}", got=found, fix=fix)
    return _assemble(batches, path, task)


def _assemble(batches: Mapping[str, bytes], path: Path, task: str) -> tuple[Split, Split]:
    parts = []
    for name in BATCH_MD5:
        if name not in batches:
            found = ", ".join(sorted(batches)) or "none"
            fix = f"Fetch {TARBALL.name} again, then run {command(task)}."
            raise DataError(str(path), expected=f"the batch {name}", got=found, fix=fix)
        parts.append(_read_batch(batches[name], f"{path}, {name}"))
    pixels, labels = zip(*parts, strict=True)
    train = to_split(np.concatenate(pixels[:-1]), np.concatenate(labels[:-1]))
    return train, to_split(pixels[-1], labels[-1])


def to_split(pixels: UInt8[np.ndarray, "b values"], labels: Int64[np.ndarray, " b"]) -> Split:
    """Images stored colour by colour as sequences of RGB tokens, row by row.

    Args:
        pixels: All red values of an image, then all green, then all blue.
        labels: The class of each image.
    """
    tokens = np.ascontiguousarray(pixels.reshape(len(pixels), 3, -1).transpose(0, 2, 1))
    return Split(tokens, labels, np.full(len(tokens), tokens.shape[1], dtype=np.int64))


def _read_batch(
    content: bytes, where: str
) -> tuple[UInt8[np.ndarray, "b 3072"], Int64[np.ndarray, " b"]]:
    fix = f"Fetch {TARBALL.name} again; only the original batches are read."
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"], np.array(batch[b"labels"], dtype=np.int64)
    except _MALFORMED as error:
        got = f"{type(error).__name__}: {error}"
        expected = "a pickled dict with data and labels"
        raise DataError(where, expected=expected, got=got, fix=fix) from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise DataError(where, expected="data in uint8", got=type(pixels).__name__, fix=fix)
    if pixels.shape != (len(labels), 3072) or labels.ndim != 1:
        expected = f"data of shape ({len(labels)}, 3072)"
        raise DataError(where, expected=expected, got=str(pixels.shape), fix=fix)
    return pixels, labels


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        return _ALLOWED[module, name]
