"""Another reader runs our NIR graphs: nirtorch, which orders the nodes and closes cycles itself.

It leaves to its user what a node computes; here these are NIR's equations, by forward Euler.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from float_walk import programs, walk
from ns4d.export.chain import chain_of
from ns4d.export.nir.file import to_bytes
from ns4d.program import Program

nirtorch = pytest.importorskip("nirtorch")


class Apply(nn.Module):
    """A node without a state."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Integrate(nn.Module):
    """LI, or I as one that does not leak."""

    def __init__(self, r: np.ndarray, tau: np.ndarray | None = None) -> None:
        super().__init__()
        self.r = tensor(r)
        self.leak = torch.zeros_like(self.r) if tau is None else 1 / tensor(tau)
        self.gain = self.r if tau is None else self.r / tensor(tau)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        v = torch.zeros_like(self.r) if state is None else state
        v = v - self.leak * v + self.gain * x
        return v, v


def tensor(value: np.ndarray) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def relu(node: nir.Threshold) -> nn.Module:
    assert node.metadata["function"] == "relu"
    return Apply(torch.relu)


NODES: dict[type, Callable] = {
    nir.Affine: lambda node: Apply(lambda x: x @ tensor(node.weight).T + tensor(node.bias)),
    nir.Linear: lambda node: Apply(lambda x: x @ tensor(node.weight).T),
    nir.Scale: lambda node: Apply(lambda x: x * tensor(node.scale)),
    nir.Threshold: relu,
    nir.LI: lambda node: Integrate(node.r, node.tau),
    nir.I: lambda node: Integrate(node.r),
}


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_nirtorch_computes_the_recurrence(program: Program, tmp_path: Path) -> None:
    path, chain = tmp_path / "network.nir", chain_of(program)
    path.write_bytes(to_bytes(chain))
    network = nirtorch.nir_to_torch(nir.read(path), NODES)
    tokens, scores = np.random.default_rng(1).normal(0, 3, (25, program.inputs)), []
    given: tuple[Tensor, ...] = ()
    for token in tokens:
        out, *given = network(tensor(token), *given)
        scores.append(out.numpy())
    expected = walk(chain, tokens)
    assert np.ptp(expected) > 10
    tolerance = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(np.array(scores), expected, rtol=0, atol=tolerance)
