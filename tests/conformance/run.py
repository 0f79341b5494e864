"""Every engine against the reference: `make conformance` runs until 10^8 integers are compared.

Exported models run by another engine are compared on some hundred cases, emulated cores on some
dozen small ones.

PYTHONPATH=src:tests python -m conformance.run [VALUES] [ENGINE ...]

An engine is named by the beginning of its name: `native`, `loihi2`, `C99`.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count, repeat
from multiprocessing import get_context

from conformance.family import Case, case
from ns4d.bench.verify import ENGINES
from ns4d.engines import Engine
from ns4d.engines.compare import compare

EXPORTED_CASES, EMULATED_CASES = 300, 60


@dataclass
class Tally:
    """What one engine was put through.

    Args:
        engine: Its name.
        cases: Programs with their input.
        values: Integers compared.
        paths: How often each path of the native engine was taken.
        differences: The first difference of each case that has one.
    """

    engine: str
    cases: int = 0
    values: int = 0
    paths: Counter[int] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, engine: Engine, trial: Case) -> None:
        """Compare on one case."""
        found = compare(engine, trial.program, trial.sequences)
        self.cases += 1
        self.values += found.values
        plan = getattr(engine.load(trial.program, 1), "plan", None)
        if plan is not None:
            self.paths.update(set(plan.paths))
        if found.difference is not None:
            self.differences.append(f"case {trial.name}: {found.difference}")


def conform(
    engine: Engine, enough: Callable[[Tally], bool], cases: Iterator[Case] | None = None
) -> Tally:
    """Compare on case after case until there is enough or a difference."""
    tally = Tally(engine.name)
    for trial in cases or map(case, count()):
        tally.add(engine, trial)
        if tally.differences or enough(tally):
            break
    return tally


def exported() -> tuple[Engine, ...]:
    """What runs exported models, by the packages of the test extra."""
    from ns4d.export.c99 import C99
    from ns4d.export.onnx.engine import OnnxRuntime

    split = C99(options=("-O1", "-DNS4D_SPLIT"))
    return OnnxRuntime(whole=True), OnnxRuntime(whole=False), C99(), split


def emulated() -> tuple[Engine, ...]:
    """The exported C on every emulated core, by every compiler for it here."""
    from ns4d.bench.emulate.engine import Emulated
    from ns4d.bench.emulate.targets import TARGETS
    from ns4d.bench.emulate.toolchain import toolchains

    return tuple(Emulated(t, chain) for t in TARGETS.values() for chain in toolchains(t))


@dataclass(frozen=True)
class Report:
    """What is printed of an engine.

    Args:
        text: Its lines.
        differs: Whether it differs from the reference.
    """

    text: str
    differs: bool


@dataclass(frozen=True)
class Trial:
    """An engine with what it is put through.

    Args:
        engine: What is compared with the reference.
        cases: At most so many; None is no limit.
        small: Whether the cases are cut to few streams and tokens.
    """

    engine: Engine
    cases: int | None = None
    small: bool = False

    def run(self, values: int) -> Report:
        """Compare until there are so many values."""
        limit, began = self.cases, time.monotonic()
        cut = (case(number, streams=4, tokens=12) for number in count()) if self.small else None
        tally = conform(self.engine, lambda d: d.values >= values or d.cases == limit, cut)
        return Report(_describe(tally, time.monotonic() - began), bool(tally.differences))


def trials() -> Iterator[Trial]:
    """Every engine but the reference."""
    yield from (Trial(make()) for name, make in ENGINES.items() if name != "reference")
    yield from (Trial(engine, EXPORTED_CASES) for engine in exported())
    yield from (Trial(engine, EMULATED_CASES, small=True) for engine in emulated())


def main(values: int, names: Sequence[str] = (), jobs: int = os.cpu_count() or 1) -> int:
    """Print one line per engine; 1 if any differs, 2 if a name is that of none."""
    known = list(trials())
    for name in names:
        if not any(trial.engine.name.startswith(name) for trial in known):
            engines = ", ".join(trial.engine.name for trial in known)
            print(f"engine {name!r}: expected the beginning of one of {engines}", file=sys.stderr)
            return 2
    wanted = [t for t in known if not names or t.engine.name.startswith(tuple(names))]
    different = False
    # Each engine in a process of its own, where there are cores for that.
    with ProcessPoolExecutor(min(jobs, len(wanted)), get_context("spawn")) as processes:
        for found in processes.map(Trial.run, wanted, repeat(values)):
            print(found.text, flush=True)
            different |= found.differs
    return int(different)


def _describe(tally: Tally, seconds: float) -> str:
    """A line on the engine, one on its paths if it has several, one per difference."""
    lines = [
        f"{tally.engine}: {tally.cases} cases, {tally.values:,} values compared with the "
        f"reference, {len(tally.differences)} different, {seconds:.0f} s"
    ]
    if tally.paths:
        lines.append(f"  cases per path: {dict(sorted(tally.paths.items()))}")
    return "\n".join([*lines, *(f"  {difference}" for difference in tally.differences)])


if __name__ == "__main__":
    given = sys.argv[1:]
    is_count = bool(given) and given[0][0].isdigit()
    raise SystemExit(main(int(float(given[0])) if is_count else 10**8, given[is_count:]))
