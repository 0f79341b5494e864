"""The models that come with the package: found by name, as their cards say, exact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ns4d
from ns4d.errors import ArtefactError, ConfigError
from ns4d.program import save
from ns4d.quantize.qaft_folder import folder_of
from ns4d.train import Recipe
from ns4d.train.checkpoint import BEST, load_selected
from ns4d.train.journal import epochs_of, read_journal
from ns4d.train.origins import START, TEACHER, load_origin
from ns4d.train.settings import from_plain
from ns4d.zoo import find, load, names, program_file, run_folder
from ns4d.zoo import shelf as shelf_module
from ns4d.zoo.card import read_card
from program_strategies import random_program

SMALL_BYTES, SHELF_BYTES = 2_000_000, 16_000_000  # 4.8 million are the teacher's of one model


@pytest.fixture(params=names())
def entry(request):
    return find(request.param)


def test_the_models_of_the_paper_are_named_by_task_and_size():
    assert {"digits-mini", "smnist-small"} <= set(names())
    assert all(name == name.lower() and "-" in name for name in names())


def test_a_model_is_loaded_by_name(entry):
    program = ns4d.load(entry.name)
    assert program == ns4d.load(entry.program)
    assert program.digest == entry.card.digest
    assert program.metadata.task == entry.card.task


def test_a_card_says_what_the_program_is(entry):
    program, card = load(entry.name), entry.card
    assert card.profile == program.arithmetic.name
    assert card.parameter_bytes == program.parameter_bytes
    assert card.states == sum(node.a_re.size for node in program.recurrent)
    may_saturate = sum(proved.may_saturate for proved in program.ranges)
    assert card.states - card.states_proved == may_saturate
    assert program.metadata.provenance["network"] == load_selected(entry.folder).digest
    assert (
        card.fine_tuned
        == entry.fine_tuned
        == ("qaft" in program.metadata.provenance)
        == bool(card.fine_tuning)
    )
    assert card.seed == program.metadata.provenance["seed"] == card.recipe["seed"]
    assert 0.1 < card.integer_accuracy <= 1
    assert card.fall_through["token_s"] > 0 < card.pipelined["sample_j"]


def test_the_networks_that_it_came_from_are_kept(entry):
    """Back to random weights, each named by the recipe of the one after it."""
    stages, folder, taught = [load_selected(entry.folder).recipe], entry.folder, set()
    assert stages[0] == from_plain(Recipe, entry.card.recipe)
    while stages[-1].start is not None:
        folder = folder / START
        assert load_selected(folder).digest == stages[-1].start
        assert len(epochs_of(read_journal(folder))) <= load_selected(folder).recipe.schedule.epochs
        stages.append(load_selected(folder).recipe)
    for depth, stage in enumerate(stages):
        place = f"{START}/" * depth + TEACHER
        if stage.teacher is not None:
            teacher = load_origin(entry.folder / place)
            assert teacher.digest == stage.teacher
            taught.add(f"{place}/{teacher.path.name}")
    kept = {
        path.relative_to(entry.folder).as_posix()
        for kind in ("*.safetensors", "*.pt2")
        for path in entry.folder.rglob(kind)
    }
    stages_kept = {f"{START}/" * k + BEST for k in range(len(stages))}
    tuned = {f"{shelf_module.QAFT}/{BEST}"} if f"{entry.folder.name}-qaft" in names() else set()
    assert kept == stages_kept | tuned | taught


def test_the_network_that_it_was_fine_tuned_to_is_kept(entry):
    """Where `ns4d evaluate --record` looks for it, so that the figures of the card can be made."""
    program, selected = load(entry.name), load_selected(entry.place)
    origin = "tuned_network" if entry.fine_tuned else "network"
    assert selected.digest == program.metadata.provenance[origin]
    if entry.fine_tuned:
        assert selected.recipe == from_plain(Recipe, entry.card.fine_tuning["training"])
        assert folder_of(program, entry.program, entry.folder) == entry.place


def test_a_model_is_small(entry):
    assert sum(path.stat().st_size for path in entry.place.iterdir()) < SMALL_BYTES


def test_all_of_them_are_small():
    files = (path for path in shelf_module.SHELF.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) < SHELF_BYTES


def test_a_model_streams(entry):
    program = load(entry.name)
    tokens = np.random.default_rng(0).normal(0, 100, (20, program.inputs))
    stream = program.stream()
    scores = [stream.step(token) for token in tokens]
    assert np.array_equal(scores[-1], program.run(tokens[None])[0])


def test_a_path_is_a_path_whatever_the_names(tmp_path, monkeypatch):
    program = random_program(np.random.default_rng(0), ns4d.LOIHI2, 1, 3, 2, 1, 2)
    monkeypatch.chdir(tmp_path)
    name = names()[0]
    for path in (tmp_path / "a.ns4d", tmp_path / "folder" / "plain", tmp_path / name):
        path.parent.mkdir(exist_ok=True)
        save(program, path)
        assert load(path) == program
    assert load(name) == program  # a file of that name comes first


def test_a_name_stands_for_its_run(entry):
    assert run_folder(entry.name) == entry.place
    assert program_file(entry.name) == entry.program


def test_a_path_is_a_run_whatever_the_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = names()[0]
    assert run_folder(name) == find(name).place
    for path in (tmp_path / "missing", Path("runs/missing"), Path("mine.v2")):
        assert run_folder(path) == program_file(path) == path
    Path(name).mkdir()
    assert run_folder(name) == program_file(name) == Path(name)  # what is there comes first


@pytest.mark.parametrize("name", ["smnist_small", "nothing"])
def test_an_unknown_run_lists_the_known(name):
    expected = rf"run: expected the folder of a run, or one of digits-mini.*, got '{name}'\. Check"
    with pytest.raises(ConfigError, match=expected):
        run_folder(name)


@pytest.mark.parametrize("name", ["smnist_small", "SMNIST-SMALL", "", "nothing"])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises((ConfigError, ArtefactError), match="expected"):
        load(name)
    if name:
        with pytest.raises(ConfigError, match=r"digits-mini.*smnist-small"):
            load(name)


@pytest.mark.parametrize("path", ["missing.ns4d", "folder/missing"])
def test_a_missing_file_is_no_name(path):
    with pytest.raises(ArtefactError, match="missing"):
        load(path)


class TestCard:
    def test_it_is_read_as_written(self, entry, tmp_path):
        path = tmp_path / "card.json"
        path.write_text(entry.card.to_json(), "utf-8")
        assert read_card(path) == entry.card

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"task": 1}', "not json"])
    def test_nonsense_is_refused(self, text, tmp_path):
        path = tmp_path / "card.json"
        path.write_text(text, "utf-8")
        with pytest.raises(ArtefactError, match="model card"):
            read_card(path)

    def test_an_entry_too_many_is_refused(self, entry, tmp_path):
        plain = json.loads(entry.card.to_json()) | {"stars": 5}
        path = tmp_path / "card.json"
        path.write_text(json.dumps(plain), "utf-8")
        with pytest.raises(ArtefactError, match="stars"):
            read_card(path)

    @pytest.mark.parametrize("field", ["integer_correct", "float_correct"])
    def test_more_right_than_there_are_is_refused(self, entry, field, tmp_path):
        plain = json.loads(entry.card.to_json())
        plain[field] = plain["test_sequences"] + 1
        path = tmp_path / "card.json"
        path.write_text(json.dumps(plain), "utf-8")
        with pytest.raises(ArtefactError, match="test sequences"):
            read_card(path)


def test_an_empty_shelf_has_no_names(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf_module, "SHELF", tmp_path)
    assert names() == ()
    with pytest.raises(ConfigError, match="no-such"):
        find("no-such")
