"""Named variants of a network: each trained, quantized, placed, so that gain stands beside cost.

Accuracies are those of the validation part: a variant is chosen by them, so the test part stays
unseen. Every training is a run of its own, and goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ns4d.bench.reproduction import on_chip
from ns4d.bench.runs import provenance
from ns4d.bench.variants_table import key_of
from ns4d.choice import choose
from ns4d.data import Dataset
from ns4d.environment import environment
from ns4d.errors import ArtefactError, Ns4dError
from ns4d.loihi2.mode import Mode
from ns4d.model import Norm
from ns4d.model.config import Mixer, Spectrum
from ns4d.numerics import LOIHI2
from ns4d.quantize import agreement, post_training_quantize, stream_split
from ns4d.storage import write_atomically
from ns4d.train import RECIPES, Recipe, evaluate, load_network, train
from ns4d.train.checkpoint import load_selected
from ns4d.train.settings import from_plain, to_plain

RECORD = "variants.json"
# What reading a file raises that was cut, altered, or never was a record.
DAMAGED = (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError)
Change = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class Variant:
    """What a variant makes of a recipe.

    Args:
        change: Of the recipe itself.
        teacher: Makes the recipe of a teacher, which is trained first; none if None.
        images: Whether it makes sense for images alone.
    """

    change: Change
    teacher: Change | None = None
    images: bool = False


def _model(**changes: Any) -> Change:
    return lambda recipe: replace(recipe, model=replace(recipe.model, **changes))


def _remember_longer(recipe: Recipe) -> Recipe:
    return _model(step_min=recipe.model.step_min / 10)(recipe)


def _augment_more(recipe: Recipe) -> Recipe:
    now = recipe.augmentation
    return replace(recipe, augmentation=replace(now, turn=now.turn + 5, zoom=now.zoom + 0.05))


def _teach(recipe: Recipe) -> Recipe:
    wide = 2 * recipe.model.channels
    return _model(channels=wide, residual=True, norm=Norm.BATCH)(recipe)


# Only what the chip can run: batch norm folds into the linear map, a residual is an integer sum.
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "plain": Variant(_model()),
        "residual": Variant(_model(residual=True)),
        "batch-norm": Variant(_model(norm=Norm.BATCH)),
        "residual-batch-norm": Variant(_model(residual=True, norm=Norm.BATCH)),
        "linear-mixer": Variant(_model(residual=True, norm=Norm.BATCH, mixer=Mixer.LINEAR)),
        "linear-spectrum": Variant(_model(spectrum=Spectrum.LINEAR)),
        "inverse-spectrum": Variant(_model(spectrum=Spectrum.INVERSE)),
        "longer-memory": Variant(_remember_longer),
        "dropout": Variant(_model(dropout=0.1)),
        "augmentation": Variant(_augment_more, images=True),
        "distillation": Variant(_model(), teacher=_teach),
    }
)


def chosen_variants(names: Sequence[str], task: str) -> Mapping[str, Variant]:
    """The variants of these names; without any, all that make sense for a task.

    Raises:
        ConfigError: For an unknown name.
    """
    if names:
        fix = "Name one of them, or leave --only out."
        return {name: choose("--only", VARIANTS, name, fix) for name in names}
    images = task in RECIPES
    return {name: one for name, one in VARIANTS.items() if images or not one.images}


def study_variants(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    variants: Mapping[str, Variant] = VARIANTS,
    seeds: int = 1,
    device: torch.device | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train every variant with every seed; measure what came out.

    Args:
        recipe: What is varied.
        dataset: Its data; the test part is not touched.
        folder: Where the runs go, with the record `variants.json`, written anew after each. What
            it has of other variants, seeds or recipes stays there; its environment is the last.
        variants: By name.
        seeds: How many, counted up from the seed of the recipe.
        device: Where to train; the CPU if None.
        say: Called with one line per training.

    Returns:
        The record of these trainings: task, one entry each, environment. The seconds of a
        distilled network are without its teacher's.

    Raises:
        ArtefactError: The folder has a record that is damaged or of another task; nothing is
            trained then. Or a file cannot be written.
        ConfigError: A training does not fit what the folder holds.
    """
    runs: list[dict[str, Any]] = []
    noted = {key_of(run): run for run in _read_runs(folder / RECORD, recipe.task)}
    record = {"origin": "measured", "task": recipe.task, "runs": runs}
    record["environment"] = environment()
    distinct = _distinct(recipe, variants, say)
    for seed in range(recipe.seed, recipe.seed + seeds):
        for name, variant in distinct.items():
            say(f"{name}, seed {seed}")
            run = folder / f"{name}-{seed}"
            varied, seconds = _train(variant, replace(recipe, seed=seed), dataset, run, device)
            runs.append({"variant": name, "seconds": seconds, **_measure(varied, dataset, run)})
            noted[key_of(runs[-1])] = runs[-1]
            text = json.dumps({**record, "runs": list(noted.values())}, indent=1) + "\n"
            write_atomically(folder / RECORD, text.encode())
    return record


def _read_runs(path: Path, task: str) -> list[dict[str, Any]]:
    """The entries of a record, if there is one; settings younger than an entry as defaults."""
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_bytes())
        runs = [
            {**run, "variant": str(run["variant"]), "recipe": _recipe_of(run)}
            for run in record["runs"]
        ]
        found = record["task"]
    except (*DAMAGED, Ns4dError) as error:
        raise _unusable(path, task, f"{type(error).__name__}: {error}") from error
    if found != task:
        raise _unusable(path, task, f"one of {found}")
    return runs


def _recipe_of(run: Mapping[str, Any]) -> dict[str, Any]:
    return to_plain(from_plain(Recipe, run["recipe"], "recipe"))


def _unusable(path: Path, task: str, got: str) -> ArtefactError:
    fix = "Bring it back as it was, move it away, or choose another --out."
    return ArtefactError(str(path), expected=f"a study of {task}", got=got, fix=fix)


def _distinct(
    recipe: Recipe, variants: Mapping[str, Variant], say: Callable[[str], None]
) -> dict[str, Variant]:
    """Without those that change nothing of this recipe that an earlier one does not."""
    names: dict[tuple[Recipe, Recipe | None], str] = {}
    for name, variant in variants.items():
        taught = None if variant.teacher is None else variant.teacher(recipe)
        same = names.setdefault((variant.change(recipe), taught), name)
        if same != name:
            say(f"{name}: the same as {same} for this recipe")
    return {name: variants[name] for name in names.values()}


def _train(
    variant: Variant, recipe: Recipe, dataset: Dataset, run: Path, device: torch.device | None
) -> tuple[Recipe, float]:
    """Train a variant, after its teacher if it has one; returns its recipe and its own seconds."""
    varied, teacher = variant.change(recipe), None
    if variant.teacher is not None:
        first = run.with_name(f"{run.name}-teacher")
        train(variant.teacher(recipe), dataset, first, device=device)
        teacher = load_selected(first)
        varied = replace(varied, teacher=teacher.digest)
    result = train(varied, dataset, run, device=device, teacher=teacher)
    return varied, result.progress.seconds


def _measure(recipe: Recipe, dataset: Dataset, run: Path) -> dict[str, Any]:
    network, _ = load_network(run)
    origin = provenance(network, recipe)
    program = post_training_quantize(network, dataset, LOIHI2, provenance=origin)
    split = dataset.validation
    floats = evaluate(network, split, dataset.normalization)
    counts = agreement(floats.logits, stream_split(program, split), split)
    chip = on_chip(program, split.sequence(0))
    token = chip.estimates[Mode.FALL_THROUGH]
    return {
        "recipe": to_plain(recipe),
        "parameters": network.parameter_count,
        "sequences": len(split),
        "float_accuracy": counts.float_accuracy,
        "integer_accuracy": counts.integer_accuracy,
        "cores": len(chip.simulation.activity.placement.cores),
        "token_s": token.token_s.value,
        "token_j": token.token_j.value,
    }
