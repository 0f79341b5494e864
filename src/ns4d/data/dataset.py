"""The containers every task returns: sequences, their labels, their normalization.

Tokens stay raw (pixels as bytes, measurements as float32); the normalization travels beside them,
because the integer program folds it into its first layer instead of applying it to the data.
The fields are plain arrays to the type checker: `__post_init__` refuses the wrong ones by itself.

Axes      b sequence, l time step, i input channel.
Units     raw tokens are in the units of their source; normalized tokens have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from ns4d.data.permutation import Permutation
from ns4d.errors import ConfigError, RangeError, ShapeError


@final
@dataclass(frozen=True, eq=False)
class Normalization:
    """token = (raw - offset) / scale, one pair per input channel.

    Args:
        offset: Subtracted first, in raw units, float64, shape (i,).
        scale: Divided by, in raw units, positive, float64, shape (i,).
    """

    offset: np.ndarray
    scale: np.ndarray

    def __post_init__(self) -> None:
        for name, value in (("offset", self.offset), ("scale", self.scale)):
            _require_array(f"normalization {name}", value, np.float64, self.offset.shape[:1])
            bad = np.flatnonzero(~np.isfinite(value))
            if bad.size:
                _refuse_value(f"normalization {name}[{bad[0]}]", "a finite number", value[bad[0]])
        bad = np.flatnonzero(self.scale <= 0)
        if bad.size:
            _refuse_value(f"normalization scale[{bad[0]}]", "more than 0", self.scale[bad[0]])


@final
@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: raw sequences of equal padded length.

    Args:
        tokens: Raw tokens, padded with 0 at the end, uint8 or float32, shape (b, l, i).
        labels: The class of each sequence, int64, shape (b,).
        lengths: The number of real tokens of each sequence, 1 to l, int64, shape (b,).
    """

    tokens: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.tokens.dtype not in (np.uint8, np.float32):
            raise ShapeError(
                "split tokens",
                expected="uint8 or float32 of shape (sequences, length, inputs)",
                got=_describe(self.tokens),
                fix="Add the missing axis, or convert with astype(np.float32).",
            )
        count = self.tokens.shape[:1]
        _require_array("split labels", self.labels, np.int64, count)
        _require_array("split lengths", self.lengths, np.int64, count)
        self._check_values()

    def _check_values(self) -> None:
        bad = np.flatnonzero(self.labels < 0)
        if bad.size:
            _refuse_value(f"split labels[{bad[0]}]", "0 or more", self.labels[bad[0]])
        longest = self.tokens.shape[1]
        bad = np.flatnonzero((self.lengths < 1) | (self.lengths > longest))
        if bad.size:
            _refuse_value(f"split lengths[{bad[0]}]", f"1 to {longest}", self.lengths[bad[0]])

    def __len__(self) -> int:
        return len(self.labels)

    def sequence(self, index: int) -> np.ndarray:
        """One sequence as real raw tokens, without its padding.

        Args:
            index: Its position, from 0.

        Returns:
            float64 (l, i).
        """
        return self.tokens[index, : self.lengths[index]].astype(np.float64)

    def select(self, indices: np.ndarray) -> Split:
        """The sequences at the given positions, in that order.

        Args:
            indices: Whole numbers, shape (k,); negative ones count from the end.

        Raises:
            ShapeError: The indices are not a list of whole numbers.
            RangeError: An index lies outside the split.
        """
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise ShapeError(
                "split select",
                expected="whole numbers of shape (k,)",
                got=_describe(indices),
                fix="Turn a mask into positions with np.flatnonzero.",
            )
        bad = np.flatnonzero((indices < -len(self)) | (indices >= len(self)))
        if bad.size:
            limit = f"an index below {len(self)}"
            _refuse_value(f"split select, indices[{bad[0]}]", limit, indices[bad[0]])
        return Split(self.tokens[indices], self.labels[indices], self.lengths[indices])


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """A task ready for training.

    Args:
        task: The name it was loaded by, or the path of the user's own file.
        train: The part that parameters are fitted on.
        validation: The part that choices are made on.
        test: The part that is only reported.
        normalization: Measured on the train part alone.
        classes: The name of each label.
        permutation: The order of the tokens, one of the names of `Permutation`.
    """

    task: str
    train: Split
    validation: Split
    test: Split
    normalization: Normalization
    classes: tuple[str, ...]
    permutation: str = Permutation.NONE.value

    def __post_init__(self) -> None:
        names = [known.value for known in Permutation]
        if self.permutation not in names:
            raise ConfigError(
                f"data set {self.task}, permutation",
                expected=f"one of {', '.join(names)}",
                got=repr(self.permutation),
                fix="Use the value of a member of ns4d.data.Permutation.",
            )
        for name, split in self.splits():
            self._check(name, split)

    def _check(self, name: str, split: Split) -> None:
        where = f"data set {self.task}, {name}"
        if len(split) == 0:
            _refuse_value(where, "at least one sequence", "none")
        if split.tokens.shape[1:] != (self.length, self.inputs):
            raise ShapeError(
                f"{where} tokens",
                expected=f"length {self.length}, {self.inputs} inputs",
                got=_describe(split.tokens),
                fix="Every part has the padded length of train and one input per channel.",
            )
        bad = np.flatnonzero(split.labels >= len(self.classes))
        if bad.size:
            limit = f"below {len(self.classes)}, the number of classes"
            _refuse_value(f"{where} labels[{bad[0]}]", limit, split.labels[bad[0]])

    def splits(self) -> Iterator[tuple[str, Split]]:
        """The three parts with their names, train first."""
        yield "train", self.train
        yield "validation", self.validation
        yield "test", self.test

    @cached_property
    def digest(self) -> str:
        """sha256 of all sequences, labels, lengths, the normalization: what a run is tied to."""
        digest = hashlib.sha256(repr((self.classes, self.permutation)).encode())
        arrays = [self.normalization.offset, self.normalization.scale]
        for _, split in self.splits():
            arrays += [split.tokens, split.labels, split.lengths]
        for array in arrays:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def inputs(self) -> int:
        """Values per token."""
        return len(self.normalization.offset)

    @property
    def length(self) -> int:
        """Tokens per padded sequence."""
        return self.train.tokens.shape[1]


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _require_array(where: str, array: np.ndarray, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype == dtype and array.shape == shape and array.ndim == 1:
        return
    wanted = f"{np.dtype(dtype)} of shape {shape}"
    fix = "Convert it with astype, and give one value per entry."
    raise ShapeError(where, expected=wanted, got=_describe(array), fix=fix)


def _refuse_value(where: str, expected: str, got: object) -> None:
    raise RangeError(where, expected=expected, got=str(got), fix="Correct the source of the data.")
