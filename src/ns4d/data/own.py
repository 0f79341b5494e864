"""Reads the user's own sequences from one .npz file.

    key       shape                 meaning
    tokens    (b, l, i) or (b, l)   numbers; shorter sequences are padded at the end          (1)
    labels    (b,)                  0 to classes - 1, each present in the train part          (2)
    lengths   (b,), optional        the number of real tokens, 1 to l; l when left out        (3)
    split     (b,), optional        0 train, 1 validation, 2 test                             (4)
    classes   (k,), optional        the name of each label; its number when left out          (5)

Bytes (uint8) stay bytes, other numbers become float32; what lies in the padding is replaced by 0.
Without (4), 20 % become the test part and 10 % of the rest the validation part, class by class;
with (4) but no 1 in it, only the validation part is held out, of train. Nothing in the file is
ever unpickled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from ns4d.data.dataset import Dataset, Split
from ns4d.data.measure import measure
from ns4d.data.npz import read_npz
from ns4d.data.own_check import (
    check_classes,
    check_finite,
    check_integers,
    check_keys,
    check_parts,
    check_presence,
    check_tokens,
)
from ns4d.data.stratify import hold_out_test, hold_out_validation

TRAIN, VALIDATION, TEST = range(3)

Parts = dict[str, np.ndarray]
Tokens = UInt8[np.ndarray, "b l i"] | Float32[np.ndarray, "b l i"]


def load_own(path: Path) -> Dataset:
    """The data set in a .npz file with the keys (1) to (5).

    Args:
        path: The file.

    Returns:
        A data set whose task is the path as given, normalized by its train part.

    Raises:
        DataError: The file is missing or unreadable, or a key breaks its row of the table; the
            message names the file, the key and the first bad index.
    """
    arrays = read_npz(path, "Save it with np.savez; arrays of Python objects are refused.")
    check_keys(path, arrays)
    everything = _sequences(path, arrays)
    parts = _parts(path, arrays.get("split"), everything.labels)
    check_parts(path, {name: len(indices) for name, indices in parts.items()})
    classes = _classes(path, arrays.get("classes"), everything.labels)
    check_presence(path, everything.labels[parts["train"]], len(classes))
    train = everything.select(parts["train"])
    return Dataset(
        str(path),
        train=train,
        validation=everything.select(parts["validation"]),
        test=everything.select(parts["test"]),
        normalization=measure(train),
        classes=classes,
    )


def _sequences(path: Path, arrays: dict[str, np.ndarray]) -> Split:
    raw = check_tokens(path, arrays["tokens"])
    count, longest = raw.shape[:2]
    # Classes have no gaps, so no label reaches the number of sequences.
    labels = check_integers(path, "labels", arrays["labels"], count, 0, count - 1)
    lengths = np.full(count, longest)
    if "lengths" in arrays:
        lengths = arrays["lengths"]
    lengths = check_integers(path, "lengths", lengths, count, 1, longest)
    tokens = _to_tokens(raw, lengths)
    check_finite(path, raw, tokens)
    return Split(tokens, labels, lengths)


def _to_tokens(raw: np.ndarray, lengths: Int64[np.ndarray, " b"]) -> Tokens:
    """The numbers as they are stored, with 0 in the padding whatever was there."""
    dtype = np.uint8 if raw.dtype == np.uint8 else np.float32
    with np.errstate(over="ignore"):  # too large becomes infinite, which is refused by its index
        tokens = raw.astype(dtype)
    tokens[np.arange(raw.shape[1]) >= lengths[:, None]] = 0
    return tokens


def _parts(path: Path, split: np.ndarray | None, labels: Int64[np.ndarray, " b"]) -> Parts:
    if split is None:
        train, test = hold_out_test(labels)
        validation = np.empty(0, dtype=np.int64)
    else:
        split = check_integers(path, "split", split, len(labels), TRAIN, TEST)
        train, validation, test = (
            np.flatnonzero(split == part) for part in (TRAIN, VALIDATION, TEST)
        )
    if not validation.size:
        kept, held = hold_out_validation(labels[train])
        train, validation = train[kept], train[held]
    return {"train": train, "validation": validation, "test": test}


def _classes(
    path: Path, names: np.ndarray | None, labels: Int64[np.ndarray, " b"]
) -> tuple[str, ...]:
    if names is None:
        return tuple(str(label) for label in range(int(labels.max()) + 1))
    classes = check_classes(path, names)
    check_integers(path, "labels", labels, len(labels), 0, len(classes) - 1)
    return classes
