"""The benchmark of a training step compares equal functions, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ns4d.bench.summary import BenchResult
from ns4d.bench.textbook import textbook_forward
from ns4d.bench.training_step import (
    CORES,
    SIZES,
    VARIANTS,
    Size,
    StepCost,
    _in_new_process,
    command_for,
    measure,
    variants_on,
)
from ns4d.errors import TrainingError
from ns4d.model import ModelConfig, Network
from ns4d.train.distributed import Processes


def test_the_textbook_computes_the_same_function_with_the_same_gradient() -> None:
    torch.manual_seed(0)
    network = Network(ModelConfig(2, 3, 6, 4, 3)).double()
    tokens = torch.randn(4, 50, 2, dtype=torch.float64)
    gradients = []
    for forward in (textbook_forward, Network.__call__):
        network.zero_grad()
        logits = forward(network, tokens)
        (logits**2).sum().backward()
        gradients.append((logits.detach(), [p.grad.clone() for p in network.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-8, rtol=1e-6)


def test_the_sizes_are_those_of_the_paper() -> None:
    counts = {name: Network(size.model).parameter_count for name, size in SIZES.items()}
    assert counts == {"small": 67_082, "large": 265_482}
    assert {name: (size.batch, size.length) for name, size in SIZES.items()} == {
        "small": (64, 784),
        "large": (32, 1024),
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_child_process_measures_time_with_memory(variant: str) -> None:
    command = command_for("small", variant, "cpu", 1)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cost = StepCost(**json.loads(done.stdout))
    assert (cost.size, cost.variant, cost.device) == ("small", variant, "cpu")
    assert cost.seconds > 0
    # At least the activations that backward needs: two per layer, 64 x 64 x 784 floats each.
    assert cost.memory > 2 * 4 * 64 * 64 * 784 * 4


def test_a_process_that_fails_is_quoted() -> None:
    with pytest.raises(TrainingError) as caught:
        _in_new_process("small", "textbook", "nowhere", 1)
    assert "'small', 'textbook', on nowhere: expected exit status 0" in str(caught.value)
    assert "nowhere" in str(caught.value).partition("got 1: ")[2]
    assert "-m ns4d.bench.training_step small textbook nowhere 1" in str(caught.value)


def test_processes_share_the_cores_of_a_cpu_and_of_nothing_else() -> None:
    shared = {"ns4d, a process per core", "ns4d, a process per core, bfloat16"}
    assert set(variants_on("cpu")) - set(variants_on("cuda")) == shared
    for variant in shared:
        command = command_for("small", variant, "cpu", 1)
        assert command[command.index("--nproc-per-node") + 1] == str(CORES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_a_variant_that_says_so_is_in_mixed_precision(variant, monkeypatch) -> None:
    mixed = []

    def forward(network: Network, tokens: Tensor) -> Tensor:
        mixed.append(torch.is_autocast_enabled("cpu"))
        return network(tokens)

    monkeypatch.setitem(VARIANTS, variant, replace(VARIANTS[variant], forward=forward))
    monkeypatch.setitem(SIZES, "tiny", Size(ModelConfig(1, 2, 4, 2, 1), 2, 16))
    measure("tiny", variant, "cpu", 1, Processes())
    assert mixed == [variant.endswith("bfloat16")] * 2


def test_ratios_are_to_the_textbook_of_the_same_size() -> None:
    steps = (
        StepCost("small", "textbook", "cpu", 1.0, 400 << 20),
        StepCost("small", "ns4d", "cpu", 0.25, 100 << 20),
        StepCost("large", "textbook", "cpu", 9.0, 900 << 20),
        StepCost("large", "ns4d", "cpu", 3.0, 300 << 20),
    )
    rows = BenchResult(steps, (), 0.1).tables[0].rows
    assert [(row[2], row[4], row[6]) for row in rows] == [
        ("textbook", "1.00x", "1.00x"),
        ("ns4d", "4.00x", "0.25x"),
        ("textbook", "1.00x", "1.00x"),
        ("ns4d", "3.00x", "0.33x"),
    ]
