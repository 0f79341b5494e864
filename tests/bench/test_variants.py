"""`ns4d variants`: what is varied, what is measured, what is left alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ns4d.bench.variants import RECORD, VARIANTS, chosen_variants, study_variants
from ns4d.bench.variants_table import COLUMNS, variants_table
from ns4d.cli import app
from ns4d.data import load_task
from ns4d.errors import ArtefactError, ConfigError
from ns4d.model import ModelConfig, Norm
from ns4d.quantize import post_training_quantize, stream_split
from ns4d.train import RECIPES, Recipe, evaluate, load_network, override
from ns4d.train.checkpoint import load_selected
from ns4d.train.settings import to_plain

SMALL = ("schedule.epochs=1", "model.channels=4", "model.modes=2", "model.layers=2")
TWO = {name: VARIANTS[name] for name in ("plain", "residual-batch-norm")}


def recipe() -> Recipe:
    return override(RECIPES["digits"], SMALL)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("variants")
    return folder, study_variants(recipe(), load_task("digits"), folder, TWO, seeds=2)


def timeless(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [{k: v for k, v in run.items() if k != "seconds"} for run in record["runs"]]


def test_every_variant_is_trained_with_every_seed(studied):
    folder, record = studied
    pairs = [(run["variant"], run["recipe"]["seed"]) for run in record["runs"]]
    assert pairs == [(name, seed) for seed in (0, 1) for name in TWO]
    assert json.loads((folder / RECORD).read_text("utf-8")) == record


def test_it_is_trained_as_its_name_says(studied):
    folder, record = studied
    model = replace(recipe().model, residual=True, norm=Norm.BATCH)
    network, trained = load_network(folder / "residual-batch-norm-1")
    assert trained == replace(recipe(), model=model, seed=1)
    assert record["runs"][3]["recipe"] == to_plain(trained)
    assert record["runs"][3]["parameters"] == network.parameter_count


def test_accuracies_are_those_of_the_validation_part(studied):
    folder, record = studied
    data = load_task("digits")
    part = data.validation
    network, _ = load_network(folder / "plain-0")
    scores = stream_split(post_training_quantize(network, data), part)
    run = record["runs"][0]
    assert run["sequences"] == len(part)
    assert run["float_accuracy"] == evaluate(network, part, data.normalization).accuracy
    assert run["integer_accuracy"] == (scores.argmax(1) == part.labels).mean()


def test_the_test_part_changes_nothing(studied, tmp_path):
    _, record = studied
    data = load_task("digits")
    other = replace(data, test=data.test.select(np.array([3, 1])))
    assert timeless(study_variants(recipe(), other, tmp_path, TWO, seeds=2)) == timeless(record)


def test_what_is_trained_is_not_trained_again(studied):
    folder, record = studied
    journals = {path: path.read_bytes() for path in folder.glob("*/metrics.jsonl")}
    assert len(journals) == 4
    again = study_variants(recipe(), load_task("digits"), folder, TWO, seeds=2)
    assert again["runs"] == record["runs"]
    assert {path: path.read_bytes() for path in folder.glob("*/metrics.jsonl")} == journals


@pytest.fixture
def again(studied, tmp_path) -> tuple[Path, list[dict[str, Any]]]:
    """A copy of the studied folder, to go on in; the entries of its record."""
    folder, record = studied
    shutil.copytree(folder, tmp_path / "again")
    return tmp_path / "again", record["runs"]


def noted(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / RECORD).read_text("utf-8"))["runs"]


def test_a_smaller_study_keeps_what_a_larger_one_noted(again):
    folder, before = again
    one = {"batch-norm": VARIANTS["batch-norm"]}
    record = study_variants(recipe(), load_task("digits"), folder, one)
    assert [run["variant"] for run in record["runs"]] == ["batch-norm"], "what was asked for"
    assert noted(folder) == [*before, *record["runs"]]


def test_what_is_measured_again_replaces_what_was_noted(again):
    folder, before = again
    path, wrong = folder / RECORD, [{**run, "cores": -1} for run in before]
    path.write_text(json.dumps({"task": "digits", "runs": wrong}))
    second = override(recipe(), ["seed=1"])
    study_variants(second, load_task("digits"), folder, {"plain": VARIANTS["plain"]})
    assert noted(folder) == [wrong[0], wrong[1], before[2], wrong[3]], "each in its place"
    assert json.loads(path.read_text("utf-8"))["environment"]


def test_an_interrupted_repetition_keeps_what_was_noted(again):
    folder, before = again

    def interrupt(line: str) -> None:
        if line == "residual-batch-norm, seed 0":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study_variants(recipe(), load_task("digits"), folder, TWO, seeds=2, say=interrupt)
    assert noted(folder) == before


def test_what_was_noted_before_a_setting_existed_is_the_same_entry(again):
    folder, before = again
    path, record = folder / RECORD, json.loads((folder / RECORD).read_text("utf-8"))
    for run in record["runs"]:
        del run["recipe"]["bfloat16"]
    path.write_text(json.dumps(record))
    study_variants(recipe(), load_task("digits"), folder, {"plain": VARIANTS["plain"]})
    assert noted(folder) == before


def test_another_teacher_makes_no_other_entry(tmp_path):
    data, one = load_task("digits"), {"distillation": VARIANTS["distillation"]}
    first = study_variants(recipe(), data, tmp_path, one)["runs"]
    other = [{**run, "recipe": run["recipe"] | {"teacher": "0" * 64}} for run in first]
    (tmp_path / RECORD).write_text(json.dumps({"task": "digits", "runs": other}))
    study_variants(recipe(), data, tmp_path, one)
    assert noted(tmp_path) == first


def test_entries_of_another_recipe_stay_beside_new_ones(again):
    folder, before = again
    shutil.rmtree(folder / "plain-0")
    longer = override(recipe(), ["schedule.epochs=2"])
    record = study_variants(longer, load_task("digits"), folder, {"plain": VARIANTS["plain"]})
    assert noted(folder) == [*before, *record["runs"]]
    rows = variants_table(json.loads((folder / RECORD).read_text("utf-8"))).rows
    told = "plain: schedule.epochs=1 (now 2)"
    assert [row[:2] for row in rows] == [("plain", "2"), ("residual-batch-norm", "2"), (told, "1")]
    assert rows[:2] == variants_table({"task": "digits", "runs": before}).rows


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ('{"task": "dig', "JSONDecodeError"),
        ("7", "TypeError"),
        ("{}", "KeyError: 'runs'"),
        ('{"task": "smnist", "runs": []}', "one of smnist"),
        ('{"task": "digits", "runs": [7]}', "TypeError"),
        ('{"task": "digits", "runs": [{"variant": "plain"}]}', "KeyError: 'recipe'"),
        ('{"task": "digits", "runs": [{"variant": "plain", "recipe": {"model": 7}}]}', "ConfigErr"),
        ("\xff", "UnicodeDecodeError"),
        ("[" * 99999, "RecursionError"),
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_or_foreign_record_is_told_before_any_training(tmp_path, text, got):
    (tmp_path / RECORD).write_bytes(text.encode("latin-1"))
    told = rf"variants\.json: expected a study of digits, got {got}.* choose another --out\."
    with pytest.raises(ArtefactError, match=told):
        study_variants(recipe(), load_task("digits"), tmp_path, TWO)
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]
    assert (tmp_path / RECORD).read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_changes_model_or_images_alone(name):
    """A distilled one changes neither: its teacher differs."""
    changed = VARIANTS[name].change(recipe())
    same = replace(changed, model=recipe().model, augmentation=recipe().augmentation)
    assert same == recipe()
    assert (changed == recipe()) == (name in ("plain", "distillation"))
    assert isinstance(changed.model, ModelConfig)


def test_a_distilled_network_has_learnt_from_a_wider_one_of_its_seed(tmp_path):
    data = load_task("digits")
    one = {"distillation": VARIANTS["distillation"]}
    record = study_variants(override(recipe(), ["seed=4"]), data, tmp_path, one)
    teacher = load_selected(tmp_path / "distillation-4-teacher")
    trained = load_selected(tmp_path / "distillation-4").recipe
    assert trained.teacher == record["runs"][0]["recipe"]["teacher"] == teacher.digest
    assert (trained.model, trained.seed) == (recipe().model, 4)
    assert teacher.recipe.model.channels == 2 * recipe().model.channels
    assert teacher.recipe.model.residual
    assert teacher.recipe.seed == 4


def test_what_a_recipe_has_already_is_trained_once(tmp_path):
    said: list[str] = []
    normed = override(recipe(), ["model.norm=batch"])
    two = {name: VARIANTS[name] for name in ("plain", "batch-norm", "distillation")}
    record = study_variants(normed, load_task("digits"), tmp_path, two, say=said.append)
    assert [run["variant"] for run in record["runs"]] == ["plain", "distillation"]
    assert said[0] == "batch-norm: the same as plain for this recipe"


def test_sequences_of_one_s_own_need_not_be_images():
    assert list(chosen_variants([], "digits")) == list(VARIANTS)
    assert set(VARIANTS) - set(chosen_variants([], "mine.npz")) == {"augmentation"}
    assert list(chosen_variants(["augmentation"], "mine.npz")) == ["augmentation"]


def test_the_table_has_a_row_per_variant(studied):
    _, record = studied
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in variants_table(record).rows]
    assert [row["variant"] for row in rows] == list(TWO)
    assert [row["seeds"] for row in rows] == ["2", "2"]
    plain = [run for run in record["runs"] if run["variant"] == "plain"]
    low, high = sorted(run["float_accuracy"] for run in plain)
    shown = rows[0]["float, %"]
    assert shown.split(" ± ")[0] == f"{50 * (low + high):.2f}"
    assert float(shown.split()[2]) == pytest.approx(100 * (high - low) / 2**0.5, abs=0.006)
    single = variants_table({**record, "runs": plain[:1]}).rows[0]
    assert single[COLUMNS.index("float, %")] == f"{100 * plain[0]['float_accuracy']:.2f}"


def test_a_row_that_was_trained_otherwise_says_so(studied):
    """Also where no other row has its variant."""
    first, _, _, last = json.loads(json.dumps(studied[1]["runs"]))
    last["recipe"] |= {"batch": 16, "teacher": "0" * 64}
    other = json.loads(json.dumps(first))
    other["recipe"]["model"]["layers"] = 3
    names = [
        row[0] for row in variants_table({"task": "digits", "runs": [first, last, other]}).rows
    ]
    assert names == [
        "plain",
        "residual-batch-norm: batch=64 (now 16)",
        "plain: model.layers=2 (now 3)",
    ]


def test_seeds_with_teachers_of_their_own_share_a_row(studied):
    first, second = (json.loads(json.dumps(studied[1]["runs"][k])) for k in (0, 2))
    first["recipe"]["teacher"], second["recipe"]["teacher"] = "0" * 64, "1" * 64
    (row,) = variants_table({"task": "digits", "runs": [first, second]}).rows
    assert row[:2] == ("plain", "2")


def run(*arguments: str):
    return CliRunner().invoke(app, ["variants", "digits", *SMALL, "--threads", "1", *arguments])


def test_the_command_trains_all_of_them(tmp_path):
    ran = run("--out", str(tmp_path), "--json")
    assert ran.exit_code == 0, ran.output
    record = json.loads(ran.stdout.splitlines()[-1])
    assert [one["variant"] for one in record["runs"]] == list(VARIANTS)
    assert all(one["cores"] > 0 and one["token_s"] > 0 for one in record["runs"])
    shown = run("--out", str(tmp_path), "--only", "dropout", "--only", "plain")
    assert shown.exit_code == 0, shown.output
    assert "linear-spectrum" not in shown.stdout
    assert shown.stdout.index("dropout") < shown.stdout.index("plain")
    assert noted(tmp_path) == record["runs"], "nothing is lost"


def test_an_unknown_variant_trains_nothing(tmp_path):
    ran = run("--out", str(tmp_path / "out"), "--only", "redisual")
    assert isinstance(ran.exception, ConfigError)
    assert "expected one of plain, residual" in str(ran.exception)
    assert not (tmp_path / "out").exists()
