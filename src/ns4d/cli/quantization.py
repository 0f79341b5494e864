"""Commands that turn a network into integers.

Heavy packages are imported inside the commands, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ns4d.cli.app import app
from ns4d.cli.options import (
    AsJson,
    Bits,
    Certified,
    DataDir,
    KeepB,
    ObserverName,
    Profile,
    QuantizedFile,
    ReportPage,
    Threads,
    device_of,
    print_facts,
    profile_of,
    quantize_options,
)
from ns4d.errors import ConfigError
from ns4d.zoo.shelf import comes_with_package, run_folder

if TYPE_CHECKING:
    import torch

    from ns4d.bench.runs import LoadedRun
    from ns4d.numerics import Arithmetic
    from ns4d.program import Program
    from ns4d.quantize import Options

Run = Annotated[
    Path,
    typer.Argument(
        help="Folder of a run, whose best network so far is taken, or a name as in `ns4d models`."
    ),
]


@app.command()
def quantize(
    run: Run,
    ptq: Annotated[bool, typer.Option("--ptq", help="Post-training quantization.")] = False,
    qaft: Annotated[
        int | None, typer.Option(min=1, metavar="EPOCHS", help="Fine-tune with the integers.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Peak rate of --qaft [0.002].")] = None,
    profile: Profile = "loihi2",
    weight_bits: Bits = None,
    coefficient_bits: Bits = None,
    message_bits: Bits = None,
    state_bits: Bits = None,
    keep_b: KeepB = False,
    certified: Certified = None,
    observer: ObserverName = "max",
    sequences: Annotated[int, typer.Option(min=1, help="Calibration sequences.")] = 64,
    report: ReportPage = None,
    out: QuantizedFile = None,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="Where --qaft computes: cpu, cuda, or auto")] = "cpu",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Turn a trained network into an integer program."""
    from ns4d.bench.runs import load_run
    from ns4d.program import save

    _require_method(ptq, qaft, report, out, rate)
    arithmetic = _with_widths(profile, weight_bits, coefficient_bits, message_bits, state_bits)
    options = quantize_options(keep_b, certified, observer)
    folder, name = run_folder(run), f"{'qaft-' if qaft else ''}{arithmetic.name}.ns4d"
    path = _output("--out", out, folder, name)
    where, loaded = device_of(device, threads), load_run(folder, data_dir)
    if qaft is None:
        program, facts = _ptq(loaded, arithmetic, options, sequences, report, as_json)
    else:
        settings = {"options": options, "sequences": sequences, "rate": rate}
        program, facts = _qaft(path, loaded, where, arithmetic, qaft, settings)
    save(program, path)
    file = {"program": str(path), "bytes": path.stat().st_size, "digest": program.digest}
    print_facts(file | facts, as_json)


@app.command()
def sweep(
    run: Run,
    profile: Profile = "loihi2",
    grid: Annotated[
        bool, typer.Option("--grid", help="Combine widths, not one at a time.")
    ] = False,
    sequences: Annotated[int, typer.Option(min=1, help="Validation sequences each.")] = 1000,
    keep_b: KeepB = False,
    certified: Certified = None,
    observer: ObserverName = "max",
    journal: Annotated[Path | None, typer.Option(help="Finished ones [RUN/sweep.jsonl].")] = None,
    record: Annotated[Path | None, typer.Option(help="Write all of them here as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML page [RUN/sweep.html].")] = None,
    data_dir: DataDir = None,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Accuracy against width: quantize at many widths, stream validation sequences."""
    from ns4d.bench.runs import load_run
    from ns4d.bench.sweep import Sweep, run_sweep, write_sweep
    from ns4d.bench.sweep_report import sweep_table, write_sweep_report
    from ns4d.bench.tables import print_table

    device_of("cpu", threads)
    plan = Sweep(
        profile_of(profile), grid, sequences, quantize_options(keep_b, certified, observer)
    )
    folder = run_folder(run)
    lines = _output("--journal", journal, folder, "sweep.jsonl")
    page = _output("--report", report, folder, "sweep.html")
    loaded = load_run(folder, data_dir)
    found = run_sweep(plan, loaded, lines, lambda line: print(line, file=sys.stderr))
    write_sweep_report(found, page)
    if record is not None:
        write_sweep(found, record)
    if as_json:
        print(json.dumps(found))
        return
    print_table(sweep_table(found), Console())
    print(f"report  {page}")


def _output(option: str, given: Path | None, run: Path, name: str) -> Path:
    """Where to write: as the user says, else in the run; never into the package by default."""
    if given is None and comes_with_package(run):
        raise ConfigError(
            option,
            expected=f"a place for {name}, since this run comes with ns4d",
            got="none",
            fix=f"Add {option} FILE.",
        )
    return given or run / name


def _with_widths(profile: str, *bits: int | None) -> Any:
    from ns4d.quantize.widths import with_widths

    return with_widths(profile_of(profile), *bits)


def _require_method(
    ptq: bool, qaft: int | None, report: Path | None, out: Path | None, rate: float | None
) -> None:
    if ptq == (qaft is not None):
        got = "two" if ptq else "none"
        fix = "Add --ptq or --qaft EPOCHS."
        raise ConfigError("quantize", expected="a method", got=got, fix=fix)
    if report is not None and not ptq:
        fix = "Leave it out, or add --ptq."
        raise ConfigError("--report", expected="--ptq", got="--qaft", fix=fix)
    if rate is not None and ptq:
        fix = "Leave it out: nothing is learnt."
        raise ConfigError("--rate", expected="--qaft", got="--ptq", fix=fix)
    if not ptq and out is not None and (out.suffix != ".ns4d" or not out.stem.strip(".")):
        fix = "NAME is the folder of the fine-tuning."
        raise ConfigError("--out", expected="NAME.ns4d", got=str(out), fix=fix)


def _ptq(
    loaded: LoadedRun,
    arithmetic: Arithmetic,
    options: Options,
    sequences: int,
    report: Path | None,
    as_json: bool,
) -> tuple[Program, dict[str, Any]]:
    from ns4d.bench.quantization import inspect, write_quantization_report
    from ns4d.bench.runs import provenance
    from ns4d.bench.tables import print_table
    from ns4d.quantize.ptq import quantize_keeping

    facts = provenance(loaded.network, loaded.recipe)
    made = quantize_keeping(loaded.network, loaded.dataset, arithmetic, options, sequences, facts)
    if report is None:
        return made.program, {}
    found = inspect(made, loaded.dataset)
    write_quantization_report(made, found, report)
    if as_json:
        return made.program, {"report": str(report), "inspection": found.plain()}
    print_table(found.table, Console())
    return made.program, {"report": str(report), "verdict": found.verdict}


def _qaft(
    path: Path,
    loaded: LoadedRun,
    where: torch.device,
    arithmetic: Arithmetic,
    epochs: int,
    settings: dict[str, Any],
) -> tuple[Program, dict[str, Any]]:
    from ns4d.bench.fine_tune import fine_tune_run
    from ns4d.quantize.qaft_recipe import qaft_recipe
    from ns4d.storage import require_folder

    folder = path.with_suffix("")
    require_folder("--out", folder)
    given = {name: value for name, value in settings.items() if value is not None}
    recipe = qaft_recipe(loaded.network, loaded.recipe, arithmetic, epochs, **given)
    return fine_tune_run(folder, loaded, recipe, where)
