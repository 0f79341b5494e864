"""What commands share: options, read into values."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ns4d.choice import choose
from ns4d.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from ns4d.quantize import Options

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
    typer.Option(
        "--certified/--calibrated", help="Prove states (as wide does), or calibrate (as loihi2)."
    ),
]
ObserverName = Annotated[str, typer.Option(help="What scales must cover: max, percentile, mse.")]
QuantizedFile = Annotated[
    Path | None,
    typer.Option(
        help="Program file (default: in RUN, named after the profile); "
        "--qaft works in the folder of that name."
    ),
]
ReportPage = Annotated[Path | None, typer.Option(help="Compare nodes in an HTML page here.")]
ProgramFile = Annotated[
    Path, typer.Argument(help="A .ns4d file, or a name that `ns4d models` lists.")
]
System = Annotated[
    str, typer.Option(help="oheo-gulch, kapoho-point, kp-stack, alia-point or hala-point.")
]
Cores = Annotated[
    int | None, typer.Option(min=1, help="At most so many: more are faster, fewer save power.")
]
Bits = Annotated[int | None, typer.Option(help="Width in place of the profile's.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads for PyTorch; 0 is all cores.")]


def device_of(name: str, threads: int) -> torch.device:
    """The device that a user names, with so many CPU threads for PyTorch."""
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


def profile_of(name: str) -> Any:
    """A built-in arithmetic profile, or one of the user's own from a file."""
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


def quantize_options(keep_b: bool, certified: bool | None, observer: str) -> Options:
    """How to quantize."""
    from ns4d.quantize import OBSERVERS, Options

    fix = "Choose one of these, or build an Observer in Python."
    chosen = choose("--observer", OBSERVERS, observer, fix)
    return Options(fold_b=not keep_b, certified=certified, observer=chosen)


def counter(verb: str) -> Any:
    """A progress callback that writes a line for every tenth of the work, of each work anew."""
    spoken = 0

    def count(done: int, total: int) -> None:
        nonlocal spoken
        tenth = 10 * done // total
        spoken = spoken if tenth >= spoken else 0
        if tenth > spoken:
            spoken = tenth
            print(f"{verb} {done}/{total}", file=sys.stderr, flush=True)

    return count


def print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Names with their values, a line each, or one JSON object."""
    if as_json:
        print(json.dumps(facts))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name.replace('_', ' '):<{width}}  {shown}")
