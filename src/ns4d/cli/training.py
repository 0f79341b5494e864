"""Commands that train, or judge what was trained.

Heavy packages are imported inside the commands, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import AsJson, DataDir, Threads, counter, device_of, print_facts
from ns4d.zoo import program_file, run_folder

if TYPE_CHECKING:
    from ns4d.data import Dataset
    from ns4d.train import Recipe, TrainingResult
    from ns4d.train.origins import Origins


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the run, program and report.")] = Path(
        "runs/demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Train on bundled digits, quantize, stream every test digit, write a report."""
    from ns4d.bench.tables import print_table
    from ns4d.demo import run_demo

    # So small a network gains nothing from a second thread, and loses much on a busy machine.
    device_of("cpu", threads=1)
    result = run_demo(out, lambda line: print(line, file=sys.stderr))
    if as_json:
        print(json.dumps(result.plain()))
        return
    print_table(result.table, Console())
    print(f"program  {result.program}\nreport   {result.report}")


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="A task, or the path of your own .npz.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, as in schedule.epochs=3")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run (default: runs/TASK).")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin with the network of this run, and its architecture.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Learn the answers of a run's network, or of a .pt2, too.")
    ] = None,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto")] = "auto",
    threads: Threads = 0,
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a network; the same command again goes on where it stopped."""
    from ns4d.train import train as run_training
    from ns4d.train.distributed import prints

    chosen, origins = device_of(device, threads), _origins(start, teacher)
    recipe, dataset = _recipe_and_data(task, overrides, data_dir, origins)
    folder = out or Path("runs") / Path(task).stem
    result = run_training(
        recipe,
        dataset,
        folder,
        device=chosen,
        start=origins.start,
        teacher=origins.teacher,
        tensorboard=tensorboard,
    )
    if prints():
        print_facts(_summary(result), as_json)


def _origins(start: Path | None, teacher: Path | None) -> Origins:
    """The networks that were named."""
    from ns4d.train.checkpoint import load_selected
    from ns4d.train.origins import Origins, load_origin

    return Origins(
        None if start is None else load_selected(run_folder(start)),
        None if teacher is None else load_origin(run_folder(teacher)),
    )


def _summary(result: TrainingResult) -> dict[str, str | int | float]:
    done = result.progress
    return {
        "run": str(result.folder),
        "steps": done.step,
        "validation_accuracy": done.best_accuracy,
        "seconds": done.seconds,
    }


def _recipe_and_data(
    task: str,
    overrides: Sequence[str] | None,
    data_dir: Path | None,
    origins: Origins | None = None,
) -> tuple[Recipe, Dataset]:
    """The recipe of a task as changed by the user, and the data in its order."""
    from ns4d.data import load_task
    from ns4d.train import RECIPES, override
    from ns4d.train.recipes import recipe_for

    def settled(recipe: Recipe) -> Recipe:
        if origins is not None and origins.start is not None:
            recipe = replace(recipe, model=origins.start.recipe.model, start=origins.start.digest)
        if origins is not None and origins.teacher is not None:
            recipe = replace(recipe, teacher=origins.teacher.digest)
        return override(recipe, overrides or [])

    if task in RECIPES:  # a mistyped setting is told before data are fetched
        settled(RECIPES[task])
    dataset = load_task(task, data_dir)
    recipe = settled(recipe_for(task, dataset))
    if recipe.permutation is not None and recipe.permutation.value != dataset.permutation:
        dataset = load_task(task, data_dir, recipe.permutation)
    return recipe, dataset


@app.command()
def evaluate(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run, or a name that `ns4d models` lists.")
    ],
    program: Annotated[
        Path | None,
        typer.Option(help="Also stream this integer program, a file or a name, and compare."),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write figures and record here.")] = None,
    data_dir: DataDir = None,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Accuracy on the whole official test part: float, and integer token by token."""
    from ns4d.bench.runs import evaluate_run, load_run, write_record

    device_of("cpu", threads)
    folder, file = run_folder(run), None if program is None else program_file(program)
    loaded = load_run(folder, data_dir)
    facts = evaluate_run(loaded, file, progress=counter("streamed"))
    print_facts(facts, as_json)  # first: a record that cannot be written loses no figure
    if record is not None:
        write_record(record, folder, loaded, facts, file)


@app.command()
def variants(
    task: Annotated[str, typer.Argument(help="A task, or the path of your own .npz.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE for all, as in schedule.epochs=3")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A variant; may be repeated (default: all).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each variant.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder (default: runs/variants-TASK).")] = None,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto")] = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Train variants of a network; what each gains, what it costs on the model of Loihi 2."""
    from ns4d.bench.tables import print_table
    from ns4d.bench.variants import RECORD, chosen_variants, study_variants
    from ns4d.bench.variants_table import variants_table

    named, chosen = chosen_variants(only or [], task), device_of(device, threads)
    recipe, dataset = _recipe_and_data(task, overrides, data_dir)
    folder = out or Path("runs") / f"variants-{Path(task).stem}"

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    record = study_variants(recipe, dataset, folder, named, seeds, chosen, say)
    if as_json:
        print(json.dumps(record))
        return
    print_table(variants_table(record), Console())
    print(f"record  {folder / RECORD}")
