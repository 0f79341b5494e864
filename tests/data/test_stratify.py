"""Laws of holding sequences out: disjoint, complete, in proportion, always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data.stratify import hold_out, hold_out_test, hold_out_validation

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=300).map(np.array)
FRACTIONS = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.5])
SEEDS = st.integers(0, 2**32 - 1)


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_the_two_sides_cover_everything_once(labels, fraction, seed):
    kept, held = hold_out(labels, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_both_sides_are_ascending(labels, fraction, seed):
    for side in hold_out(labels, fraction, seed):
        assert (np.diff(side) > 0).all()


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_each_class_gives_its_share(labels, fraction, seed):
    _, held = hold_out(labels, fraction, seed)
    for label in np.unique(labels):
        share = (labels == label).sum() * fraction
        assert abs((labels[held] == label).sum() - share) <= 1


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_each_class_is_kept(labels, fraction, seed):
    kept, _ = hold_out(labels, fraction, seed)
    assert np.array_equal(np.unique(labels[kept]), np.unique(labels))


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_it_is_repeatable(labels, fraction, seed):
    first, second = (hold_out(labels, fraction, seed) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@given(sizes=st.lists(st.integers(20, 60), min_size=1, max_size=8), fraction=FRACTIONS)
def test_the_total_is_the_rounded_share(sizes, fraction):
    """Per class the error may be one; over all classes it does not add up."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    _, held = hold_out(labels, fraction, seed=0)
    assert abs(len(held) - len(labels) * fraction) <= 1


def test_another_seed_holds_others_out():
    labels = np.zeros(100, dtype=np.int64)
    assert not np.array_equal(hold_out(labels, 0.5, 1)[1], hold_out(labels, 0.5, 2)[1])


def test_it_does_not_touch_the_global_generator():
    """A training seed set by the caller means the same before and after."""
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    hold_out_validation(np.zeros(50, dtype=np.int64))
    assert np.random.random() == expected


@pytest.mark.parametrize("global_seed", [0, 1])
def test_the_fixed_parts_are_pinned(global_seed: int):
    np.random.seed(global_seed)
    labels = np.arange(50, dtype=np.int64) % 2
    assert hold_out_test(labels)[1].tolist() == [1, 15, 17, 18, 24, 27, 32, 35, 38, 46]
    assert hold_out_validation(labels)[1].tolist() == [7, 12, 13, 20, 47]


def test_a_class_of_one_is_never_taken():
    labels = np.array([0, 1, 2, 3, 4, 5, 5])
    _, held = hold_out(labels, 0.5, seed=3)
    assert set(labels[held]) <= {5}


def test_a_large_class_does_not_pay_for_small_ones():
    """Ten classes of one owe two sequences in all; the class of ten gives its own two."""
    labels = np.repeat(np.arange(11), [1] * 10 + [10])
    _, held = hold_out(labels, 0.2, seed=0)
    assert labels[held].tolist() == [10, 10]
