"""A checkpoint holds everything; a damaged one is refused by an error that names it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ns4d.errors import ArtefactError
from ns4d.model import Network
from ns4d.train import evaluate, load_network
from ns4d.train.checkpoint import (
    BEST,
    LATEST,
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)
from ns4d.train.optimizer import build_optimizer
from ns4d.train.settings import to_plain
from train.altered import alter, leaves, put, read_header
from train.runs import assert_same_tensors
from train.tiny import STEPS, restless_recipe, tiny_dataset

FIX = r"Train again with `ns4d train`, or name another run folder\."


@pytest.fixture(scope="module")
def original(finished: Path) -> Path:
    return finished / LATEST


def refused(path: Path, got: str) -> None:
    """Loading fails with the one error a user can understand."""
    with pytest.raises(ArtefactError) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(
        f"{path}: expected an ns4d checkpoint, version 1, got {got}"
    )


def same(left: Checkpoint, right: Checkpoint) -> bool:
    tensors = left.network | right.network | left.optimizer | right.optimizer
    assert len(tensors) == len(left.network) + len(left.optimizer)
    assert_same_tensors(left.network, right.network)
    assert_same_tensors(left.optimizer, right.optimizer)
    return (left.recipe, left.progress) == (right.recipe, right.progress)


def test_it_gives_back_what_was_saved(tmp_path):
    recipe, progress = restless_recipe(), Progress(7, 1.5, 2.25, 3, 4, 0.5, 6)
    network = Network(recipe.model)
    optimizer = build_optimizer(network, recipe.optimizer)
    network(torch.randn(2, 16, 1)).sum().backward()
    optimizer.step()
    save_checkpoint(tmp_path / "x", recipe, progress, network, optimizer)
    loaded, other = load_checkpoint(tmp_path / "x"), Network(recipe.model)
    assert (loaded.recipe, loaded.progress) == (recipe, progress)
    restored = build_optimizer(other, recipe.optimizer)
    loaded.restore(other, restored)
    assert_same_tensors(other.state_dict(), network.state_dict())
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert_same_tensors(restored.state[theirs], optimizer.state[mine])


def test_the_checksum_is_that_of_the_format(original, tmp_path):
    copy = alter(original, tmp_path / "copy", lambda *_: None)
    assert read_header(copy) == read_header(original)


def test_a_missing_file(tmp_path):
    refused(tmp_path / "none", "No such file or directory")


def test_a_folder(tmp_path):
    refused(tmp_path, "Is a directory")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"some text that is long enough to have a length in front of it",
        bytes(4096),
        b"\xff" * 4096,
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
        (2).to_bytes(8, "little") + b"[]",
        (22).to_bytes(8, "little") + b'{"__metadata__": null}',
    ],
    ids=range(8),
)
def test_a_file_that_was_never_ours(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    refused(path, "a truncated, altered or foreign file. " + FIX.replace("\\", ""))


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"ns4d-checkpoint": "[1]"}])
def test_safetensors_of_someone_else(tmp_path, metadata):
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign", metadata)
    refused(tmp_path / "foreign", "a truncated, altered or foreign file")


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version(original, tmp_path, version):
    path = alter(original, tmp_path / "x", lambda header, _: header.update(version=version))
    refused(path, f"format version {version}. ")


def test_truncated_anywhere(original, tmp_path):
    content, path = original.read_bytes(), tmp_path / "cut"
    chosen = random.Random(0).sample(range(len(content)), 100)
    for length in [*range(20), *chosen, len(content) - 1]:
        path.write_bytes(content[:length])
        refused(path, "a truncated, altered or foreign file")


def test_any_flipped_bit_is_noticed(original, tmp_path):
    """In the length, the header and the tensors alike; 1e-05 may become 1E-05."""
    content, path, chance = original.read_bytes(), tmp_path / "flipped", random.Random(0)
    begin = 8 + int.from_bytes(content[:8], "little")
    places = [(0, 8, 16), (8, begin, 250), (begin, len(content), 80)]
    noticed = 0
    for position in [chance.randrange(a, b) for a, b, count in places for _ in range(count)]:
        altered = bytearray(content)
        altered[position] ^= 1 << chance.randrange(8)
        path.write_bytes(altered)
        try:
            assert same(load_checkpoint(path), load_checkpoint(original)), position
        except ArtefactError as error:
            assert str(path) in str(error)
            noticed += 1
    assert noticed > 340


def test_exchanged_bytes_are_noticed(original, tmp_path):
    content, path, chance = original.read_bytes(), tmp_path / "exchanged", random.Random(1)
    for _ in range(60):
        altered, start = bytearray(content), chance.randrange(len(content) - 40)
        altered[start : start + 40] = chance.randbytes(40)
        path.write_bytes(altered)
        with pytest.raises(ArtefactError, match=r"got (a truncated|altered contents)"):
            load_checkpoint(path)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda header, _: header["progress"].update(step=8), id="progress"),
        pytest.param(lambda header, _: header["recipe"].update(seed=4), id="recipe"),
        pytest.param(lambda _, tensors: tensors["model.encoder.bias"].add_(1), id="tensor"),
        pytest.param(lambda _, tensors: tensors.pop("model.encoder.bias"), id="lost tensor"),
        pytest.param(lambda header, _: header.update(sha256=None), id="checksum"),
        pytest.param(lambda header, _: header.pop("sha256"), id="no checksum"),
    ],
)
def test_altered_without_a_new_checksum(original, tmp_path, edit):
    refused(
        alter(original, tmp_path / "x", edit, refresh=False),
        "altered contents (the checksum differs)",
    )


@pytest.mark.parametrize(
    ("edit", "got"),
    [
        (lambda h: h.pop("recipe"), "recipe: expected a group of values, got None"),
        (lambda h: h.pop("progress"), "progress: expected a group of values, got None"),
        (lambda h: h["recipe"].update(color=1), "recipe: expected the names task, model"),
        (lambda h: h["recipe"].pop("task"), "recipe.task: expected a value, got nothing"),
        (lambda h: h["recipe"].update(model=[1]), "recipe.model: expected a group of values"),
        (lambda h: h["recipe"].update(batch="8"), "recipe.batch: expected a whole number, got '8'"),
        (lambda h: h["recipe"].update(batch=0), "batch: expected at least 1, got 0"),
        (
            lambda h: h["recipe"]["model"].update(norm="x"),
            "recipe.model.norm: expected one of none",
        ),
        (lambda h: h["progress"].update(step=1.5), "progress.step: expected a whole number"),
        (lambda h: h["progress"].update(steps=1), "progress: expected the names step, seconds"),
    ],
)
def test_an_impossible_header_is_explained(original, tmp_path, edit, got):
    path = alter(original, tmp_path / "x", lambda header, _: edit(header))
    refused(path, f"this in its header: {got}")


@pytest.mark.parametrize("value", [None, True, 1.5, -1, "x", [], {}, {"task": 1}])
def test_any_value_in_any_place_is_taken_or_refused(original, tmp_path, value):
    """Each single value of the header, replaced, with a checksum that holds."""
    for leaf in leaves(read_header(original)):
        path = alter(
            original, tmp_path / "x", lambda header, _, leaf=leaf: put(header, leaf, value)
        )
        try:
            loaded = load_checkpoint(path)
        except ArtefactError as error:
            assert str(path) in str(error)
        else:
            assert to_plain(loaded.recipe) == read_header(path)["recipe"] or leaf == ("sha256",)
            assert to_plain(loaded.progress) == read_header(path)["progress"]


def lose(name: str):
    return lambda _, tensors: tensors.pop(name)


def reshape(name: str):
    return lambda _, tensors: tensors.update({name: torch.zeros(3, 5)})


@pytest.mark.parametrize(
    "edit",
    [
        lose("model.encoder.bias"),
        reshape("model.layers.0.ssm.c"),
        lambda _, tensors: tensors.update({"model.layers.7.d": torch.zeros(8)}),
        lambda header, _: put(header, ("recipe", "model", "channels"), 9),
        lambda header, _: put(header, ("recipe", "model", "layers"), 3),
    ],
)
def test_parameters_of_another_network(original, tmp_path, edit):
    path = alter(original, tmp_path / LATEST, edit)
    with pytest.raises(ArtefactError, match=f"got parameters that do not fit its recipe. {FIX}"):
        load_network(path)


@pytest.mark.parametrize(
    "edit",
    [
        lose("optimizer.encoder.bias.exp_avg"),
        lose("optimizer.encoder.bias.step"),
        reshape("optimizer.layers.1.ssm.b.exp_avg_sq"),
        lambda _, tensors: tensors.update({"optimizer.other.exp_avg": torch.zeros(8)}),
        lambda _, tensors: tensors.update({"optimizer.shapeless": torch.zeros(8)}),
    ],
)
def test_the_optimizer_of_another_network(original, tmp_path, edit):
    loaded = load_checkpoint(alter(original, tmp_path / LATEST, edit))
    network = Network(loaded.recipe.model)
    with pytest.raises(ArtefactError, match="got an optimizer state that does not fit its network"):
        loaded.restore(network, build_optimizer(network, loaded.recipe.optimizer))


def test_the_selected_network_of_a_run(finished, tmp_path):
    network, recipe = load_network(finished)
    assert recipe == restless_recipe()
    assert not network.training
    best = load_checkpoint(finished / BEST)
    assert_same_tensors(network.state_dict(), dict(best.network))
    held = evaluate(network, tiny_dataset().validation, tiny_dataset().normalization)
    assert held.accuracy == best.progress.best_accuracy


def test_which_network_of_a_run_is_selected(finished, tmp_path):
    """The best where there is one, else the latest, or the file that is named."""
    latest = alter(finished / LATEST, tmp_path / LATEST, marked)
    assert is_marked(tmp_path)
    best = Path(shutil.copy(finished / BEST, tmp_path))
    assert not is_marked(tmp_path)
    assert not is_marked(best)
    assert is_marked(latest)


def marked(_, tensors) -> None:
    tensors["model.encoder.bias"][0] = 123.0


def is_marked(place: Path) -> bool:
    return load_network(place)[0].encoder.bias[0].item() == 123.0


def test_a_run_without_a_network(tmp_path):
    with pytest.raises(ArtefactError, match=f"{tmp_path / LATEST}: .* got No such file"):
        load_network(tmp_path)


def test_the_best_is_the_later_one_of_equals(finished):
    best, latest = load_checkpoint(finished / BEST), load_checkpoint(finished / LATEST)
    assert best.optimizer == {}
    assert latest.progress.step == STEPS
    assert latest.progress.best_step == best.progress.step == best.progress.best_step
