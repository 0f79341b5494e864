"""The table of fine-tunings shows what a record holds, with the command that made it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ns4d.bench.documents import TABLES, to_markdown
from ns4d.bench.fine_tuning_table import COLUMNS, command, fine_tuning_table
from ns4d.bench.runs import LoadedRun, evaluate_run, write_record
from ns4d.cli import app
from ns4d.cli.options import quantize_options
from ns4d.data import Dataset
from ns4d.model import Network
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import save
from ns4d.quantize import Options
from ns4d.quantize.qaft import QaftResult, quantization_aware_fine_tune
from ns4d.quantize.qaft_recipe import RATE, QaftRecipe, qaft_recipe
from ns4d.quantize.widths import with_widths
from ns4d.train import Augmentation, Recipe, load_network, train
from train.tiny import STEPS_PER_EPOCH, tiny_dataset, tiny_recipe

NARROW = with_widths(LOIHI2, weight_bits=3, coefficient_bits=6, message_bits=4)


def recipe_of(
    network: Network,
    arithmetic: Arithmetic = NARROW,
    options: Options | None = None,
    trained: Recipe | None = None,
) -> QaftRecipe:
    recipe = qaft_recipe(network, trained or tiny_recipe(), arithmetic, 2, sequences=64)
    training = replace(recipe.training, batch=8)
    return replace(recipe, training=training, options=options or Options())


def record_of(folder: Path, dataset: Dataset) -> tuple[dict[str, Any], QaftResult]:
    """A record as `ns4d evaluate --record` writes it, of a real fine-tuning."""
    trained = tiny_recipe(augmentation=Augmentation(shift=1))
    train(trained, dataset, folder, show=False)
    network, recipe = load_network(folder)
    tuned = folder / f"qaft-{NARROW.name}"
    result = quantization_aware_fine_tune(
        network, dataset, recipe_of(network, trained=trained), tuned, show=False
    )
    program, record = folder / "program.ns4d", folder / "record-qaft.json"
    save(result.program, program)
    run = LoadedRun(network, recipe, dataset)
    write_record(record, folder, run, evaluate_run(run, program), program)
    return json.loads(record.read_text()), result


def test_a_row_shows_what_the_fine_tuning_reached(tmp_path: Path) -> None:
    record, result = record_of(tmp_path, tiny_dataset())
    (row,) = fine_tuning_table([("first", record)]).rows
    shown: dict[str, str] = dict(zip(COLUMNS, row, strict=True))
    figures = record["figures"]
    expected = {
        "float, validation": result.float_accuracy,
        "PTQ at the start, validation": result.start_accuracy,
        "QAFT, validation": result.accuracy,
        "float, test": figures["float_correct"] / figures["test_sequences"],
        "QAFT, test": figures["integer_correct"] / figures["test_sequences"],
    }
    for column, accuracy in expected.items():
        assert float(shown[column].removesuffix("%")) == pytest.approx(100 * accuracy, abs=0.006)
    assert (shown["run"], shown["profile"]) == ("first", "loihi2-w3c6m4")
    assert shown["augmentation"] == "shift 1"
    assert shown["bits of weights, coefficients, messages, state"] == "3, 6, 4, 24"
    assert (shown["epochs"], shown["steps"]) == ("2", str(2 * STEPS_PER_EPOCH))
    assert shown["seconds"] == f"{result.progress.seconds:,.0f}"
    assert shown["command"] == (
        "`ns4d quantize RUN --qaft 2 --weight-bits 3 --coefficient-bits 6 --message-bits 4`"
    )


def test_records_of_other_programs_are_passed_over() -> None:
    assert fine_tuning_table([("first", {"figures": {"task": "smnist"}})]).rows == ()


def test_without_records_the_document_says_so(tmp_path: Path) -> None:
    assert to_markdown(TABLES["fine-tuning"](tmp_path)) == "No record yet.\n"


@pytest.mark.parametrize("rate", [RATE, 3e-4, 1 / 3000])
@pytest.mark.parametrize("base", [LOIHI2, WIDE], ids=lambda base: base.name)
@pytest.mark.parametrize(
    "options",
    [
        quantize_options(keep_b=False, certified=None, observer="max"),
        quantize_options(keep_b=True, certified=True, observer="mse"),
        quantize_options(keep_b=True, certified=False, observer="percentile"),
    ],
)
def test_a_command_gives_back_its_recipe(
    base: Arithmetic,
    options: Options,
    rate: float,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("RUN").mkdir()
    network = Network(tiny_recipe().model)
    arithmetic = with_widths(base, weight_bits=5, state_bits=20)
    recipe = qaft_recipe(
        network, tiny_recipe(), arithmetic, 2, options=options, sequences=9, rate=rate
    )
    asked: list[QaftRecipe] = []

    def fine_tune(folder: Path, loaded: object, recipe: QaftRecipe, device: object) -> None:
        asked.append(recipe)
        raise typer.Exit(0)

    monkeypatch.setattr("ns4d.bench.fine_tune.fine_tune_run", fine_tune)
    run = LoadedRun(network, tiny_recipe(), tiny_dataset())
    monkeypatch.setattr("ns4d.bench.runs.load_run", lambda *_: run)
    words = shlex.split(command(recipe.plain()))[1:]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert asked == [recipe]


def test_a_profile_of_ones_own_is_named_as_a_file() -> None:
    recipe = recipe_of(Network(tiny_recipe().model), replace(NARROW, name="mine"))
    assert command(recipe.plain()) == "ns4d quantize RUN --qaft 2 --profile mine.json"
