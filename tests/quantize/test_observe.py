"""Observed ranges: exactly the largest magnitudes of the streaming network."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.model import ModelConfig, Network
from ns4d.quantize import Options, observe
from ns4d.quantize.fold import fold_batch_norm
from quantize_networks import Plan, make_network, plans


@torch.no_grad()
def largest_states(network: Network, tokens: torch.Tensor) -> list[np.ndarray]:
    """The same by stepping the whole network token by token."""
    state = network.init_state(len(tokens))
    largest = [torch.zeros(network.config.channels) for _ in network.layers]
    for token in tokens.unbind(1):
        _, state = network.step(token, state)
        for k, x in enumerate(state.layers):
            seen = torch.view_as_real(x).abs().amax((0, 2, 3))
            largest[k] = torch.maximum(largest[k], seen)
    return [values.numpy() for values in largest]


@settings(max_examples=15)
@given(plans, st.integers(0, 100))
def test_states_are_those_of_the_stream(plan: Plan, seed: int) -> None:
    network = plan.build()
    torch.manual_seed(seed)
    folded = fold_batch_norm(network)
    tokens = torch.randn(2, 9, network.config.inputs)
    ranges = observe(folded, tokens, options=Options(fold_b=False))
    for layer, expected in zip(ranges.layers, largest_states(folded, tokens), strict=True):
        np.testing.assert_allclose(layer.state, expected, rtol=1e-3, atol=1e-5)


def test_more_data_never_narrows_a_range() -> None:
    network = make_network(ModelConfig(2, 3, 5, 4, 2), seed=1)
    tokens = torch.randn(6, 20, 2)
    few, many = observe(network, tokens[:2]), observe(network, tokens)
    assert many.sequences == 6
    assert (many.encoder >= few.encoder).all()
    for narrow, wide in zip(few.layers, many.layers, strict=True):
        for part in ("state", "ssm", "linear"):
            assert (getattr(wide, part) >= getattr(narrow, part) * (1 - 1e-5)).all()


def test_token_range_is_per_input() -> None:
    network = make_network(ModelConfig(2, 3, 4, 2, 1), seed=1)
    tokens = torch.zeros(1, 5, 2)
    tokens[0, 3, 1] = -7
    assert observe(network, tokens).token.tolist() == [0, 7]


def test_padding_does_not_count() -> None:
    network = make_network(ModelConfig(2, 3, 5, 4, 2), seed=1)
    tokens, lengths = torch.randn(3, 20, 2), torch.tensor([20, 7, 12])
    junk = tokens.clone()
    for row, length in zip(junk, lengths, strict=True):
        row[length:] = 1000
    clean, dirty = observe(network, tokens, lengths), observe(network, junk, lengths)
    np.testing.assert_array_equal(clean.token, dirty.token)
    np.testing.assert_allclose(clean.encoder, dirty.encoder, rtol=1e-5)
    for one, other in zip(clean.layers, dirty.layers, strict=True):
        for part in ("state", "ssm", "linear"):
            np.testing.assert_allclose(
                getattr(one, part), getattr(other, part), rtol=1e-3, atol=1e-3
            )
    assert observe(network, junk).token.max() == 1000
