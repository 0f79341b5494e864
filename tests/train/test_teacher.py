"""A training that learns from another network's answers beside the labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.train import Recipe, train
from ns4d.train.checkpoint import Checkpoint, load_selected
from ns4d.train.journal import read_journal
from ns4d.train.optimizer import build_optimizer
from ns4d.train.origins import START, TEACHER
from ns4d.train.step import TrainingStep
from ns4d.train.teacher import build_teacher, divergence
from train.runs import assert_same_run, latest, train_until
from train.tiny import STEPS_PER_EPOCH, restless_recipe, tiny_dataset, tiny_model

CPU = torch.device("cpu")


@pytest.fixture
def teacher(finished) -> Checkpoint:
    return load_selected(finished)


def pupil(known: Checkpoint, **changes: object) -> Recipe:
    """Another architecture than the teacher's."""
    model = tiny_model(channels=6, modes=3, layers=1, dropout=0.2)
    recipe = replace(restless_recipe(), model=model, teacher=known.digest, seed=4)
    return replace(recipe, **changes)


def random_logits(seed: int) -> Tensor:
    return torch.randn(7, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_divergence_is_that_of_kullback_and_leibler():
    q, p = random_logits(0).softmax(1), random_logits(1).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(divergence(random_logits(0), random_logits(1)), expected)
    assert divergence(random_logits(2), random_logits(2) + 5).abs() < 1e-12


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_temperature_flattens_both_answers(temperature):
    q, p = ((random_logits(k) / temperature).exp() for k in (0, 1))
    q, p = (answers / answers.sum(1, keepdim=True) for answers in (q, p))
    expected = temperature**2 * (p * (p / q).log()).sum(1).mean()
    found = divergence(random_logits(0), random_logits(1), temperature)
    torch.testing.assert_close(found, expected)


def test_when_hot_it_is_the_distance_of_the_logits():
    """Centred, squared, half their mean over the classes (Hinton et al., section 2.1)."""
    apart = random_logits(0) - random_logits(1)
    expected = (apart - apart.mean(1, keepdim=True)).square().mean(1).mean() / 2
    found = divergence(random_logits(0), random_logits(1), 1e4)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("lengths", [None, torch.tensor([16, 3, 1, 16, 9, 12, 2, 5])])
def test_a_step_descends_from_labels_and_answers(teacher, lengths):
    """Its gradient is that of the sum, written out; the teacher has none and no dropout."""
    recipe = pupil(teacher, distillation=0.7, label_smoothing=0.0, model=tiny_model())
    torch.manual_seed(0)
    network = Network(recipe.model)
    answers = build_teacher(recipe, teacher, teacher.progress.data, CPU)
    assert answers is not None
    tokens, labels = torch.randn(8, 16, 1), torch.arange(8) % 3
    optimizer = build_optimizer(network, recipe.optimizer)
    unclipped = replace(recipe, optimizer=replace(recipe.optimizer, clip=1e9))
    expected = torch.autograd.grad(
        functional.cross_entropy(network(tokens, lengths), labels)
        + 0.7 * divergence(network(tokens, lengths), answers(tokens, lengths)),
        list(network.parameters()),
    )
    step = TrainingStep(network, optimizer, unclipped, CPU, graph=False, teacher=answers)
    step((tokens, labels, lengths))
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    assert not answers.training
    assert all(parameter.grad is None for parameter in answers.parameters())


def test_the_answers_change_what_is_learnt_by_their_weight(teacher, tmp_path):
    def learnt(name: str, recipe: Recipe, given: Checkpoint | None) -> str:
        train(recipe, tiny_dataset(), tmp_path / name, teacher=given, show=False)
        return latest(tmp_path / name).digest

    taught = learnt("taught", pupil(teacher), teacher)
    alone = learnt("alone", pupil(teacher, teacher=None), None)
    assert taught != alone
    assert learnt("unheard", pupil(teacher, distillation=0.0), teacher) == alone


def test_the_teacher_is_kept_and_found_again(teacher, tmp_path):
    """Going on needs nobody to name it."""
    recipe, whole, parts = pupil(teacher), tmp_path / "whole", tmp_path / "parts"
    train(recipe, tiny_dataset(), whole, teacher=teacher, show=False)
    train_until(STEPS_PER_EPOCH + 2, recipe, parts, teacher=teacher)
    assert load_selected(parts / TEACHER).digest == teacher.digest
    assert read_journal(parts / TEACHER) == read_journal(teacher.path.parent)
    train(recipe, tiny_dataset(), parts, show=False)
    assert_same_run(parts, whole)


def test_a_run_keeps_the_origins_of_its_origins(teacher, tmp_path):
    train(pupil(teacher), tiny_dataset(), tmp_path / "one", teacher=teacher, show=False)
    one = load_selected(tmp_path / "one")
    recipe = replace(one.recipe, teacher=None, start=one.digest)
    train(recipe, tiny_dataset(), tmp_path / "two", start=one, show=False)
    assert load_selected(tmp_path / "two" / START / TEACHER).digest == teacher.digest
    assert not (tmp_path / "two" / TEACHER).exists()


@pytest.mark.parametrize("other", ["0" * 64, None])
def test_another_teacher_than_the_recipe_s_is_refused(teacher, tmp_path, other):
    with pytest.raises(
        ConfigError, match=rf"as the recipe says, got the network {teacher.digest[:12]}"
    ):
        train(pupil(teacher, teacher=other), tiny_dataset(), tmp_path, teacher=teacher, show=False)
    assert not list(tmp_path.iterdir())


def test_a_recipe_that_names_a_teacher_needs_it(teacher, tmp_path):
    with pytest.raises(ConfigError, match=rf"expected the network {teacher.digest[:12]}.*got no"):
        train(pupil(teacher), tiny_dataset(), tmp_path, show=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["reordered", "fewer"])
def test_a_teacher_of_other_data_is_refused(teacher, tmp_path, other):
    """Of the same shape: nothing but the digest tells."""
    data = tiny_dataset()
    fewer = replace(data, train=data.train.select(np.arange(40)))
    recipe, data = {
        "reordered": (
            pupil(teacher, permutation=Permutation.BIT_REVERSAL),
            tiny_dataset("bit-reversal"),
        ),
        "fewer": (pupil(teacher), fewer),
    }[other]
    with pytest.raises(ConfigError, match="expected a network that learnt from the data of tiny"):
        train(recipe, data, tmp_path, teacher=teacher, show=False)
    assert not list(tmp_path.iterdir())


def test_a_weight_without_a_teacher_is_refused():
    with pytest.raises(ConfigError, match=r"expected 1 without a teacher, got 2\.0"):
        replace(restless_recipe(), distillation=2.0)


def test_a_temperature_without_a_teacher_is_refused():
    with pytest.raises(ConfigError, match=r"temperature: expected 1 without a teacher, got 2\.0"):
        replace(restless_recipe(), temperature=2.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(teacher, temperature):
    with pytest.raises(ConfigError, match="temperature: expected a positive number"):
        pupil(teacher, temperature=temperature)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_an_impossible_weight_is_refused(teacher, weight):
    with pytest.raises(ConfigError, match="distillation: expected 0 or a positive number"):
        pupil(teacher, distillation=weight)
