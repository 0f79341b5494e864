"""`forward`, `scan` in any chunking, `step` by step: one function, on the whole network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model_variants import VARIANTS, build, random_tokens
from ns4d.model import ModelConfig, Network, NetworkState

NETWORKS = {name: build(config) for name, config in VARIANTS.items()}
every_variant = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def tensors_of(state: NetworkState) -> tuple[Tensor, ...]:
    return (*state.layers, state.total)


def same(left, right) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=1e-9)


def step_by_step(
    network: Network, tokens: Tensor, state: NetworkState
) -> tuple[list[Tensor], NetworkState]:
    """The logits after each token, and the last state."""
    logits = []
    for token in tokens.unbind(1):
        answer, state = network.step(token, state)
        logits.append(answer)
    return logits, state


@every_variant
def test_a_stream_gives_the_logits_of_every_prefix(network):
    """After k tokens, what `forward` says of the first k."""
    tokens = random_tokens(network.config, 3, 13)
    logits, state = step_by_step(network, tokens, network.init_state(3))
    for count, answer in enumerate(logits, start=1):
        same(answer, network(tokens[:, :count]))
    assert state.tokens == 13


@every_variant
@settings(max_examples=6)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=st.integers(0, 2**31))
def test_chunking_does_not_matter(network, sizes, seed):
    """Logits and state after each chunk are those after its last step."""
    torch.manual_seed(seed)
    tokens = random_tokens(network.config, 2, sum(sizes))
    chunked = stepped = network.init_state(2)
    for chunk in tokens.split(sizes, 1):
        answer, chunked = network.scan(chunk, chunked)
        answers, stepped = step_by_step(network, chunk, stepped)
        same(answer, answers[-1])
        same(tensors_of(chunked), tensors_of(stepped))
        assert chunked.tokens == stepped.tokens
    same(answer, network(tokens))


@every_variant
def test_steps_with_chunks_can_alternate(network):
    tokens = random_tokens(network.config, 1, 8)
    _, state = network.scan(tokens[:, :3], network.init_state())
    _, state = network.step(tokens[:, 3], state)
    answer, _ = network.scan(tokens[:, 4:], state)
    same(answer, network(tokens))


@every_variant
def test_batch_does_not_matter(network):
    tokens = random_tokens(network.config, 4, 11)
    same(network(tokens), torch.cat([network(row[None]) for row in tokens]))
    alone = [network.scan(row[None], network.init_state())[0] for row in tokens]
    same(network.scan(tokens, network.init_state(4))[0], torch.cat(alone))


def test_a_state_can_be_continued_twice():
    """A stream's state is a value: nothing changes it."""
    network = NETWORKS["paper"]
    tokens = random_tokens(network.config, 2, 9)
    _, state = network.scan(tokens[:, :4], network.init_state(2))
    kept = [v.clone() for v in tensors_of(state)]
    first = network.scan(tokens[:, 4:], state)
    again = step_by_step(network, tokens[:, 4:], state)
    same(first[0], again[0][-1])
    assert all(map(torch.equal, tensors_of(state), kept))
    assert state.tokens == 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_state_is_zero_in_the_precision_of_the_network(dtype):
    network = Network(ModelConfig(2, 3, channels=4, modes=5, layers=2)).to(dtype)
    state = network.init_state(7)
    assert [x.shape for x in state.layers] == [(7, 4, 5), (7, 4, 5)]
    assert all(x.dtype == dtype.to_complex() for x in state.layers)
    assert (state.total.shape, state.total.dtype, state.tokens) == ((7, 4), dtype, 0)
    assert not any(v.any() for v in tensors_of(state))
    assert len(network.init_state().total) == 1


def test_the_paper_s_own_size_streams_in_float32():
    """One image of 784 pixels through the small network: still the same answer."""
    network = Network(ModelConfig(1, 10)).eval()
    tokens = torch.randn(1, 784, 1)
    state, expected = network.init_state(), network(tokens)
    for chunk in tokens.split([1, 300, 83, 400], 1):
        answer, state = network.scan(chunk, state)
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-5)
