"""Every engine against the reference: `make conformance` runs until 10^8 integers are compared.

Exported models run by another engine are compared on some hundred cases, emulated cores on some
dozen small ones.

PYTHONPATH=src:tests python -m conformance.run [VALUES]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

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


def main(values: int) -> int:
    """Print one line per engine; 1 if any differs."""
    ours = [make() for name, make in ENGINES.items() if name != "reference"]
    differ = [report(engine, lambda done: done.values >= values) for engine in ours]
    for engine in exported():
        differ.append(
            report(engine, lambda done: done.values >= values or done.cases >= EXPORTED_CASES)
        )
    for engine in emulated():
        small = (case(number, streams=4, tokens=12) for number in count())
        few = lambda done: done.values >= values or done.cases >= EMULATED_CASES  # noqa: E731
        differ.append(report(engine, few, small))
    return int(any(differ))


def report(
    engine: Engine, enough: Callable[[Tally], bool], cases: Iterator[Case] | None = None
) -> bool:
    """Compare, print what came of it; whether anything differs."""
    began = time.monotonic()
    tally = conform(engine, enough, cases)
    print(
        f"{engine.name}: {tally.cases} cases, {tally.values:,} values compared with the reference, "
        f"{len(tally.differences)} different, {time.monotonic() - began:.0f} s"
    )
    if tally.paths:
        print(f"  cases per path: {dict(sorted(tally.paths.items()))}")
    for difference in tally.differences:
        print(f"  {difference}")
    return bool(tally.differences)


if __name__ == "__main__":
    raise SystemExit(main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**8))
