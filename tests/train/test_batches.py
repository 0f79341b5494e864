"""Batches: every sequence once an epoch, in an order that the seed and the epoch decide."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ns4d.data import Dataset, Normalization, Split
from ns4d.train import Augmentation, train
from ns4d.train.batches import SplitTensors, epoch_order, step_seed
from train.tiny import EPOCHS, STEPS, STEPS_PER_EPOCH, restless_recipe, tiny_dataset

CPU = torch.device("cpu")


def numbered_dataset() -> Dataset:
    """Sequences that carry their number as first token."""
    plain = tiny_dataset()
    tokens = plain.train.tokens.copy()
    tokens[:, 0, 0] = np.arange(len(tokens))
    numbered = Split(tokens, plain.train.labels, plain.train.lengths)
    parts = {"train": numbered, "validation": plain.validation, "test": plain.test}
    return Dataset("numbered", **parts, normalization=plain.normalization, classes=plain.classes)


def drawn_by(folder: Path, seed: int) -> np.ndarray:
    """The numbers of the sequences that a training drew, one row per epoch."""
    seen: list[int] = []

    def note(tokens: Tensor, generator: torch.Generator) -> Tensor:
        seen.extend(tokens[:, 0, 0].tolist())
        return tokens

    recipe = restless_recipe(seed=seed, augmentation=Augmentation())
    train(recipe, numbered_dataset(), folder, hooks=[note], show=False)
    return np.array(seen).reshape(EPOCHS, -1)


def test_a_training_draws_each_sequence_once_an_epoch(tmp_path):
    """Of 43, five batches of 8: which three are left out differs from epoch to epoch."""
    epochs = drawn_by(tmp_path, seed=3)
    assert epochs.size == 8 * STEPS
    for epoch in epochs:
        assert len(set(epoch)) == 8 * STEPS_PER_EPOCH
    left_out = [frozenset(range(43)) - frozenset(epoch) for epoch in epochs]
    assert len(set(left_out)) == EPOCHS
    for one, other in itertools.combinations(epochs, 2):
        assert (one != other).any()


def test_the_seed_decides_the_order(tmp_path):
    first, again, other = (drawn_by(tmp_path / str(i), seed) for i, seed in enumerate((3, 3, 4)))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("count", [1, 2, 43, 1000])
def test_an_order_is_a_permutation(count):
    assert (np.sort(epoch_order(count, 0, 0)) == np.arange(count)).all()


def test_orders_differ_by_seed_and_epoch():
    orders = [tuple(epoch_order(100, seed, epoch)) for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25
    assert tuple(epoch_order(100, 4, 4)) == orders[-1]


def test_steps_and_processes_have_seeds_of_their_own():
    seeds = [step_seed(a, b, c) for a in range(4) for b in range(25) for c in range(4)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 1 << 63 for seed in seeds), "torch takes no larger one"
    assert step_seed(3, 24, 3) == seeds[-1]


def ragged_split() -> Split:
    tokens = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    return Split(tokens, np.array([0, 1, 0, 1, 0]), np.array([4, 2, 1, 3, 4]))


def test_tokens_are_normalized_by_channel():
    split = ragged_split()
    normalization = Normalization(np.array([0.5, -1.0]), np.array([2.0, 0.25]))
    tokens, labels, _ = SplitTensors(split, normalization, CPU).batch(torch.tensor([4, 0]))
    expected = (split.tokens[[4, 0]].astype(np.float64) - [0.5, -1.0]) / [2.0, 0.25]
    assert tokens.dtype == torch.float32
    np.testing.assert_allclose(tokens.numpy(), expected, rtol=1e-6)
    assert labels.tolist() == [0, 0]


def test_bytes_are_normalized_without_wrapping_round():
    split = Split(np.array([[[0], [255]]], np.uint8), np.array([0]), np.array([2]))
    part = SplitTensors(split, Normalization(np.array([100.0]), np.array([5.0])), CPU)
    assert part.batch(torch.tensor([0]))[0].flatten().tolist() == [-20.0, 31.0]


def test_lengths_travel_only_where_they_differ():
    split, normalization = ragged_split(), Normalization(np.zeros(2), np.ones(2))
    lengths = SplitTensors(split, normalization, CPU).batch(torch.tensor([2, 1]))[2]
    assert lengths.tolist() == [1, 2]
    equal = Split(split.tokens, split.labels, np.full(5, 4))
    assert SplitTensors(equal, normalization, CPU).batch(torch.tensor([2, 1]))[2] is None
    short = Split(split.tokens, split.labels, np.full(5, 3))
    assert SplitTensors(short, normalization, CPU).batch(torch.tensor([0]))[2].tolist() == [3]


def test_hooks_follow_one_another_on_raw_tokens():
    split = Split(np.full((2, 3, 1), 7, np.uint8), np.array([0, 1]), np.array([3, 3]))
    part = SplitTensors(split, Normalization(np.array([1.0]), np.array([2.0])), CPU)
    hooks = [lambda tokens, _: tokens * 2, lambda tokens, _: tokens + 1]
    tokens, _, _ = part.batch(torch.tensor([0]), hooks)
    assert tokens.flatten().tolist() == [(7 * 2 + 1 - 1) / 2] * 3


@pytest.mark.parametrize(("size", "pieces"), [(1, 5), (2, 3), (5, 1), (9, 1)])
def test_in_order_is_everything_in_order(size, pieces):
    part = SplitTensors(ragged_split(), Normalization(np.zeros(2), np.ones(2)), CPU)
    indices = list(part.in_order(size))
    assert (len(part), len(indices)) == (5, pieces)
    assert torch.cat(indices).tolist() == [0, 1, 2, 3, 4]


def test_arrays_read_from_files_may_be_read_only():
    tokens = np.arange(12, dtype=np.uint8).reshape(2, 6, 1)
    tokens.setflags(write=False)
    split = Split(tokens, np.array([0, 1]), np.array([6, 6]))
    part = SplitTensors(split, Normalization(np.zeros(1), np.ones(1)), torch.device("cpu"))
    assert part.tokens.numpy().tolist() == tokens.tolist()
