"""What a run keeps of the networks that it came from: all of it, whatever is copied where."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ns4d.errors import ConfigError
from ns4d.train import train
from ns4d.train.checkpoint import BEST, Checkpoint, load_selected
from ns4d.train.origins import START, TEACHER, Origins, copy_selected
from train.runs import assert_same_run, train_until
from train.tiny import restless_recipe, tiny_dataset


@pytest.fixture
def child(finished, tmp_path) -> Checkpoint:
    """A network that began with one and learnt from the same one."""
    first = load_selected(finished)
    recipe = replace(restless_recipe(), start=first.digest, teacher=first.digest, seed=5)
    train(recipe, tiny_dataset(), tmp_path / "child", start=first, teacher=first, show=False)
    return load_selected(tmp_path / "child")


def content(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_copy_has_everything_but_the_means_to_go_on(child, tmp_path):
    copy_selected(child.path, tmp_path / "copy")
    kept = content(child.path.parent)
    del kept[Path("checkpoint.safetensors")]
    assert content(tmp_path / "copy") == kept
    assert {Path(START) / BEST, Path(TEACHER) / BEST} < set(kept)


def test_a_copy_onto_itself_changes_nothing(child):
    before = content(child.path.parent)
    copy_selected(child.path, child.path.parent)
    assert content(child.path.parent) == before


def test_a_copy_into_its_own_folder_is_one_copy(child):
    """As for `--start runs/new/first.safetensors --out runs/new`."""
    folder = child.path.parent
    before = content(folder)
    copy_selected(child.path, folder / "inner" / START)
    del before[Path("checkpoint.safetensors")]
    assert content(folder / "inner" / START) == before


def test_what_the_recipe_does_not_name_is_not_taken_along(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    shutil.copytree(finished, tmp_path / "run" / TEACHER)  # left over from something else
    (tmp_path / "run" / TEACHER / BEST).write_bytes(b"damaged, which is nobody's concern")
    copy_selected(tmp_path / "run" / BEST, tmp_path / "copy")
    assert not (tmp_path / "copy" / TEACHER).exists()


def test_a_network_that_has_changed_since_is_refused(child, finished, tmp_path):
    moved = replace(child, path=finished / BEST)
    with pytest.raises(ConfigError, match=r"expected the network .*, as a moment ago"):
        Origins(start=moved).keep(tmp_path / "other")


def test_killed_before_the_first_checkpoint_it_goes_on_all_the_same(child, tmp_path):
    """Nobody names the networks again, and the folders of the origins stay whole."""
    recipe = replace(child.recipe, start=child.digest, teacher=child.digest)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe, tiny_dataset(), whole, start=child, teacher=child, show=False)
    train_until(0, recipe, parts, start=child, teacher=child)
    assert not (parts / BEST).exists()
    train(recipe, tiny_dataset(), parts, show=False)
    assert_same_run(parts, whole)
    for name in (START, TEACHER):
        assert content(parts / name) == content(whole / name)
        assert (parts / name / START / BEST).exists()
