"""Finished runs: load one with its data, evaluate it, write its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ns4d.data import Dataset, load_task
from ns4d.environment import commit, environment
from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.program import Program, load
from ns4d.quantize import agreement, stream_split
from ns4d.quantize.qaft_folder import folder_of, noted_recipe
from ns4d.storage import write_atomically
from ns4d.train import Recipe, evaluate
from ns4d.train.checkpoint import load_selected, network_digest
from ns4d.train.journal import read_journal
from ns4d.train.resume import require_same_data
from ns4d.train.settings import to_plain


@dataclass(frozen=True)
class LoadedRun:
    """A run's selected network, its recipe and its data."""

    network: Network
    recipe: Recipe
    dataset: Dataset


def load_run(run: Path, data_dir: Path | None = None) -> LoadedRun:
    """Load a run and the data of its task.

    Args:
        run: Folder of a run.
        data_dir: As in `ns4d.data.load_task`.

    Raises:
        ArtefactError: If the run has no readable checkpoint.
        DataError: If the data are missing or altered.
        ConfigError: If they are not those that the run was trained on.
    """
    commit()  # that of the record, which may be written long after
    checkpoint = load_selected(run)
    recipe = checkpoint.recipe
    dataset = load_task(recipe.task, data_dir, recipe.permutation)
    require_same_data(str(run), checkpoint, dataset.digest)
    return LoadedRun(checkpoint.build_network(), recipe, dataset)


def provenance(network: Network, recipe: Recipe) -> dict[str, str | int]:
    """What a program says about where it comes from; the same network gives the same program."""
    return {"seed": recipe.seed, "network": network_digest(network)}


def load_program(path: Path, run: LoadedRun) -> Program:
    """Load the integer program of a run.

    Raises:
        ArtefactError: If the file cannot be read.
        ConfigError: If the program was made from another network.
    """
    program, wanted = load(path), network_digest(run.network)
    said = program.metadata.provenance
    origin = said.get("network", "unknown")
    if origin != wanted:
        tuned = ", fine-tuned to this run's" if said.get("tuned_network") == wanted else ""
        raise ConfigError(
            str(path),
            expected=f"a program made from this run (network {wanted[:12]})",
            got=f"one for {program.metadata.task} from network {str(origin)[:12]}{tuned}",
            fix="Name the run that it was made from, or quantize this one again.",
        )
    return program


def evaluate_run(
    run: LoadedRun, program: Path | None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Figures on the test part, in floating point and, given a program, in integers.

    Args:
        run: The run.
        program: An integer program for the same task.
        progress: Called with the sequences streamed and their total.

    Returns:
        Plain values for a table or for JSON.
    """
    split = run.dataset.test
    integers = None if program is None else load_program(program, run)
    floats = evaluate(run.network, split, run.dataset.normalization)
    facts: dict[str, Any] = {
        "task": run.recipe.task,
        "test_sequences": len(split),
        "float_correct": floats.correct,
        "float_accuracy": floats.accuracy,
    }
    if integers is None:
        return facts
    scores = stream_split(integers, split, progress=progress)
    counts = agreement(floats.logits, scores, split)
    return facts | {
        "integer_correct": counts.integer_correct,
        "integer_accuracy": counts.integer_accuracy,
        "agreement": counts.agreement,
        "tokens": counts.tokens,
        "arithmetic": integers.arithmetic.name,
        "digest": integers.digest,
        "fine_tuned": "qaft" in integers.metadata.provenance,
    }


def write_record(
    path: Path, folder: Path, run: LoadedRun, facts: dict[str, Any], program: Path | None
) -> None:
    """Write figures, recipe, training journal and environment into one JSON file.

    Those of the fine-tuning as well, if the figures are those of a fine-tuned program.

    Args:
        path: The record.
        folder: Folder of the run.
        run: What is in it.
        facts: From `evaluate_run`.
        program: The program that they are of.

    Raises:
        ArtefactError: If the folder of the fine-tuning is not there.
    """
    record = {
        "origin": "measured",
        "figures": facts,
        "recipe": to_plain(run.recipe),
        "parameters": run.network.parameter_count,
        "environment": environment(),
        "journal": read_journal(folder),
    }
    if program is not None and facts["fine_tuned"]:
        record["fine_tuning"] = _fine_tuning(program, folder)
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())


def _fine_tuning(path: Path, run: Path) -> dict[str, Any]:
    """Recipe and journal of a fine-tuned program."""
    program = load(path)
    recipe = noted_recipe(str(program.metadata.provenance["qaft"]), str(path))
    return {"recipe": recipe, "journal": read_journal(folder_of(program, path, run))}
