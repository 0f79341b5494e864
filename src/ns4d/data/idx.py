"""Reads the idx format of the original MNIST files, gzip-compressed.

    byte 0-1    zero                                                                  (1)
    byte 2      element type; 0x08 is an unsigned byte, the only one in MNIST         (2)
    byte 3      number of axes                                                        (3)
    4 per axis  its size, big-endian                                                  (4)
    the rest    the elements, last axis fastest                                       (5)

Source    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np
from jaxtyping import UInt8

from ns4d.errors import DataError

UNSIGNED_BYTE = 0x08


def read_idx(compressed: bytes, axes: int, where: str) -> UInt8[np.ndarray, "*shape"]:
    """The array in a gzip-compressed idx file.

    Args:
        compressed: The content of the file.
        axes: The number of axes wanted: 3 for images, 1 for labels.
        where: The name of the file, for the message.

    Raises:
        DataError: It is not gzip, is truncated, or (1) to (5) do not hold.
    """
    try:
        content = gzip.decompress(compressed)
    except (OSError, EOFError, zlib.error) as error:
        raise _refusal(where, "a complete gzip file", str(error)) from error
    magic = bytes((0, 0, UNSIGNED_BYTE, axes))
    if content[:4] != magic:
        raise _refusal(where, f"idx magic number {magic.hex()}", content[:4].hex() or "nothing")
    start = 4 + 4 * axes
    if len(content) < start:
        raise _refusal(where, f"an idx header of {start} bytes", f"{len(content)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(content) - start != math.prod(shape):
        found = f"{len(content) - start} bytes"
        raise _refusal(where, f"{math.prod(shape)} bytes for shape {shape}", found)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _refusal(where: str, expected: str, got: str) -> DataError:
    return DataError(where, expected=expected, got=got, fix="Fetch the original file again.")
