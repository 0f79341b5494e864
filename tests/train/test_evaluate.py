"""Evaluation: what a plain loop over the sequences would find."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ns4d.data import Normalization, Split
from ns4d.model import Network, Norm
from ns4d.train import Evaluation, evaluate
from train.tiny import tiny_dataset, tiny_model

RAGGED = Split(
    np.random.default_rng(0).normal(size=(7, 9, 1)).astype(np.float32),
    np.array([0, 1, 2, 0, 1, 2, 0]),
    np.array([9, 3, 1, 9, 8, 2, 5]),
)
NORMALIZATION = Normalization(np.array([0.25]), np.array([0.5]))


def trained_like(**changes) -> Network:
    """Dropout and running statistics, so that the mode matters."""
    network = Network(tiny_model(dropout=0.5, norm=Norm.BATCH, **changes))
    network(torch.randn(4, 9, 1))
    return network


@torch.no_grad()
def plain_logits(network: Network, split: Split, normalization: Normalization) -> np.ndarray:
    """One sequence at a time, cut to its length."""
    rows = []
    for tokens, length in zip(split.tokens, split.lengths, strict=True):
        real = (tokens[:length] - normalization.offset) / normalization.scale
        rows.append(network(torch.tensor(real, dtype=torch.float32)[None])[0].numpy())
    return np.array(rows)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_it_equals_a_plain_loop(batch):
    network = trained_like().eval()
    found = evaluate(network, RAGGED, NORMALIZATION, batch=batch)
    expected = plain_logits(network, RAGGED, NORMALIZATION)
    np.testing.assert_allclose(found.logits, expected, rtol=1e-5, atol=1e-6)
    shares = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    loss = -np.log(shares[np.arange(7), RAGGED.labels]).mean()
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert (found.labels == RAGGED.labels).all()
    assert (found.decisions == expected.argmax(1)).all()
    assert found.correct == (expected.argmax(1) == RAGGED.labels).sum()
    assert found.accuracy == found.correct / 7


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_no_trace(training):
    network = trained_like().train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first = evaluate(network, RAGGED, NORMALIZATION)
    again = evaluate(network, RAGGED, NORMALIZATION)
    assert (first.logits == again.logits).all()
    assert [module.training for module in network.modules()] == [training] * len(
        list(network.modules())
    )
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_mode_does_not_matter():
    network, dataset = trained_like(), tiny_dataset()
    losses = [
        evaluate(network.train(mode), dataset.test, dataset.normalization).loss
        for mode in (True, False)
    ]
    assert losses[0] == losses[1]


def test_figures_follow_from_the_logits():
    found = Evaluation(np.array([[0.0, 1.0], [3.0, 2.0], [0.0, 5.0]]), np.array([1, 1, 1]), 0.5)
    assert found.decisions.tolist() == [1, 0, 1]
    assert (found.correct, found.accuracy) == (2, 2 / 3)
