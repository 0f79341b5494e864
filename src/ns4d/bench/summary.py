"""What `make bench` measures: ratios side by side, recorded as JSON."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ns4d.bench.convolution import ConvolutionCost, compare_convolutions, convolution_table
from ns4d.bench.tables import Table
from ns4d.bench.training_step import SIZES, StepCost, compare_training_steps
from ns4d.environment import environment

BASELINE = "textbook"
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class BenchResult:
    """Everything measured in one run.

    Args:
        steps: Cost of a training step, per size, device and variant.
        convolutions: Cost of a layer's convolution, per shape and subject, on the CPU.
        import_seconds: Median time of `import ns4d` in a new process, s.
    """

    steps: tuple[StepCost, ...]
    convolutions: tuple[ConvolutionCost, ...]
    import_seconds: float

    @property
    def tables(self) -> tuple[Table, ...]:
        """Training steps and convolutions with ratios to the textbook's; the import time."""
        rows = tuple(self._row(cost) for cost in self.steps)
        columns = ("network", "device", "variant", "ms/step", "faster", "MiB", "memory")
        shown = f"{1000 * self.import_seconds:.0f}"
        return (
            Table("One training step", columns, rows),
            convolution_table(self.convolutions),
            Table("Start-up", ("what", "ms"), (("import ns4d", shown),)),
        )

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "origin": "measured",
            "environment": environment(),
            "training_step": [asdict(cost) | self._ratios(cost) for cost in self.steps],
            "convolution": [asdict(cost) for cost in self.convolutions],
            "import_seconds": self.import_seconds,
        }

    def _ratios(self, cost: StepCost) -> dict[str, float]:
        base = next(
            other
            for other in self.steps
            if (other.size, other.device, other.variant) == (cost.size, cost.device, BASELINE)
        )
        return {
            "times_faster": base.seconds / cost.seconds,
            "memory_fraction": cost.memory / base.memory,
        }

    def _row(self, cost: StepCost) -> tuple[str, ...]:
        size, ratios = SIZES[cost.size], self._ratios(cost)
        return (
            f"{cost.size} {size.batch}x{size.length}",
            cost.device,
            cost.variant,
            f"{1000 * cost.seconds:.0f}",
            f"{ratios['times_faster']:.2f}x",
            f"{cost.memory / MEBIBYTE:.0f}",
            f"{ratios['memory_fraction']:.2f}x",
        )


def measure_bench(steps: int, say: Callable[[str], None]) -> BenchResult:
    """Measure everything, telling what has been measured.

    Args:
        steps: Timed training steps per process.
        say: Called with one line per measurement.
    """
    costs = []
    for cost in compare_training_steps(steps):
        say(f"{cost.size} {cost.device} {cost.variant}: {1000 * cost.seconds:.0f} ms per step")
        costs.append(cost)
    convolutions = tuple(compare_convolutions())
    return BenchResult(tuple(costs), convolutions, _import_seconds())


def _import_seconds(runs: int = 7) -> float:
    """Time of a process that imports ns4d, less that of one that imports nothing."""

    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    return statistics.median(seconds("import ns4d") - seconds("") for _ in range(runs))
