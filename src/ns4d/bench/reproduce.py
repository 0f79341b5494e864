"""All of `ns4d reproduce`: choose the models, train them again if asked, measure, write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ns4d.bench.documents import to_markdown
from ns4d.bench.fine_tune import fine_tune_run
from ns4d.bench.report import write_report
from ns4d.bench.reproduction import reproduce
from ns4d.bench.reproduction_report import report, tables
from ns4d.bench.runs import LoadedRun, evaluate_run, load_run, provenance, write_record
from ns4d.bench.shelve import shelve
from ns4d.bench.tables import Table
from ns4d.data import load_task
from ns4d.errors import ConfigError
from ns4d.program import Program, load, save
from ns4d.quantize import post_training_quantize
from ns4d.quantize.qaft_recipe import QaftRecipe
from ns4d.storage import write_atomically
from ns4d.train import train
from ns4d.train.checkpoint import Checkpoint, load_selected, network_digest
from ns4d.train.origins import ORIGINS, START, TEACHER, load_origin
from ns4d.train.recipe import Recipe
from ns4d.train.settings import from_plain
from ns4d.zoo import Entry, find, names
from ns4d.zoo.shelf import QAFT


@dataclass(frozen=True, eq=False)
class Done:
    """What was written.

    Args:
        records: One per model, as JSON values.
        tables: Made from them.
        report: The HTML page.
        markdown: The same tables as text.
    """

    records: list[dict[str, Any]]
    tables: tuple[Table, ...]
    report: Path
    markdown: Path


def chosen(task: str | None) -> list[Entry]:
    """The shipped models of a task, or all.

    Raises:
        ConfigError: There is none.
    """
    entries = [find(name) for name in names()]
    found = [entry for entry in entries if task is None or entry.card.task == task]
    if not found:
        tasks = sorted({entry.card.task for entry in entries})
        raise ConfigError(
            "--task",
            expected=f"one of {', '.join(tasks)}",
            got=repr(task),
            fix="Leave it out to take all models.",
        )
    return found


def reproduce_all(
    entries: Sequence[Entry],
    out: Path,
    data_dir: Path | None,
    quick: bool,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> Done:
    """Measure models again; write a record per model, the tables, the report.

    Args:
        entries: The models.
        out: Folder of what is written.
        data_dir: As in `ns4d.data.load_task`.
        quick: Some test sequences only; the tables say so.
        progress: Called with the sequences streamed and their total.
        say: Called with a line per model.
    """
    folders = dict.fromkeys(entry.folder for entry in entries)
    runs = {folder: load_run(folder, data_dir) for folder in folders}  # missing data show at once
    records = []
    for entry in entries:
        say(f"{entry.name}: accuracy, engines, chip, this machine")
        records.append(reproduce(entry, runs[entry.folder], quick, progress).plain())
        text = json.dumps(records[-1], indent=1) + "\n"
        write_atomically(out / f"{entry.name}.json", text.encode())
    made = tables(records)
    page, markdown = out / "report.html", out / "results.md"
    write_report(report(records, {entry.network: entry.folder for entry in entries}), page)
    text = "\n".join(f"## {table.title}\n\n{to_markdown(table)}" for table in made)
    write_atomically(markdown, text.encode())
    return Done(records, made, page, markdown)


def retrain(entry: Entry, shelf: Path, data_dir: Path | None, device: torch.device) -> Entry:
    """Make a model again from nothing but its card: train, quantize, evaluate, shelve.

    A teacher that ns4d did not train stays as it is.

    Args:
        entry: The shipped model; a fine-tuned one after that of its network.
        shelf: Where the new one goes, its run below `runs`; a training found there goes on.
        data_dir: As in `ns4d.data.load_task`.
        device: Where to train.
    """
    folder = shelf / "runs" / entry.network
    recipe = from_plain(Recipe, entry.card.recipe)
    _train_stages(recipe, entry.folder, folder, data_dir, device)
    run = load_run(folder, data_dir)
    program = _quantized(entry, folder, run, device)
    path, record = folder / f"{entry.name}.ns4d", folder / f"{entry.name}.json"
    save(program, path)
    write_record(record, folder, run, evaluate_run(run, path), path)
    return shelve(entry.network, folder, path, record, shelf, data_dir)


def _train_stages(
    recipe: Recipe, kept: Path, folder: Path, data_dir: Path | None, device: torch.device
) -> None:
    """Train by a recipe, and before that each of its origins that has one, by that."""
    trained = {}
    for name in ORIGINS:
        if getattr(recipe, name) is None:
            continue
        first, before = kept / name, folder.with_name(f"{folder.name}-{name}")
        network = load_origin(first)
        if isinstance(network, Checkpoint):
            _train_stages(network.recipe, first, before, data_dir, device)
            network = load_selected(before)
            recipe = replace(recipe, **{name: network.digest})
        trained[name] = network
    dataset = load_task(recipe.task, data_dir, recipe.permutation)
    start, teacher = trained.get(START), trained.get(TEACHER)
    train(recipe, dataset, folder, device=device, start=start, teacher=teacher)


def _quantized(entry: Entry, folder: Path, run: LoadedRun, device: torch.device) -> Program:
    arithmetic = load(entry.program).arithmetic
    if not entry.card.fine_tuned:
        origin = provenance(run.network, run.recipe)
        return post_training_quantize(run.network, run.dataset, arithmetic, provenance=origin)
    tuning = entry.card.fine_tuning
    recipe = QaftRecipe(
        network_digest(run.network),
        arithmetic,
        from_plain(Recipe, tuning["training"]),
        sequences=tuning["sequences"],
        distillation=tuning["distillation"],
    )
    made, wanted = recipe.plain()["options"], tuning["options"]
    if made != wanted:
        fix = "Fine-tune it with `ns4d quantize --qaft` and these options."
        raise ConfigError(f"card of {entry.name}", expected=made, got=wanted, fix=fix)
    return fine_tune_run(folder / QAFT, run, recipe, device)[0]
