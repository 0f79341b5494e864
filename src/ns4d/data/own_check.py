"""Checks one key of the user's file at a time, naming the file, the key, the first bad index."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from ns4d.errors import DataError

REQUIRED = ("tokens", "labels")
OPTIONAL = ("lengths", "split", "classes")


def refusal(where: object, expected: str, got: object, fix: str) -> DataError:
    """The error for a file or a part of it."""
    return DataError(str(where), expected=expected, got=str(got), fix=fix)


def check_keys(path: Path, keys: Collection[str]) -> None:
    """All required keys and no unknown one: a misspelled optional key must not pass unread."""
    known = ", ".join(REQUIRED), ", ".join(OPTIONAL)
    for key in REQUIRED:
        if key not in keys:
            found = ", ".join(keys) or "no keys"
            fix = f"Save it with np.savez({path.name!r}, tokens=tokens, labels=labels)."
            raise refusal(path, f"the keys {known[0]}", found, fix)
    for key in keys:
        if key not in REQUIRED + OPTIONAL:
            expected = f"only the keys {known[0]} (required), {known[1]} (optional)"
            raise refusal(path, expected, repr(key), "Rename the key or leave it out.")


def check_tokens(path: Path, tokens: np.ndarray) -> np.ndarray:
    """Numbers of shape (b, l, i), of which the last axis may be left out."""
    where = f"{path}, tokens"
    if tokens.dtype.kind not in "uif":
        fix = "Convert with astype(np.float32) or astype(np.uint8)."
        raise refusal(where, "whole numbers or floats", tokens.dtype, fix)
    if tokens.ndim not in (2, 3) or 0 in tokens.shape:
        expected = "shape (sequences, length, inputs) or (sequences, length), none of them 0"
        raise refusal(where, expected, f"shape {tokens.shape}", "Reshape it before saving.")
    return tokens if tokens.ndim == 3 else tokens[:, :, None]


def check_finite(path: Path, raw: np.ndarray, tokens: np.ndarray) -> None:
    """Every real token is finite after the conversion to what is stored."""
    bad = np.argwhere(~np.isfinite(tokens))
    if len(bad):
        index = tuple(int(position) for position in bad[0])
        where = f"{path}, tokens[{', '.join(map(str, index))}]"
        fix = "Remove or replace such values before saving; padding is declared by lengths."
        raise refusal(where, "a finite number within float32", raw[index], fix)


def check_integers(
    path: Path, key: str, values: np.ndarray, count: int, least: int, most: int
) -> Int64[np.ndarray, " b"]:
    """One whole number per sequence, from least to most."""
    where = f"{path}, {key}"
    if values.dtype.kind not in "iu" or values.shape != (count,):
        got = f"{values.dtype} of shape {values.shape}"
        fix = "Give one whole number per sequence of tokens."
        raise refusal(where, f"whole numbers of shape ({count},)", got, fix)
    bad = np.flatnonzero((values < least) | (values > most))
    if bad.size:
        fix = f"Correct {key} before saving."
        raise refusal(f"{where}[{bad[0]}]", f"{least} to {most}", values[bad[0]], fix)
    return values.astype(np.int64)


def check_classes(path: Path, classes: np.ndarray) -> tuple[str, ...]:
    """Distinct names, saved as an array of text."""
    where = f"{path}, classes"
    if classes.dtype.kind != "U" or classes.ndim != 1:
        got = f"{classes.dtype} of shape {classes.shape}"
        fix = "Save np.array(['first', 'second'])."
        raise refusal(where, "text of shape (classes,)", got, fix)
    names = tuple(str(name) for name in classes)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise refusal(where, "distinct names", f"{twice!r} twice", "Rename one of them.")
    return names


def check_presence(path: Path, train_labels: np.ndarray, classes: int) -> None:
    """At least two classes, each with a sequence to learn from."""
    if classes < 2:
        fix = "Give each sequence the number of its class."
        raise refusal(f"{path}, labels", "at least 2 classes", classes, fix)
    missing = np.setdiff1d(np.arange(classes), train_labels)
    if missing.size:
        expected = f"each class 0 to {classes - 1} in the train part"
        fix = "Number the classes without gaps, and put some of each into the train part."
        raise refusal(f"{path}, labels", expected, f"none of class {missing[0]}", fix)


def check_parts(path: Path, sizes: dict[str, int]) -> None:
    """Every part has a sequence."""
    empty = [name for name, size in sizes.items() if size == 0]
    if empty:
        found = ", ".join(f"{size} {name}" for name, size in sizes.items())
        fix = "Add sequences, or assign them by the key split: 0 train, 1 validation, 2 test."
        raise refusal(path, f"at least one {empty[0]} sequence", found, fix)
