"""Shows every sequence of a data set in another order of tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ns4d.data.dataset import Dataset, Split
from ns4d.data.permutation import Permutation
from ns4d.errors import ConfigError


def reorder(dataset: Dataset, permutation: Permutation) -> Dataset:
    """The same data set with its tokens in the named order, whatever order they had.

    Args:
        dataset: All its sequences must have the full length, since a permutation would
            scatter the padding among the tokens.
        permutation: The order wanted, counted from the original order.

    Raises:
        ConfigError: A sequence is shorter than the padded length.
    """
    if permutation.value == dataset.permutation:
        return dataset
    for name, split in dataset.splits():
        _require_full_length(dataset, name, split)
    old = Permutation(dataset.permutation).order(dataset.length)
    source = np.argsort(old)[permutation.order(dataset.length)]
    return replace(
        dataset,
        permutation=permutation.value,
        **{n: replace(s, tokens=s.tokens[:, source]) for n, s in dataset.splits()},
    )


def _require_full_length(dataset: Dataset, name: str, split: Split) -> None:
    short = np.flatnonzero(split.lengths != dataset.length)
    if short.size:
        raise ConfigError(
            f"data set {dataset.task}, {name} lengths[{short[0]}]",
            expected=f"{dataset.length} tokens, as in every sequence that is to be permuted",
            got=str(split.lengths[short[0]]),
            fix="Permute only sequences of equal length, or leave the permutation out.",
        )
