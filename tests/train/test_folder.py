"""A run's folder is never overwritten by something else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ns4d.errors import ConfigError
from ns4d.train import train
from ns4d.train.checkpoint import BEST, LATEST, load_checkpoint
from ns4d.train.journal import NAME
from ns4d.train.resume import find_checkpoint
from train.tiny import STEPS_PER_EPOCH, tiny_dataset, tiny_recipe


def finish(folder):
    return train(tiny_recipe(), tiny_dataset(), folder, show=False)


def test_a_selected_network_alone_is_kept(tmp_path):
    finish(tmp_path)
    (tmp_path / LATEST).unlink()
    kept = (tmp_path / BEST).read_bytes()
    selected = load_checkpoint(tmp_path / BEST).progress
    data = tiny_dataset().digest
    with pytest.raises(ConfigError, match=r"got only best\.safetensors, the network that a run"):
        find_checkpoint(tmp_path, tiny_recipe(), data, per_epoch=selected.step - 1)
    assert (tmp_path / BEST).read_bytes() == kept


def test_a_run_killed_between_its_first_two_writes_begins_again(tmp_path):
    finish(tmp_path)
    (tmp_path / LATEST).unlink()
    (tmp_path / NAME).unlink()
    selected = load_checkpoint(tmp_path / BEST).progress
    data = tiny_dataset().digest
    assert find_checkpoint(tmp_path, tiny_recipe(), data, per_epoch=selected.step) is None


def test_the_network_of_a_first_epoch_is_kept_where_later_ones_are_noted(tmp_path):
    finish(tmp_path)
    (tmp_path / LATEST).unlink()
    best = load_checkpoint(tmp_path / BEST).progress.step
    last = {"kind": "epoch", "step": best + 1}
    with (tmp_path / NAME).open("a") as journal:
        journal.write(json.dumps(last) + "\n")
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(ConfigError, match=r"got only best\.safetensors"):
        find_checkpoint(tmp_path, tiny_recipe(), tiny_dataset().digest, per_epoch=best)
    assert (tmp_path / NAME).read_bytes() == before


def test_the_network_of_a_run_of_one_epoch_is_kept(tmp_path):
    recipe = replace(tiny_recipe(), schedule=replace(tiny_recipe().schedule, epochs=1))
    train(recipe, tiny_dataset(), tmp_path, show=False)
    (tmp_path / LATEST).unlink()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=r"got only best\.safetensors"):
        train(recipe, tiny_dataset(), tmp_path, show=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_other_data_are_refused(tmp_path):
    finish(tmp_path)
    dataset = tiny_dataset()
    swapped = replace(dataset, validation=dataset.test, test=dataset.validation)
    assert swapped.digest != dataset.digest
    with pytest.raises(ConfigError, match="got other data under the same name"):
        train(tiny_recipe(), swapped, tmp_path, show=False)


def test_a_folder_with_nothing_begins(tmp_path):
    assert find_checkpoint(tmp_path / "new", tiny_recipe(), "", STEPS_PER_EPOCH) is None
