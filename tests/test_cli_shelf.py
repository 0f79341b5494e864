"""The models that come with the package, by name, where a command takes a run or a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import ns4d
from ns4d.bench import sweep as sweep_module
from ns4d.bench.runs import load_run, provenance
from ns4d.bench.sweep import AXES
from ns4d.numerics import LOIHI2
from ns4d.quantize import MeanSquaredError, Options, post_training_quantize
from ns4d.train.checkpoint import BEST, load_selected
from ns4d.train.origins import START
from ns4d.train.recipe import Recipe
from ns4d.train.settings import from_plain, to_plain
from ns4d.zoo import find
from ns4d.zoo.shelf import SHELF
from test_cli import QUICK, call, last_json


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In an empty folder; the package is left as it was."""
    monkeypatch.chdir(tmp_path)
    before = _contents()
    yield
    assert _contents() == before


def _contents() -> dict[Path, tuple[int, int]]:
    found = {path: path.stat() for path in SHELF.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def with_defaults(tuning: Mapping[str, Any]) -> dict[str, Any]:
    """A fine-tuning whose recipe has the settings that are newer than a card."""
    if not tuning:
        return {}
    return {**tuning, "training": to_plain(from_plain(Recipe, tuning["training"]))}


@pytest.mark.parametrize("name", ["digits-mini", "digits-mini-qaft"])
@pytest.mark.parametrize("named", [False, True], ids=["paths", "names"])
def test_a_shipped_program_is_evaluated_as_its_card_says(
    name: str, named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = find(name)
    run, program = (entry.network, name) if named else (str(entry.folder), str(entry.program))
    assert call("evaluate", run, "--program", program, "--record", "r.json", "--json") == 0
    record, card = json.loads(Path("r.json").read_text()), entry.card
    assert record["figures"] == last_json(capsys)
    for key in ("digest", "test_sequences", "float_correct", "integer_correct", "agreement"):
        assert record["figures"][key] == getattr(card, key)
    tuned = record.get("fine_tuning", {}).get("recipe", {})
    assert with_defaults(tuned) == with_defaults(card.fine_tuning)


def test_a_fine_tuned_network_is_evaluated_by_the_name_of_its_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By itself; its program belongs to the run that the fine-tuning began with."""
    assert call("evaluate", "digits-mini-qaft", "--json") == 0
    assert last_json(capsys)["float_accuracy"] > 0.97
    assert call("evaluate", "digits-mini-qaft", "--program", "digits-mini-qaft") == 1
    assert "from network" in (error := capsys.readouterr().err)
    assert ", fine-tuned to this run's. Name the run that it was made from" in error


def test_a_shipped_network_is_quantized_to_a_place_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = "error: --out: expected a place for loihi2.ns4d, since this run comes with ns4d"
    for run in ("digits-mini", str(find("digits-mini").folder)):
        assert call("quantize", run, "--ptq") == 1
        assert capsys.readouterr().err.startswith(wanted)
    assert call("quantize", "digits-mini", "--qaft", "1") == 1
    assert "for qaft-loihi2.ns4d" in capsys.readouterr().err
    for name in ("digits-mini", "digits-mini-qaft"):
        assert call("quantize", name, "--ptq", "--out", "mine.ns4d") == 0
        said, network = ns4d.load("mine.ns4d").metadata.provenance, load_selected(find(name).place)
        assert said["network"] == network.digest


def test_a_program_quantized_by_command_says_with_which_options() -> None:
    loaded = load_run(find("digits-mini").folder)
    origin = provenance(loaded.network, loaded.recipe)
    for words, options in (
        ((), Options()),
        (("--observer", "mse", "--keep-b"), Options(fold_b=False, observer=MeanSquaredError())),
        (("--certified",), Options(certified=True)),
    ):
        assert call("quantize", "digits-mini", "--ptq", "--out", "mine.ns4d", *words) == 0
        assert ns4d.load("mine.ns4d") == post_training_quantize(
            loaded.network, loaded.dataset, LOIHI2, options, provenance=origin
        )


def test_a_shipped_network_is_swept_to_places_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep_module, "AXES", dict.fromkeys(AXES, (32,)) | {"weight_bits": (4,)})
    command = ("sweep", "digits-mini", "--sequences", "4", "--json")
    for given, missing, name in (
        ((), "--journal", "sweep.jsonl"),
        (("--journal", "mine.jsonl"), "--report", "sweep.html"),
        (("--report", "mine.html"), "--journal", "sweep.jsonl"),
    ):
        assert call(*command, *given) == 1
        wanted = f"error: {missing}: expected a place for {name}, since this run comes with ns4d"
        assert capsys.readouterr().err.startswith(wanted)
    assert list(Path().iterdir()) == []
    assert call(*command, "--journal", "mine.jsonl", "--report", "mine.html") == 0
    assert len(last_json(capsys)["configurations"]) == 2
    assert {path.name for path in Path().iterdir()} == {"mine.jsonl", "mine.html"}


def test_a_training_begins_with_a_shipped_network() -> None:
    quick = [setting for setting in QUICK if not setting.startswith("model.")]
    command = ("train", "digits", *quick, "--start", "digits-mini-qaft", "--threads", "1")
    assert call(*command, "--out", "run") == 0
    shipped = load_selected(find("digits-mini-qaft").place)
    assert load_selected(Path("run")).recipe.start == shipped.digest
    assert (Path("run") / START / BEST).exists()


def test_a_folder_of_that_name_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    Path("digits-mini").mkdir()
    assert call("evaluate", "digits-mini") == 1
    assert "checkpoint.safetensors: expected an ns4d checkpoint" in capsys.readouterr().err
