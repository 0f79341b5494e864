"""A teacher that PyTorch exported: it answers, it is kept, and what is no teacher is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ns4d.data import Dataset
from ns4d.errors import ArtefactError, ConfigError
from ns4d.model import Network
from ns4d.train import Recipe, Schedule, train
from ns4d.train.checkpoint import BEST, load_selected
from ns4d.train.exported import EXPORTED, ExportedNetwork, read_exported
from ns4d.train.optimizer import build_optimizer
from ns4d.train.origins import START, TEACHER, Origins, copy_selected, load_origin
from ns4d.train.step import TrainingStep
from ns4d.train.teacher import build_teacher, divergence
from train.runs import assert_same_run, latest, train_until
from train.tiny import CLASSES, SIDE, STEPS_PER_EPOCH, restless_recipe, tiny_dataset, tiny_model

CPU = torch.device("cpu")
LENGTH = SIDE * SIDE
ANY = torch.export.Dim.DYNAMIC


class Flat(nn.Module):
    """Sees all tokens of a sequence at once."""

    def __init__(self, outputs: int = CLASSES, scale: float = 1.0) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(LENGTH, outputs), scale

    def forward(self, tokens: Tensor) -> Tensor:
        return self.linear(tokens.flatten(1)) * self.scale


class Masked(nn.Module):
    """Sees as many tokens as a sequence has."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(tokens.shape[1]) < lengths[:, None]
        mean = (tokens[..., 0] * inside).sum(1, keepdim=True) / lengths[:, None]
        return mean * torch.arange(CLASSES)


def export(path: Path, network: nn.Module, length: int = LENGTH, batch: int | None = None) -> Path:
    """Write a network for batches of any size, or of one."""
    tokens = torch.zeros(batch or 2, length, 1)
    free = [None if batch else {0: ANY}]
    torch.export.save(torch.export.export(network, (tokens,), dynamic_shapes=free), path)
    return path


@pytest.fixture(scope="module")
def flat() -> Flat:
    torch.manual_seed(7)
    return Flat().eval()


@pytest.fixture(scope="module")
def exported(flat, tmp_path_factory) -> ExportedNetwork:
    return read_exported(export(tmp_path_factory.mktemp("exported") / "flat.pt2", flat))


def pupil(known: ExportedNetwork, **changes: object) -> Recipe:
    recipe = replace(restless_recipe(), teacher=known.digest, distillation=0.7, temperature=2.0)
    return replace(recipe, **changes)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_it_answers_as_the_network_that_was_exported(flat, exported, batch):
    tokens = torch.randn(batch, LENGTH, 1)
    torch.testing.assert_close(exported.build(CPU)(tokens), flat(tokens))


@pytest.mark.parametrize("mixed", [False, True])
def test_a_step_descends_from_its_answers(exported, mixed):
    """In bfloat16 if the recipe says so; nothing of the teacher learns."""
    recipe = pupil(exported, model=tiny_model(), label_smoothing=0.0, bfloat16=mixed)
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, clip=1e9))
    torch.manual_seed(0)
    network = Network(recipe.model)
    answers = build_teacher(recipe, exported, "any data", CPU)
    assert answers is not None
    tokens, labels = torch.randn(8, LENGTH, 1), torch.arange(8) % CLASSES
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits, wanted = network(tokens).float(), answers(tokens).float()
    loss = functional.cross_entropy(logits, labels) + 0.7 * divergence(logits, wanted, 2.0)
    expected = torch.autograd.grad(loss, list(network.parameters()))
    optimizer = build_optimizer(network, recipe.optimizer)
    TrainingStep(network, optimizer, recipe, CPU, graph=False, teacher=answers)(
        (tokens, labels, None)
    )
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in answers.parameters())


def test_it_is_kept_and_found_again(exported, tmp_path):
    """Its own file may be gone; going on needs nobody to name it."""
    recipe, whole, parts = pupil(exported), tmp_path / "whole", tmp_path / "parts"
    file = tmp_path / "mine.pt2"
    file.write_bytes(exported.content)
    train(recipe, tiny_dataset(), whole, teacher=read_exported(file), show=False)
    train_until(STEPS_PER_EPOCH + 2, recipe, parts, teacher=read_exported(file))
    file.unlink()
    assert (parts / TEACHER / EXPORTED).read_bytes() == exported.content
    train(recipe, tiny_dataset(), parts, show=False)
    assert_same_run(parts, whole)
    again = tmp_path / "again"
    train(recipe, tiny_dataset(), again, teacher=load_origin(parts / TEACHER), show=False)
    assert_same_run(again, whole)


def test_its_answers_change_what_is_learnt(exported, tmp_path):
    def learnt(name: str, recipe: Recipe, given: ExportedNetwork | None) -> str:
        train(recipe, tiny_dataset(), tmp_path / name, teacher=given, show=False)
        return latest(tmp_path / name).digest

    digests = [
        learnt("alone", pupil(exported, teacher=None, distillation=1.0, temperature=1.0), None),
        learnt("taught", pupil(exported), exported),
        learnt("warmer", pupil(exported, temperature=3.0), exported),
    ]
    assert len(set(digests)) == 3
    assert learnt("unheard", pupil(exported, distillation=0.0), exported) == digests[0]


def test_a_copy_takes_it_along_and_leaves_nothing_of_another(exported, finished, tmp_path):
    """Also as the teacher of what a training began with."""
    train(pupil(exported), tiny_dataset(), tmp_path / "one", teacher=exported, show=False)
    one = load_selected(tmp_path / "one")
    recipe = replace(restless_recipe(), start=one.digest)
    train(recipe, tiny_dataset(), tmp_path / "two", start=one, show=False)
    inner = tmp_path / "two" / START / TEACHER
    assert [path.name for path in inner.iterdir()] == [EXPORTED]
    copy_selected(finished / BEST, inner)
    assert not (inner / EXPORTED).exists()
    Origins(teacher=exported).keep(tmp_path / "two" / START)
    assert [path.name for path in inner.iterdir()] == [EXPORTED]


def test_what_is_kept_is_what_was_read(exported, tmp_path):
    """Though another file has its name by now."""
    file = export(tmp_path / "other.pt2", Flat())
    Origins(teacher=replace(exported, path=file)).keep(tmp_path / "run")
    assert load_origin(tmp_path / "run" / TEACHER).digest == exported.digest


def test_another_than_the_recipe_s_is_refused(exported, tmp_path):
    with pytest.raises(ConfigError, match=f"got the network {exported.digest[:12]}"):
        recipe = pupil(exported, teacher="0" * 64)
        train(recipe, tiny_dataset(), tmp_path, teacher=exported, show=False)
    assert not list(tmp_path.iterdir())


class Pair(Flat):
    """Answers with more than logits."""

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(tokens), tokens


def normed() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(LENGTH), nn.Linear(LENGTH, CLASSES))


def dropped() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(LENGTH, CLASSES), nn.Dropout(0.5))


REFUSED = {
    "classes": (lambda path: export(path, Flat(outputs=5)), r"\(8, 5\), finite"),
    "values": (lambda path: export(path, Flat(scale=math.nan)), r"\(8, 3\), not finite"),
    "two": (lambda path: export(path, Pair()), "a tuple"),
    "length": (lambda path: export(path, nn.Linear(1, CLASSES), length=5), "AssertionError"),
    "batch": (lambda path: export(path, Flat(), batch=3), "AssertionError"),
    "learning": (
        lambda path: export(path, normed()),
        r"others with every call\. Call its eval",
    ),
    "dropout": (
        lambda path: export(path, dropped()),
        r"others with every call\. Call its eval",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_answer_is_refused(tmp_path, case):
    make, complaint = REFUSED[case]
    network = read_exported(make(tmp_path / "bad.pt2"))
    expected = rf"bad\.pt2: expected finite logits \(8, 3\), .* \(8, 16, 1\), got {complaint}"
    with pytest.raises(ConfigError, match=expected):
        train(pupil(network), tiny_dataset(), tmp_path / "run", teacher=network, show=False)
    assert not (tmp_path / "run").exists()


def test_what_batch_norm_and_dropout_do_after_eval_is_no_change(tmp_path):
    for make in (normed, dropped):
        network = read_exported(export(tmp_path / "good.pt2", make().eval()))
        recipe, folder = pupil(network, schedule=Schedule(epochs=1)), tmp_path / make.__name__
        train(recipe, tiny_dataset(), folder, teacher=network, show=False)
        assert load_selected(folder).recipe.teacher == network.digest


class Precise(Flat):
    """Its program says that the product is float32."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).float()


def test_it_is_tried_in_the_precision_of_the_training(tmp_path):
    network = read_exported(export(tmp_path / "precise.pt2", Precise()))
    with pytest.raises(ConfigError, match=r"precise\.pt2: expected finite logits .*dtype"):
        recipe = pupil(network, bfloat16=True)
        train(recipe, tiny_dataset(), tmp_path / "mixed", teacher=network, show=False)
    assert not (tmp_path / "mixed").exists()
    train(pupil(network), tiny_dataset(), tmp_path / "plain", teacher=network, show=False)


def test_a_file_may_have_any_name(exported, tmp_path):
    (tmp_path / "mine.bin").write_bytes(exported.content)
    network = load_origin(tmp_path / "mine.bin")
    train(pupil(network), tiny_dataset(), tmp_path / "run", teacher=network, show=False)
    assert load_origin(tmp_path / "run" / TEACHER).digest == exported.digest


def test_no_changed_byte_goes_unnoticed(exported, tmp_path):
    """In the headers of the archive, where damage has many names, and in what they describe."""
    generator = np.random.default_rng(0)
    size, path = len(exported.content), tmp_path / "changed.pt2"
    ends = [*range(0, 200, 7), *range(size - 400, size, 7)]
    for place in [*ends, *generator.integers(0, size, 40)]:
        content = bytearray(exported.content)
        content[place] ^= 1 << generator.integers(8)
        path.write_bytes(content)
        try:
            assert read_exported(path).digest != exported.digest
        except ArtefactError as error:
            assert "expected a network written by torch.export.save" in str(error)


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign", "truncated", "altered"])
def test_a_file_that_is_none_is_refused(exported, tmp_path, damage):
    path = tmp_path / "none.pt2"
    whole, middle = exported.content, len(exported.content) // 2
    content = {
        "empty": b"",
        "foreign": b"a text",
        "truncated": whole[:-100],
        "altered": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }
    if damage != "missing":
        path.write_bytes(content[damage])
    with pytest.raises(ArtefactError, match=r"none\.pt2: expected a network written by torch"):
        read_exported(path).build(CPU)


def test_an_archive_without_a_network_is_refused(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pt2")
    with pytest.raises(ArtefactError, match=r"tensor\.pt2: .*got an archive of something else"):
        read_exported(tmp_path / "tensor.pt2")


def uneven() -> Dataset:
    """Sequences of four lengths."""
    whole = tiny_dataset()
    parts = {
        name: replace(part, lengths=LENGTH - part.labels - 1)
        for name, part in (("train", whole.train), ("validation", whole.validation))
    }
    return replace(whole, **parts)


def test_lengths_are_told_where_sequences_have_them(tmp_path):
    example = (torch.zeros(2, LENGTH, 1), torch.tensor([LENGTH, 3]))
    free = {"tokens": {0: ANY}, "lengths": {0: ANY}}
    program = torch.export.export(Masked(), example, dynamic_shapes=free)
    torch.export.save(program, tmp_path / "masked.pt2")
    network = read_exported(tmp_path / "masked.pt2")
    tokens, lengths = torch.randn(7, LENGTH, 1), torch.arange(1, 8)
    answers = network.build(CPU)(tokens, lengths)
    torch.testing.assert_close(answers, Masked()(tokens, lengths))
    recipe = pupil(network)
    train(recipe, uneven(), tmp_path / "run", teacher=network, show=False)
    with pytest.raises(ConfigError, match=r"tokens \(8, 16, 1\), got"):
        train(recipe, tiny_dataset(), tmp_path / "even", teacher=network, show=False)
    flat = read_exported(export(tmp_path / "flat.pt2", Flat()))
    with pytest.raises(ConfigError, match=r"tokens \(8, 16, 1\) and lengths \(8,\), got"):
        train(pupil(flat), uneven(), tmp_path / "uneven", teacher=flat, show=False)
