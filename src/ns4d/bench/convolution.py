"""The cost of one convolution with its gradients: compiled code against FFTs of the library.

All run in this process with the same number of threads, in turn, on the same numbers. The error is
the largest difference from the textbook's in double precision, over the largest value.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ns4d.bench.tables import Table
from ns4d.bench.textbook import textbook_convolve
from ns4d.bench.training_step import SIZES
from ns4d.ssm import fourier, vectorized

Results = tuple[Tensor, Tensor, Tensor]
Compute = Callable[[Tensor, Tensor, Tensor], Results]
# Of a layer: sequences, channels, steps.
SHAPES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {name: (size.batch, size.model.channels, size.length) for name, size in SIZES.items()}
)
BASELINE = "textbook, autograd"


def _textbook(u: Tensor, k: Tensor, g: Tensor) -> Results:
    leaves = [tensor.detach().requires_grad_() for tensor in (u, k)]
    y = textbook_convolve(*leaves)
    of_u, of_k = torch.autograd.grad(y, leaves, g)
    return y.detach(), of_u, of_k


def _real_transforms(u: Tensor, k: Tensor, g: Tensor) -> Results:
    of_u, of_k = fourier.gradients(u, k, g)
    assert of_u is not None
    assert of_k is not None
    return fourier.convolve(u, k), of_u, of_k


def _compiled(u: Tensor, k: Tensor, g: Tensor) -> Results:
    return vectorized.convolve(u, k), *vectorized.gradients(u, k, g)


SUBJECTS: Mapping[str, Compute] = MappingProxyType(
    {
        BASELINE: _textbook,
        "ns4d, FFTs of torch": _real_transforms,
        "ns4d, compiled": _compiled,
    }
)


@dataclass(frozen=True)
class ConvolutionCost:
    """What the three results of a layer's convolution cost.

    Args:
        layer: Name of its shape.
        subject: What computes them.
        seconds: Median time, s.
        error: Relative, of the worst of the three.
    """

    layer: str
    subject: str
    seconds: float
    error: float


def compare_convolutions(
    shapes: Mapping[str, tuple[int, int, int]] = SHAPES, rounds: int = 15
) -> Iterator[ConvolutionCost]:
    """Measure every subject at every shape.

    Args:
        shapes: Layers.
        rounds: Timed calls of each subject, the subjects in turn.
    """
    for layer, (b, h, length) in shapes.items():
        generator = torch.Generator().manual_seed(0)
        u, k, g = (
            torch.randn(*shape, generator=generator)
            for shape in ((b, h, length), (h, length), (b, h, length))
        )
        exact = _textbook(u.double(), k.double(), g.double())
        errors = {
            name: _error(compute(u, k, g), exact) for name, compute in SUBJECTS.items()
        }  # which compiles too
        times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
        for _ in range(rounds):
            for name, compute in SUBJECTS.items():
                start = time.perf_counter()
                compute(u, k, g)
                times[name].append(time.perf_counter() - start)
        for name in SUBJECTS:
            yield ConvolutionCost(layer, name, statistics.median(times[name]), errors[name])


def _error(got: Results, exact: Results) -> float:
    return max(
        float((one.double() - other).abs().max() / other.abs().max())
        for one, other in zip(got, exact, strict=True)
    )


def convolution_table(costs: Sequence[ConvolutionCost]) -> Table:
    """One row per shape and subject, with the ratio to the textbook's time."""
    base = {cost.layer: cost.seconds for cost in costs if cost.subject == BASELINE}
    rows = tuple(
        (
            f"{cost.layer} {'x'.join(map(str, SHAPES[cost.layer]))}",
            cost.subject,
            f"{1000 * cost.seconds:.1f}",
            f"{base[cost.layer] / cost.seconds:.2f}x",
            f"{cost.error:.1e}",
        )
        for cost in costs
    )
    columns = ("layer", "computed by", "ms", "faster", "error")
    return Table("One convolution with its gradients", columns, rows)
