"""The folder of a fine-tuning belongs to one recipe, and is found by the network it selected."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ns4d.errors import ArtefactError, ConfigError
from ns4d.model import Network
from ns4d.numerics import LOIHI2
from ns4d.program import Program
from ns4d.quantize.qaft import quantization_aware_fine_tune
from ns4d.quantize.qaft_folder import RECIPE, claim_folder, folder_of
from ns4d.quantize.qaft_recipe import QaftRecipe, qaft_recipe
from ns4d.train import Augmentation
from ns4d.train.checkpoint import BEST, LATEST
from train.tiny import tiny_dataset, tiny_model, tiny_recipe

NETWORK = Network(tiny_model()).eval()


def recipe_of(**settings) -> QaftRecipe:
    recipe = qaft_recipe(NETWORK, tiny_recipe(), LOIHI2, 1, sequences=8, **settings)
    return replace(recipe, training=replace(recipe.training, batch=8))


def put(folder: Path, name: str, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


class TestClaim:
    @pytest.mark.parametrize("name", [BEST, LATEST])
    def test_a_folder_belongs_to_one_recipe(self, tmp_path, name):
        recipe = recipe_of()
        claim_folder(tmp_path, recipe)
        put(tmp_path, name)
        claim_folder(tmp_path, recipe)
        flipped = replace(recipe.training, augmentation=Augmentation(flip=True))
        before = (tmp_path / RECIPE).read_bytes()
        with pytest.raises(ConfigError, match=r"with sequences=8 \(now 9\)\. Choose another --out"):
            claim_folder(tmp_path, replace(recipe, sequences=9))
        with pytest.raises(ConfigError, match=r"with training\.augmentation\.flip=False"):
            claim_folder(tmp_path, replace(recipe, training=flipped))
        assert (tmp_path / RECIPE).read_bytes() == before

    def test_one_that_came_to_no_checkpoint_gives_way(self, tmp_path):
        claim_folder(tmp_path, recipe_of())
        put(tmp_path, "metrics.jsonl", '{"kind": "start", "step": 0}\n')
        claim_folder(tmp_path, recipe_of())
        assert (tmp_path / "metrics.jsonl").exists()
        other = recipe_of(rate=1e-4)
        claim_folder(tmp_path, other)
        assert json.loads((tmp_path / RECIPE).read_text()) == other.plain()
        assert not (tmp_path / "metrics.jsonl").exists()

    @pytest.mark.parametrize("name", [BEST, LATEST, "metrics.jsonl"])
    def test_a_training_is_no_place_for_it(self, tmp_path, name):
        put(tmp_path, name)
        with pytest.raises(ConfigError, match="got another run"):
            claim_folder(tmp_path, recipe_of())
        assert {path.name for path in tmp_path.iterdir()} == {name}

    def test_a_folder_older_than_a_setting_has_its_default(self, tmp_path):
        recipe = recipe_of()
        claim_folder(tmp_path, recipe)
        put(tmp_path, LATEST)
        found = json.loads((tmp_path / RECIPE).read_text())
        del found["training"]["teacher"], found["training"]["augmentation"]["zoom"]
        (tmp_path / RECIPE).write_text(json.dumps(found))
        claim_folder(tmp_path, recipe)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff", b"[1]", b"{}", b'{"training": 1}', b'{"training": {"sed": 1}}', b"[" * 9999],
    )
    def test_a_damaged_recipe_is_refused(self, tmp_path, content):
        (tmp_path / RECIPE).write_bytes(content)
        with pytest.raises(ArtefactError, match=r"qaft\.json: expected the recipe of a fine-tun"):
            claim_folder(tmp_path, recipe_of())
        assert (tmp_path / RECIPE).read_bytes() == content


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Program]:
    folder = tmp_path_factory.mktemp("runs") / "qaft"
    result = quantization_aware_fine_tune(NETWORK, tiny_dataset(), recipe_of(), folder, show=False)
    return folder, result.program


class TestFolderOf:
    """`tmp_path / "out"` is where the program's file is, `tmp_path / "run"` its run."""

    @pytest.mark.parametrize("place", ["out/program", "out/elsewhere", "run/elsewhere"])
    def test_it_is_found_wherever_it_may_be(self, made, tmp_path, place):
        """Also among folders of unfinished, damaged and other fine-tunings."""
        folder, program = made
        for name in ("a", "z", "program"):
            put(tmp_path / "run" / name, RECIPE, (folder / RECIPE).read_text())
        put(tmp_path / "out" / "a", BEST, "damaged")
        shutil.copytree(folder, tmp_path / place, dirs_exist_ok=True)
        found = folder_of(program, tmp_path / "out" / "program.ns4d", tmp_path / "run")
        assert found == tmp_path / place

    def test_its_own_comes_first(self, made, tmp_path):
        folder, program = made
        for place in ("out/a", "out/program", "run/a"):
            shutil.copytree(folder, tmp_path / place)
        found = folder_of(program, tmp_path / "out" / "program.ns4d", tmp_path / "run")
        assert found == tmp_path / "out" / "program"

    def test_another_network_is_not_taken(self, made, tmp_path):
        _, program = made
        second = replace(recipe_of(), training=replace(recipe_of().training, seed=1))
        arguments = (NETWORK, tiny_dataset(), second, tmp_path / "run" / "program")
        quantization_aware_fine_tune(*arguments, show=False)
        with pytest.raises(ArtefactError, match=r"program: expected the folder in which"):
            folder_of(program, tmp_path / "run" / "program.ns4d", tmp_path / "run")
