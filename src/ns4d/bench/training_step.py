"""The cost of one training step: ours against the textbook's, each in its own process.

Peak memory is a property of a process, so every variant runs in a fresh one: this file is both
the parent (`compare_training_steps`) and the child (`python -m ns4d.bench.training_step`).
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ns4d.bench.textbook import textbook_forward
from ns4d.errors import TrainingError
from ns4d.model import ModelConfig, Network
from ns4d.model.config import large, small
from ns4d.threads import SPIN
from ns4d.train.allocator import keep_freed_memory
from ns4d.train.distributed import Processes, join_processes
from ns4d.train.optimizer import build_optimizer
from ns4d.train.recipe import Recipe
from ns4d.train.step import TrainingStep

Forward = Callable[[Network, Tensor], Tensor]


@dataclass(frozen=True)
class Size:
    """A network with the batch that it is trained on."""

    model: ModelConfig
    batch: int
    length: int


def _ours(network: Network, tokens: Tensor) -> Tensor:
    return network(tokens)


SIZES = {"small": Size(small(), 64, 784), "large": Size(large(), 32, 1024)}


@dataclass(frozen=True)
class Variant:
    """A way to do a step.

    Args:
        forward: Forward pass.
        as_trained: Whether as `ns4d train` does: freed memory is kept, idle threads spin less, CUDA
            replays a graph.
        processes: How many share the batch, one thread each; None is one process with all cores.
        bfloat16: Whether in mixed precision, as the recipe's setting of that name.
    """

    forward: Forward
    as_trained: bool = False
    processes: int | None = None
    bfloat16: bool = False


CORES = torch.get_num_threads()
VARIANTS = {
    "textbook": Variant(textbook_forward),
    "ns4d, default allocator": Variant(_ours),
    "ns4d": Variant(_ours, as_trained=True),
    "ns4d, a process per core": Variant(_ours, as_trained=True, processes=CORES),
    "ns4d, a process per core, bfloat16": Variant(
        _ours, as_trained=True, processes=CORES, bfloat16=True
    ),
}


@dataclass(frozen=True)
class StepCost:
    """What one training step costs.

    Args:
        size: Name of the network.
        variant: Which formulation.
        device: Where.
        seconds: Median time of a step, s.
        memory: Peak memory above that before the first step, bytes, of all processes.
    """

    size: str
    variant: str
    device: str
    seconds: float
    memory: int


def compare_training_steps(steps: int = 8, rounds: int = 2) -> Iterator[StepCost]:
    """Measure every variant at every size on every device, the best of some rounds.

    Args:
        steps: Timed steps per process.
        rounds: Processes per variant; a neighbour's load disturbs one of them, not all.

    Yields:
        One cost per size, device and variant, as it is measured.
    """
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for size in SIZES:
        for device in devices:
            for variant in variants_on(device):
                runs = [_in_new_process(size, variant, device, steps) for _ in range(rounds)]
                yield min(runs, key=lambda cost: cost.seconds)


def variants_on(device: str) -> list[str]:
    """Names of the variants: processes share the cores of a CPU."""
    return [name for name, each in VARIANTS.items() if device == "cpu" or each.processes is None]


def measure(size: str, variant: str, device: str, steps: int, processes: Processes) -> StepCost:
    """Measure in this process: time by the clock, memory by the peaks of all."""
    chosen = VARIANTS[variant]
    if chosen.as_trained:
        keep_freed_memory()
    step = _training_step(SIZES[size], chosen, torch.device(device), processes)
    before = _peak(device)
    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    (memory,) = processes.total([float(_peak(device) - before)], torch.device(device))
    return StepCost(size, variant, device, statistics.median(times), int(memory))


class _Formulation(nn.Module):
    """A network with another forward pass."""

    def __init__(self, network: Network, compute: Forward) -> None:
        super().__init__()
        self.network, self._compute = network, compute

    def forward(self, tokens: Tensor, lengths: None) -> Tensor:
        return self._compute(self.network, tokens)


def _training_step(
    size: Size, variant: Variant, device: torch.device, processes: Processes
) -> Callable[[], None]:
    torch.manual_seed(0)
    recipe = Recipe("none", size.model, bfloat16=variant.bfloat16)
    graph = variant.as_trained and device.type == "cuda"
    network = Network(size.model).to(device)
    optimizer = build_optimizer(network, recipe.optimizer, graph)
    parallel = processes.wrap(_Formulation(network, variant.forward))
    take = TrainingStep(parallel, optimizer, recipe, device, graph)
    batch = processes.share(size.batch)
    tokens = torch.randn(batch, size.length, size.model.inputs, device=device)
    labels = torch.randint(size.model.classes, (batch,), device=device)

    def step() -> None:
        take((tokens, labels, None))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def _peak(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count what the parent held when it started this process
        (line,) = (k for k in status.read_text().splitlines() if k.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    # macOS counts ru_maxrss in bytes, others in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def command_for(size: str, variant: str, device: str, steps: int) -> list[str]:
    """What measures in a process of its own, or in several."""
    arguments = ["ns4d.bench.training_step", size, variant, device, str(steps)]
    count = VARIANTS[variant].processes
    many = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m"]
    return [sys.executable, "-m", *([] if count is None else many), *arguments]


def _in_new_process(size: str, variant: str, device: str, steps: int) -> StepCost:
    command = command_for(size, variant, device, steps)
    environment = os.environ | (SPIN if VARIANTS[variant].as_trained else {})
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise TrainingError(
            f"the training step of {size!r}, {variant!r}, on {device}",
            expected="exit status 0 of the process that measures it",
            got=f"{done.returncode}: {done.stderr.strip()}",
            fix=f"Run it by itself: {shlex.join(command)}",
        )
    return StepCost(**json.loads(done.stdout))


def _measure_and_print(size: str, variant: str, device: str, steps: str) -> None:
    if VARIANTS[variant].processes is not None:
        torch.set_num_threads(1)
    with join_processes(torch.device(device)) as processes:
        cost = measure(size, variant, device, int(steps), processes)
        if processes.first:
            print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    _measure_and_print(*sys.argv[1:])
