"""`ns4d reproduce --train`: a model made again from its card alone, by either way of quantizing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ns4d.bench.reproduce import retrain
from ns4d.bench.runs import load_run
from ns4d.errors import ConfigError
from ns4d.numerics import LOIHI2
from ns4d.program import load
from ns4d.quantize import post_training_quantize
from ns4d.quantize.qaft_recipe import qaft_recipe
from ns4d.train.augment import Augmentation
from ns4d.train.checkpoint import BEST, load_selected
from ns4d.train.exported import EXPORTED, read_exported
from ns4d.train.origins import START, TEACHER, Origins, copy_selected
from ns4d.train.recipe import Optimizer, Recipe, Schedule
from ns4d.train.settings import from_plain
from ns4d.zoo import Entry, find
from ns4d.zoo.shelf import CARD, QAFT
from train.runs import latest

CPU = torch.device("cpu")


def shortened(folder: Path, **changes: Any) -> Entry:
    """The smallest model with a card that asks for one epoch."""
    ours = find("digits-mini").folder
    shutil.copytree(ours, folder, ignore=shutil.ignore_patterns(QAFT))
    plain = json.loads((folder / CARD).read_text("utf-8"))
    plain["recipe"]["schedule"]["epochs"] = 1
    (folder / CARD).write_text(json.dumps(plain | changes), "utf-8")
    return Entry("digits-mini", folder)


@pytest.fixture(scope="module")
def again(tmp_path_factory) -> tuple[Entry, Path]:
    folder = tmp_path_factory.mktemp("again")
    return retrain(shortened(folder / "card"), folder / "shelf", None, CPU), folder


def test_the_new_model_is_on_a_shelf_of_its_own(again):
    made, folder = again
    assert made.folder == folder / "shelf" / "digits-mini"
    assert load(made.program).digest == made.card.digest != find("digits-mini").card.digest


def test_it_was_trained_by_the_recipe_of_the_card(again):
    made, _ = again
    run = load_run(made.folder)
    assert run.recipe.schedule.epochs == made.card.epochs == 1
    wanted = from_plain(Recipe, find("digits-mini").card.recipe)
    assert run.recipe == replace(wanted, schedule=replace(wanted.schedule, epochs=1))


def test_it_was_quantized_as_the_card_says(again):
    made, _ = again
    run = load_run(made.folder)
    shipped = find("digits-mini").card
    assert (made.card.profile, made.card.fine_tuned) == (shipped.profile, shipped.fine_tuned)
    program = load(made.program)
    origin = {k: program.metadata.provenance[k] for k in ("seed", "network")}
    assert post_training_quantize(run.network, run.dataset, LOIHI2, provenance=origin) == program


def test_what_is_finished_is_not_trained_again(again):
    made, folder = again
    before = (folder / "shelf" / "runs" / "digits-mini" / "metrics.jsonl").read_bytes()
    repeated = retrain(Entry("digits-mini", folder / "card"), folder / "shelf", None, CPU)
    assert (folder / "shelf" / "runs" / "digits-mini" / "metrics.jsonl").read_bytes() == before
    assert repeated.card == made.card


def test_a_model_that_began_with_another_has_that_one_trained_first(again, tmp_path):
    """The card names a network that nobody has any more; what replaces it is its recipe's."""
    made, _ = again
    recipe = made.card.recipe | {"start": load_selected(made.folder).digest}
    recipe["optimizer"] = recipe["optimizer"] | {"rate": 1e-30, "ssm_rate": 1e-30}
    entry = shortened(tmp_path / "card", recipe=recipe)
    copy_selected(made.folder / BEST, entry.folder / START)
    second = retrain(entry, tmp_path / "shelf", None, CPU)
    first = load_selected(second.folder / START)
    assert second.card.recipe["start"] == first.digest == load_selected(second.folder).digest
    assert first.recipe == load_selected(made.folder).recipe
    assert latest(tmp_path / "shelf/runs/digits-mini-start").digest == first.digest


def test_a_model_that_learnt_from_another_has_that_one_trained_first(again, tmp_path):
    """The card names a network that no training gives any more."""
    made, _ = again
    recipe = made.card.recipe | {"teacher": "0" * 64, "seed": 1}
    entry = shortened(tmp_path / "card", recipe=recipe)
    copy_selected(made.folder / BEST, entry.folder / TEACHER)
    second = retrain(entry, tmp_path / "shelf", None, CPU)
    teacher = load_selected(second.folder / TEACHER)
    assert second.card.recipe["teacher"] == teacher.digest
    assert teacher.recipe == load_selected(made.folder).recipe
    assert latest(tmp_path / "shelf/runs/digits-mini-teacher").digest == teacher.digest
    assert not (second.folder / START).exists()


def test_a_teacher_that_ns4d_did_not_train_stays_as_it_is(again, tmp_path):
    """Its file is all there is of it."""
    made, _ = again
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    program = torch.export.export(
        flat, (torch.zeros(2, 64, 1),), dynamic_shapes=[{0: torch.export.Dim.DYNAMIC}]
    )
    torch.export.save(program, tmp_path / "flat.pt2")
    network = read_exported(tmp_path / "flat.pt2")
    recipe = made.card.recipe | {"teacher": network.digest}
    entry = shortened(tmp_path / "card", recipe=recipe)
    Origins(teacher=network).keep(entry.folder)
    second = retrain(entry, tmp_path / "shelf", None, CPU)
    assert second.card.recipe["teacher"] == network.digest
    assert (second.folder / TEACHER / EXPORTED).read_bytes() == network.content
    exchanged = shortened(tmp_path / "exchanged", recipe=recipe | {"teacher": "0" * 64})
    Origins(teacher=network).keep(exchanged.folder)
    with pytest.raises(ConfigError, match=rf"expected the network {'0' * 12}"):
        retrain(exchanged, tmp_path / "other", None, CPU)


def test_a_chain_of_beginnings_is_trained_from_its_end(again, tmp_path):
    made, _ = again
    still = {"rate": 1e-30, "ssm_rate": 1e-30}
    for number in (1, 2):
        recipe = made.card.recipe | {"start": load_selected(made.folder).digest}
        recipe["optimizer"] = recipe["optimizer"] | still
        entry = shortened(tmp_path / f"card-{number}", recipe=recipe)
        copy_selected(made.folder / BEST, entry.folder / START)
        made = retrain(entry, tmp_path / f"shelf-{number}", None, CPU)
    chain = [load_selected(made.folder / start) for start in ("", START, f"{START}/{START}")]
    assert [run.recipe.start for run in chain] == [chain[1].digest, chain[2].digest, None]
    assert len({run.digest for run in chain}) == 1
    runs = tmp_path / "shelf-2/runs"
    stages = [latest(runs / f"digits-mini{end}") for end in ("-start-start", "-start", "")]
    assert [stage.digest for stage in stages] == [run.digest for run in reversed(chain)]


def test_a_fine_tuned_model_is_fine_tuned_again(again, tmp_path):
    """From the network that its plain model was trained to, by every number of its card."""
    made, folder = again
    run = load_run(made.folder)
    recipe = qaft_recipe(
        run.network, run.recipe, LOIHI2, 1, sequences=16, distillation=0.5, rate=1e-3
    )
    # Numbers that `ns4d quantize --qaft` takes no more, or never took.
    training = replace(
        recipe.training,
        batch=16,
        augmentation=Augmentation(turn=3.0),
        schedule=Schedule(epochs=1, warmup=0.3, final=0.1),
        optimizer=Optimizer(rate=1e-3, ssm_rate=1e-5, decay=0.01, clip=0.5),
    )
    recipe = replace(recipe, training=training)
    plain = shortened(tmp_path / "card")
    entry = replace(plain, fine_tuned=True)
    shutil.copytree(plain.folder, entry.place, ignore=shutil.ignore_patterns(QAFT))
    card = json.loads((entry.place / CARD).read_text("utf-8"))
    changes = {"fine_tuned": True, "fine_tuning": recipe.plain()}
    (entry.place / CARD).write_text(json.dumps(card | changes), "utf-8")
    shutil.copytree(folder / "shelf", tmp_path / "shelf")
    other = changes | {"fine_tuning": recipe.plain() | {"options": "Options(fold_b=False)"}}
    (entry.place / CARD).write_text(json.dumps(card | other), "utf-8")
    with pytest.raises(ConfigError, match=r"card of digits-mini-qaft: expected Options.*fold_b=F"):
        retrain(entry, tmp_path / "shelf", None, CPU)
    (entry.place / CARD).write_text(json.dumps(card | changes), "utf-8")
    tuned = retrain(entry, tmp_path / "shelf", None, CPU)
    assert tuned == Entry("digits-mini", tmp_path / "shelf" / "digits-mini", fine_tuned=True)
    assert tuned.card.fine_tuned
    assert dict(tuned.card.fine_tuning) == recipe.plain()
    assert "qaft" in load(tuned.program).metadata.provenance
    assert load(replace(tuned, fine_tuned=False).program) == load(made.program)
