"""Sequences of different lengths: what comes after the end of one does not count."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_variants import PAPER, VARIANTS, build, random_tokens

NETWORKS = {name: build(config) for name, config in VARIANTS.items()}
every_variant = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def same(left, right) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=1e-9)


@every_variant
@settings(max_examples=6)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    more=st.integers(0, 5),
    padding=st.floats(-100, 100),
)
def test_a_padded_sequence_gives_the_logits_of_the_unpadded_one(network, lengths, more, padding):
    """Whatever the padding is: the mean leaves it out, and nothing runs back in time."""
    tokens = random_tokens(network.config, len(lengths), max(lengths) + more)
    for row, length in zip(tokens, lengths, strict=True):
        row[length:] = padding
    logits = network(tokens, torch.tensor(lengths))
    for row, length, answer in zip(tokens, lengths, logits, strict=True):
        same(answer, network(row[None, :length])[0])


@every_variant
def test_full_lengths_are_no_lengths(network):
    tokens = random_tokens(network.config, 3, 10)
    same(network(tokens, torch.tensor([10, 10, 10])), network(tokens))


def test_lengths_do_count():
    network = NETWORKS["paper"]
    tokens = random_tokens(PAPER, 2, 10)
    shorter = network(tokens, torch.tensor([10, 4]))
    same(shorter[0], network(tokens)[0])
    assert not torch.allclose(shorter[1], network(tokens)[1], atol=1e-6)


def test_padding_receives_no_gradient():
    tokens = random_tokens(PAPER, 2, 10).requires_grad_()
    NETWORKS["paper"](tokens, torch.tensor([10, 4])).sum().backward()
    assert tokens.grad is not None
    same(tokens.grad[1, 4:], torch.zeros(6, PAPER.inputs, dtype=torch.float64))
    assert tokens.grad[1, :4].abs().max() > 1e-6
    assert tokens.grad[0, 4:].abs().max() > 1e-6


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_lengths_may_be_any_integers(dtype):
    network, tokens = NETWORKS["paper"], random_tokens(PAPER, 2, 10)
    expected = network(tokens, torch.tensor([7, 3]))
    same(network(tokens, torch.tensor([7, 3], dtype=dtype)), expected)
