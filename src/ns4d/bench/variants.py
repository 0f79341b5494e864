"""Named variants of a network: each trained, quantized, placed, so that gain stands beside cost.

Accuracies are those of the validation part: a variant is chosen by them, so the test part stays
unseen. Every training is a run of its own, and goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ns4d.bench.environment import environment
from ns4d.bench.reproduction import on_chip
from ns4d.bench.runs import provenance
from ns4d.choice import choose
from ns4d.data import Dataset
from ns4d.loihi2.mode import Mode
from ns4d.model import Norm
from ns4d.model.config import Spectrum
from ns4d.numerics import LOIHI2
from ns4d.quantize import agreement, post_training_quantize, stream_split
from ns4d.storage import write_atomically
from ns4d.train import Recipe, evaluate, load_network, train
from ns4d.train.settings import to_plain

RECORD = "variants.json"
Change = Callable[[Recipe], Recipe]


def _model(**changes: Any) -> Change:
    return lambda recipe: replace(recipe, model=replace(recipe.model, **changes))


def _remember_longer(recipe: Recipe) -> Recipe:
    return _model(step_min=recipe.model.step_min / 10)(recipe)


# Only what the chip can run: batch norm folds into the linear map, a residual is an integer sum.
VARIANTS: Mapping[str, Change] = MappingProxyType(
    {
        "plain": _model(),
        "residual": _model(residual=True),
        "batch-norm": _model(norm=Norm.BATCH),
        "residual-batch-norm": _model(residual=True, norm=Norm.BATCH),
        "linear-spectrum": _model(spectrum=Spectrum.LINEAR),
        "inverse-spectrum": _model(spectrum=Spectrum.INVERSE),
        "longer-memory": _remember_longer,
        "dropout": _model(dropout=0.1),
    }
)


def changes_of(names: Sequence[str]) -> Mapping[str, Change]:
    """The variants of these names; all without any.

    Raises:
        ConfigError: For an unknown name.
    """
    fix = "Name one of them, or leave --only out."
    return {name: choose("--only", VARIANTS, name, fix) for name in names} or VARIANTS


def study_variants(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    variants: Mapping[str, Change] = VARIANTS,
    seeds: int = 1,
    device: torch.device | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train every variant with every seed; measure what came out.

    Args:
        recipe: What is varied.
        dataset: Its data; the test part is not touched.
        folder: Where the runs go, with the record `variants.json`, written anew after each.
        variants: Name -> what it changes in the recipe.
        seeds: How many, counted up from the seed of the recipe.
        device: Where to train; the CPU if None.
        say: Called with one line per training.

    Returns:
        The record: task, one entry per training, environment.
    """
    runs: list[dict[str, Any]] = []
    record = {"origin": "measured", "task": recipe.task, "runs": runs}
    record["environment"] = environment()
    for seed in range(recipe.seed, recipe.seed + seeds):
        for name, change in variants.items():
            say(f"{name}, seed {seed}")
            varied = replace(change(recipe), seed=seed)
            run = folder / f"{name}-{seed}"
            seconds = train(varied, dataset, run, device=device).progress.seconds
            runs.append({"variant": name, "seconds": seconds, **_measure(varied, dataset, run)})
            text = json.dumps(record, indent=1) + "\n"
            write_atomically(folder / RECORD, text.encode())
    return record


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
