"""A training step counts without being asked, and freezes at the first that is not finite."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ns4d.model import Network, Norm
from ns4d.train.optimizer import build_optimizer
from ns4d.train.recipe import Optimizer, Recipe
from ns4d.train.step import Batch, TrainingStep
from train.tiny import CLASSES, tiny_model, tiny_recipe

SIZE, LENGTH = 8, 16
CPU = torch.device("cpu")


def batch(seed: int, value: float | None = None) -> Batch:
    """Random tokens, one of them set to a value."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(SIZE, LENGTH, 1, generator=generator)
    if value is not None:
        tokens[3, 2, 0] = value
    return tokens, torch.randint(CLASSES, (SIZE,), generator=generator), None


def new_step(recipe: Recipe) -> tuple[Network, TrainingStep]:
    torch.manual_seed(0)
    network = Network(recipe.model)
    optimizer = build_optimizer(network, recipe.optimizer)
    return network, TrainingStep(network, optimizer, recipe, CPU, graph=False)


def parameters(network: Network) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_it_is_adamw_on_the_clipped_gradient():
    """The same parameters as the usual loop, written with PyTorch alone."""
    recipe = tiny_recipe(optimizer=Optimizer(rate=1e-2, ssm_rate=4e-3, clip=0.05))
    network, step = new_step(recipe)
    torch.manual_seed(0)
    other = Network(recipe.model)
    optimizer = build_optimizer(other, recipe.optimizer)
    for seed in range(5):
        tokens, labels, _ = batch(seed)
        step((tokens, labels, None))
        optimizer.zero_grad()
        functional.cross_entropy(other(tokens), labels).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 0.05)
        optimizer.step()
    assert same(parameters(network), parameters(other))


def test_it_counts_until_asked():
    network, step = new_step(tiny_recipe(optimizer=Optimizer(rate=1e-9, ssm_rate=1e-9)))
    expected_loss = expected_right = 0.0
    for seed in range(4):
        tokens, labels, _ = batch(seed)
        with torch.no_grad():
            logits = network(tokens)
        expected_loss += SIZE * functional.cross_entropy(logits, labels).item()
        expected_right += int((logits.argmax(1) == labels).sum())
        step((tokens, labels, None))
    outcome = step.outcome()
    assert outcome.loss_sum == pytest.approx(expected_loss, rel=1e-5)
    assert (outcome.correct, outcome.seen) == (expected_right, 4 * SIZE)
    assert (outcome.accepted, outcome.finite) == (4, True)
    assert step.outcome().seen == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("before", [0, 3])
def test_the_first_step_that_is_not_finite_is_the_last(before, value):
    """Neither it nor the good steps after it change a parameter; the counts stop before it."""
    network, step = new_step(tiny_recipe())
    for seed in range(before):
        step(batch(seed))
    kept = parameters(network)
    step(batch(before, value))
    for seed in range(before + 1, before + 4):
        step(batch(seed))
    outcome = step.outcome()
    assert not outcome.finite
    assert outcome.accepted == before
    assert outcome.seen == before * SIZE
    assert math.isfinite(outcome.loss_sum)
    assert same(parameters(network), kept)


def test_a_gradient_that_is_not_finite_keeps_its_place():
    """Clipping by a NaN would make every gradient one."""
    network, step = new_step(tiny_recipe())
    network.decoder.weight.register_hook(lambda gradient: gradient * math.inf)
    step(batch(0))
    assert not step.outcome().finite
    finite = {name: bool(p.grad.isfinite().all()) for name, p in network.named_parameters()}
    assert [name for name, is_finite in finite.items() if not is_finite] == ["decoder.weight"]


def test_lengths_reach_the_network():
    network, step = new_step(tiny_recipe(optimizer=Optimizer(rate=1e-9, ssm_rate=1e-9)))
    tokens, labels, _ = batch(0)
    lengths = torch.arange(1, SIZE + 1)
    with torch.no_grad():
        loss = functional.cross_entropy(network(tokens, lengths), labels).item()
    step((tokens, labels, lengths))
    assert step.outcome().loss_sum == pytest.approx(SIZE * loss, rel=1e-5)


def test_batch_norm_and_smoothing_train_too():
    recipe = tiny_recipe(model=tiny_model(norm=Norm.BATCH), label_smoothing=0.1)
    network, step = new_step(recipe)
    losses = []
    for _ in range(30):
        step(batch(0))
        losses.append(step.outcome().loss_sum)
    assert losses[-1] < losses[0] / 2
    assert all(p.isfinite().all() for p in network.parameters())
