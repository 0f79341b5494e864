"""Reordering moves tokens and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.data import Dataset, Normalization, Permutation
from ns4d.data.reorder import reorder
from ns4d.errors import ConfigError


@pytest.fixture
def dataset(make_split) -> Dataset:
    unit = Normalization(np.zeros(2), np.ones(2))
    parts = (make_split(n, length=11, offset=100 * n) for n in (6, 4, 2))
    return Dataset("toy", *parts, unit, ("no", "yes"))


@pytest.mark.parametrize("permutation", Permutation)
def test_tokens_are_shown_in_the_order(dataset: Dataset, permutation: Permutation):
    shown = reorder(dataset, permutation)
    order = permutation.order(11)
    assert shown.permutation == permutation.value
    for (_, before), (_, after) in zip(dataset.splits(), shown.splits(), strict=True):
        for step in range(11):
            assert np.array_equal(after.tokens[:, step], before.tokens[:, order[step]])


@pytest.mark.parametrize("second", Permutation)
@pytest.mark.parametrize("first", Permutation)
def test_the_order_counts_from_the_original(dataset, first: Permutation, second: Permutation):
    """Whatever order came before, the result is that of the last one alone."""
    twice, once = reorder(reorder(dataset, first), second), reorder(dataset, second)
    assert twice.permutation == once.permutation
    for (_, left), (_, right) in zip(twice.splits(), once.splits(), strict=True):
        assert np.array_equal(left.tokens, right.tokens)


def test_everything_else_is_untouched(dataset: Dataset):
    shown = reorder(dataset, Permutation.BIT_REVERSAL)
    assert (shown.task, shown.classes) == (dataset.task, dataset.classes)
    assert shown.normalization is dataset.normalization
    for (_, before), (_, after) in zip(dataset.splits(), shown.splits(), strict=True):
        assert np.array_equal(after.labels, before.labels)
        assert np.array_equal(after.lengths, before.lengths)


def test_the_same_order_costs_nothing(dataset: Dataset):
    assert reorder(dataset, Permutation.NONE) is dataset


def test_padding_is_not_scattered(dataset: Dataset, make_split):
    padded = replace(dataset, validation=make_split(3, length=11, lengths=[11, 11, 7]))
    expected = r"toy, validation lengths\[2\]: expected 11 tokens, .* got 7"
    with pytest.raises(ConfigError, match=expected):
        reorder(padded, Permutation.BIT_REVERSAL)
