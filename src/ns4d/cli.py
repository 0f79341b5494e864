"""The command line: parse, call, print.

Heavy packages are imported inside the commands, so that `ns4d --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ns4d.errors import ConfigError, Ns4dError

if TYPE_CHECKING:
    import torch

    from ns4d.bench.runs import LoadedRun
    from ns4d.numerics import Arithmetic
    from ns4d.program import Program
    from ns4d.quantize import Options

app = typer.Typer(
    help="Train a diagonal state-space model, make it an integer program, stream it exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Data sets; else NS4D_DATA, else download.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Profile = Annotated[
    str, typer.Option(help="Arithmetic profile: loihi2, wide, or a .json file of your own.")
]
KeepB = Annotated[bool, typer.Option("--keep-b", help="Do not fold B into C.")]
Certified = Annotated[
    bool | None,
    typer.Option("--certified/--calibrated", help="Prove states [wide], or calibrate [loihi2]."),
]
ObserverName = Annotated[str, typer.Option(help="What scales must cover: max, percentile, mse.")]
ReportPage = Annotated[Path | None, typer.Option(help="Compare nodes in an HTML page here.")]
Bits = Annotated[int | None, typer.Option(help="Width in place of the profile's.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads for PyTorch; 0 is all cores.")]


def main() -> None:
    """Run a command; an error that ns4d raises on purpose becomes one line and exit code 1."""
    try:
        app()
    except Ns4dError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


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
    _device("cpu", threads=1)
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
    out: Annotated[Path | None, typer.Option(help="Folder of the run [runs/TASK].")] = None,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto")] = "auto",
    threads: Threads = 0,
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a network; the same command again goes on where it stopped."""
    from ns4d.data import load_task
    from ns4d.train import override
    from ns4d.train import train as run_training
    from ns4d.train.recipes import recipe_for

    chosen = _device(device, threads)
    dataset = load_task(task, data_dir)
    recipe = override(recipe_for(task, dataset), overrides or [])
    if recipe.permutation is not None and recipe.permutation.value != dataset.permutation:
        dataset = load_task(task, data_dir, recipe.permutation)
    folder = out or Path("runs") / Path(task).stem
    result = run_training(recipe, dataset, folder, device=chosen, tensorboard=tensorboard)
    summary = {
        "run": str(folder),
        "steps": result.progress.step,
        "validation_accuracy": result.progress.best_accuracy,
        "seconds": result.progress.seconds,
    }
    _print_facts(summary, as_json)


@app.command()
def quantize(
    run: Annotated[Path, typer.Argument(help="Folder of a run; its best network so far is taken.")],
    ptq: Annotated[bool, typer.Option("--ptq", help="Post-training quantization.")] = False,
    qaft: Annotated[
        int | None, typer.Option(min=1, metavar="EPOCHS", help="Fine-tune with the integers.")
    ] = None,
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
    out: Annotated[Path | None, typer.Option(help="Program file [RUN/PROFILE.ns4d].")] = None,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="Where --qaft computes: cpu, cuda, or auto")] = "cpu",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Turn a trained network into an integer program."""
    from ns4d.bench.runs import load_run
    from ns4d.program import save

    _require_method(ptq, qaft, report)
    arithmetic = _with_widths(profile, weight_bits, coefficient_bits, message_bits, state_bits)
    options = _quantize_options(keep_b, certified, observer)
    where, loaded = _device(device, threads), load_run(run, data_dir)
    if qaft is None:
        program, facts = _ptq(loaded, arithmetic, options, sequences, report, as_json)
        name = arithmetic.name
    else:
        program, facts = _qaft(run, loaded, arithmetic, options, qaft, sequences, where)
        name = f"qaft-{arithmetic.name}"
    path = out or run / f"{name}.ns4d"
    save(program, path)
    file = {"program": str(path), "bytes": path.stat().st_size, "digest": program.digest}
    _print_facts(file | facts, as_json)


@app.command()
def sweep(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
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

    _device("cpu", threads)
    plan = Sweep(_profile(profile), grid, sequences, _quantize_options(keep_b, certified, observer))
    lines, page = journal or run / "sweep.jsonl", report or run / "sweep.html"
    found = run_sweep(
        plan, load_run(run, data_dir), lines, lambda line: print(line, file=sys.stderr)
    )
    write_sweep_report(found, page)
    if record is not None:
        write_sweep(found, record)
    if as_json:
        print(json.dumps(found))
        return
    print_table(sweep_table(found), Console())
    print(f"report  {page}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    program: Annotated[
        Path | None, typer.Option(help="Also stream this integer program and compare.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write figures and record here.")] = None,
    data_dir: DataDir = None,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Accuracy on the whole official test part: float, and integer token by token."""
    from ns4d.bench.runs import evaluate_run, load_run, write_record

    _device("cpu", threads)
    loaded = load_run(run, data_dir)
    facts = evaluate_run(loaded, program, progress=_counter("streamed"))
    if record is not None:
        write_record(record, run, loaded, facts)
    _print_facts(facts, as_json)


@app.command()
def show(program: Annotated[Path, typer.Argument(help="A .ns4d file.")]) -> None:
    """Print an integer program in readable form."""
    from ns4d.program import load, to_text

    print(to_text(load(program)))


@app.command()
def verify(
    program: Annotated[Path, typer.Argument(help="A .ns4d file.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print what is proved about a program, then compare every engine bit by bit."""
    from ns4d.bench.tables import print_table
    from ns4d.bench.verify import verify as run_verification
    from ns4d.program import load

    found = run_verification(load(program), data_dir)
    if as_json:
        print(json.dumps(found.plain()))
    else:
        print_table(found.table, Console())
        print("\n".join(found.lines()))
    for line in found.differences():
        print(f"error: {line}", file=sys.stderr)
    if not found.equal:
        raise typer.Exit(1)


@app.command()
def bench(
    only: Annotated[str | None, typer.Option(help="training or streaming [both].")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSON records.")] = Path(
        "benchmarks/results"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Timed training steps per process.")] = 8,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure training steps against the textbook's, streaming against float baselines."""
    from ns4d.bench.parts import run_parts
    from ns4d.bench.tables import print_table

    done = run_parts(only, results, steps, lambda line: print(line, file=sys.stderr), data_dir)
    if as_json:
        print(json.dumps({path.stem: record for path, (record, _) in done.items()}))
        return
    for path, (_, tables) in done.items():
        for table in tables:
            print_table(table, Console())
        print(f"record  {path}")


def _device(name: str, threads: int) -> torch.device:
    import torch

    if threads:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda") or (name == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(
            "--device",
            expected="cpu, auto, or cuda where PyTorch sees a GPU",
            got=repr(name),
            fix="Use --device auto.",
        )
    return torch.device(name)


def _profile(name: str) -> Any:
    from ns4d.numerics import PROFILES, read_profile

    if name in PROFILES:
        return PROFILES[name]
    if name.endswith(".json"):
        return read_profile(name)
    raise ConfigError(
        "--profile",
        expected=f"one of {', '.join(PROFILES)}, or the path of a .json file",
        got=repr(name),
        fix="docs/numerics.md lists the fields of a profile.",
    )


def _with_widths(profile: str, *bits: int | None) -> Any:
    from ns4d.quantize.widths import with_widths

    return with_widths(_profile(profile), *bits)


def _require_method(ptq: bool, qaft: int | None, report: Path | None) -> None:
    if ptq == (qaft is not None):
        got = "two" if ptq else "none"
        fix = "Add --ptq or --qaft EPOCHS."
        raise ConfigError("quantize", expected="a method", got=got, fix=fix)
    if report is not None and not ptq:
        fix = "Leave it out, or add --ptq."
        raise ConfigError("--report", expected="--ptq", got="--qaft", fix=fix)


def _quantize_options(keep_b: bool, certified: bool | None, observer: str) -> Options:
    from ns4d.quantize import OBSERVERS, Options

    if observer not in OBSERVERS:
        names = ", ".join(OBSERVERS)
        fix = "Choose one of these, or build an Observer in Python."
        raise ConfigError("--observer", expected=f"one of {names}", got=repr(observer), fix=fix)
    return Options(fold_b=not keep_b, certified=certified, observer=OBSERVERS[observer])


def _ptq(
    loaded: LoadedRun,
    arithmetic: Arithmetic,
    options: Options,
    sequences: int,
    report: Path | None,
    as_json: bool,
) -> tuple[Program, dict[str, Any]]:
    from ns4d.bench.quantization import inspect, quantize_run, write_quantization_report
    from ns4d.bench.runs import provenance
    from ns4d.bench.tables import print_table

    facts = provenance(loaded.network, loaded.recipe)
    made = quantize_run(loaded.network, loaded.dataset, arithmetic, options, sequences, facts)
    if report is None:
        return made.program, {}
    found = inspect(made, loaded.dataset)
    write_quantization_report(made, found, report)
    if as_json:
        return made.program, {"report": str(report), "inspection": found.plain()}
    print_table(found.table, Console())
    return made.program, {"report": str(report), "verdict": found.verdict}


def _qaft(
    run: Path,
    loaded: LoadedRun,
    arithmetic: Arithmetic,
    options: Options,
    epochs: int,
    sequences: int,
    where: torch.device,
) -> tuple[Program, dict[str, Any]]:
    from ns4d.bench.fine_tune import fine_tune_run

    return fine_tune_run(run, loaded, arithmetic, epochs, sequences, where, options)


def _counter(verb: str) -> Any:
    """A progress callback that writes a line for every tenth of the work."""
    spoken = 0

    def count(done: int, total: int) -> None:
        nonlocal spoken
        tenth = 10 * done // total
        if tenth > spoken:
            spoken = tenth
            print(f"{verb} {done}/{total}", file=sys.stderr, flush=True)

    return count


def _print_facts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name.replace('_', ' '):<{width}}  {shown}")
