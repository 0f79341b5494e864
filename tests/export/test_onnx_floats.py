"""The float models in ONNX Runtime: the trained network's function, whatever its options."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_variants import VARIANTS, build, random_tokens
from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.models import float_token
from ns4d.export.onnx.unrolled import Token, chunk_model, sequence_model, step_model
from ns4d.model import Network
from ns4d.trained import chain_of_network

STREAMS, LENGTH = 3, 17
TOLERANCE = 2e-5  # float32 against float64, relative to the largest logit


def subject(name: str) -> tuple[Network, Token, np.ndarray]:
    network = build(VARIANTS[name])
    tokens = random_tokens(network.config, STREAMS, LENGTH).numpy()
    return network, float_token(chain_of_network(network, name)), tokens.astype(np.float32)


@torch.no_grad()
def exact(network: Network, tokens: np.ndarray) -> np.ndarray:
    """Logits after every token, (b, l, classes), in float64."""
    x, state, logits = torch.from_numpy(tokens).double(), network.init_state(len(tokens)), []
    for k in range(x.shape[1]):
        after, state = network.step(x[:, k], state)
        logits.append(after)
    return torch.stack(logits, 1).numpy()


def close(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_sequence_is_the_network(name):
    network, token, tokens = subject(name)
    scores, last = open_session(sequence_model(token)).run(["scores", "last"], {"tokens": tokens})
    expected = exact(network, tokens)
    close(scores, expected)
    np.testing.assert_array_equal(last, scores[:, -1])
    whole = network(torch.from_numpy(tokens).double()).detach().numpy()
    close(last, whole)
    assert np.ptp(whole) > 0.1, "logits that depend on nothing would be close to anything"


def zeros(token: Token, streams: int) -> dict[str, np.ndarray]:
    return {
        name: np.zeros([streams if axis == "b" else axis for axis in shape], np.float32)
        for name, shape in token.state.items()
    }


def fed_back(token: Token, session, state: dict[str, np.ndarray], tokens: np.ndarray):
    """The scores of a call, and the state after it."""
    names = ["scores", *(f"new/{name}" for name in token.state)]
    scores, *after = session.run(names, state | {"tokens": tokens})
    return scores, dict(zip(token.state, after, strict=True))


@pytest.mark.parametrize("name", ["paper", "s4d", "batch norm, linear, residual"])
def test_a_step_is_the_network(name):
    network, token, tokens = subject(name)
    session, state, scores = open_session(step_model(token)), zeros(token, STREAMS), []
    for k in range(LENGTH):
        after, state = fed_back(token, session, state, tokens[:, k])
        scores.append(after)
    close(np.stack(scores, 1), exact(network, tokens))
    assert state["tokens_seen"] == LENGTH


def test_chunks_are_the_network():
    network, token, tokens = subject("paper")
    session, state, scores = open_session(chunk_model(token)), zeros(token, STREAMS), []
    for part in np.split(tokens, [1, 6, 7], axis=1):
        after, state = fed_back(token, session, state, part)
        scores.append(after)
    close(np.concatenate(scores, 1), exact(network, tokens))


def test_streams_do_not_mix():
    _, token, tokens = subject("s4d")
    session = open_session(sequence_model(token))
    (together,) = session.run(["last"], {"tokens": tokens})
    for k in range(STREAMS):
        (alone,) = session.run(["last"], {"tokens": tokens[k : k + 1]})
        np.testing.assert_allclose(alone[0], together[k], rtol=0, atol=1e-6 * np.abs(alone).max())
