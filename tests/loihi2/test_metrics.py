"""The metrics of NeuroBench on integer programs: by hand, by their laws, against the library."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import crowded, shaped
from ns4d.engines.trace import trace
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.metrics import Metrics, footprint, metrics
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import simulate
from ns4d.loihi2.structure import Structure
from ns4d.numerics import LOIHI2
from ns4d.program import Dense, Program, Readout
from program_strategies import messages, programs, random_program
from quantize_networks import make_dataset, make_network


def measured(program: Program, u: np.ndarray) -> Metrics:
    """On a system with tiny cores, so that layers are split."""
    return metrics(simulate(place(program, crowded(5, 20)), u, Mode.PIPELINED).activity)


def weights_of(program: Program) -> list[np.ndarray]:
    parts = (*program.nodes, program.readout)
    return [part.weight for part in parts if isinstance(part, Dense | Readout)]


def pruned(program: Program, seed: int = 0) -> Program:
    """The program without a third of the weights of its linear layers."""
    rng = np.random.default_rng(seed)

    def thin(part: Dense | Readout) -> Dense | Readout:
        return replace(part, weight=part.weight * (rng.random(part.weight.shape) > 1 / 3))

    nodes = tuple(thin(node) if isinstance(node, Dense) else node for node in program.nodes)
    return replace(program, nodes=nodes, readout=thin(program.readout))


def test_sizes_by_hand() -> None:
    found = measured(shaped(4, 3, layers=2, inputs=2, classes=5), np.ones((6, 2), np.int64))
    linear = 4 * 2 + 2 * 4 * 4 + 5 * 4
    assert found.linear_dense == linear
    assert found.state_updates == 2 * 12
    assert found.dense == linear + 2 * 24
    assert found.connection_sparsity == 0


def test_a_residual_connection_has_two_synapses_per_channel() -> None:
    plain, residual = (
        measured(shaped(4, 3, residual=added), np.ones((2, 1), np.int64)) for added in (False, True)
    )
    assert residual.dense == plain.dense + 2 * 4
    assert residual.linear_dense == plain.linear_dense


def test_the_footprint_is_parameters_with_states() -> None:
    program = shaped(4, 3, classes=5)
    states, scores = 12 * 2 * LOIHI2.state_bits, 5 * 64
    assert footprint(program) == program.parameter_bytes + (states + scores) // 8


def test_silence_is_sparse_and_free() -> None:
    """No bias, no input: nothing is sent or multiplied; states are updated all the same."""
    program = Structure(1, 4, 3, 1, 5, 5, 1.0, 1.0, 12).program()
    found = measured(program, np.zeros((5, 1), np.int64))
    assert (found.effective_macs, found.effective_acs) == (0, 0)
    assert found.activation_sparsity == 1.0
    assert found.state_updates == 12


@settings(max_examples=12)
@given(st.data())
def test_laws(data: st.DataObject) -> None:
    program = data.draw(programs())
    found = measured(program, data.draw(messages(program, batch=1, most=5))[0])
    assert 0 <= found.connection_sparsity <= 1
    assert 0 <= found.activation_sparsity <= 1
    assert found.effective_macs + found.effective_acs <= found.dense
    assert found.effective_acs <= 2 * found.state_updates
    assert found.linear_dense == sum(weight.size for weight in weights_of(program))


def test_pruning_shows() -> None:
    program = random_program(np.random.default_rng(1), channels=8, layers=2)
    u = np.random.default_rng(2).integers(-900, 900, (9, 1))
    before, after = measured(program, u), measured(pruned(program), u)
    weights = weights_of(pruned(program))
    zeros, all_of_them = sum((w == 0).sum() for w in weights), sum(w.size for w in weights)
    assert after.connection_sparsity == zeros / all_of_them > before.connection_sparsity + 0.2
    assert after.dense == before.dense
    assert after.footprint == before.footprint


class TestAgainstTheLibrary:
    """`neurobench` itself, on PyTorch layers that hold the weights and see the messages."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("torch")
        reason = "pip install --no-deps neurobench snntorch -c constraints.txt"
        pytest.importorskip("neurobench", reason=reason)

    def test_on_the_layers_of_a_program(self) -> None:
        program = pruned(random_program(np.random.default_rng(3), channels=8, layers=2, inputs=2))
        u = np.random.default_rng(4).integers(-900, 900, (30, 2))
        ours, heard, sent = measured(program, u), *linear_messages(program, u)
        theirs = by_library([w.astype(float) for w in weights_of(program)], heard, sent)
        assert theirs["connection_sparsity"] == round(ours.connection_sparsity, 4)
        assert theirs["activation_sparsity"] == pytest.approx(ours.activation_sparsity)
        operations = theirs["synaptic_operations"]
        assert operations["Effective_MACs"] == pytest.approx(ours.effective_macs)
        assert operations["Dense"] == ours.linear_dense
        # What follows has no product, so the library, which sees no SSM, has no word for it.
        assert operations["Effective_ACs"] == 0
        assert ours.effective_acs > 0

    def test_on_the_linear_layers_of_a_float_model(self) -> None:
        """Weights that are zero in floating point stay so; large ones do not become so."""
        from ns4d.model import ModelConfig
        from ns4d.quantize import post_training_quantize

        config = ModelConfig(inputs=2, classes=3, channels=8, modes=3, layers=2)
        network = make_network(config, seed=0)
        linears = [network.encoder, *(layer.linear for layer in network.stack), network.decoder]
        spread(linears)
        program = post_training_quantize(network, make_dataset(config))
        ours = measured(program, np.random.default_rng(0).integers(-900, 900, (9, 2)))
        floats = [linear.weight.detach().numpy() for linear in linears]
        theirs = by_library(floats, [np.ones((9, w.shape[1])) for w in floats], [])
        assert theirs["connection_sparsity"] == round(ours.connection_sparsity, 4) > 0.2
        assert theirs["synaptic_operations"]["Dense"] == ours.linear_dense


def spread(linears: list) -> None:
    """Weights of 0, or of at least half the largest one."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for linear in linears:
            size = 0.5 + 0.5 * torch.rand(linear.weight.shape, generator=generator)
            sign = torch.randint(-1, 2, linear.weight.shape, generator=generator)
            linear.weight.copy_(size * sign)


def linear_messages(program: Program, u: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What each linear layer hears, and what every node with a ReLU sends: (l, channels)."""
    traced = {name: m[0] for name, m in trace(program, u[None]).items()}
    heard, sent, before = [], [], u
    for node in program.nodes:
        if isinstance(node, Dense):
            heard.append(before)
        before = traced[node.name]
        if node.descale.relu:
            sent.append(before)
    return [*heard, before], sent


def by_library(weights: list[np.ndarray], heard: list[np.ndarray], sent: list[np.ndarray]) -> dict:
    """The library's metrics of linear layers with these inputs, of ReLUs with these outputs."""
    import torch
    from neurobench.metrics.static import ConnectionSparsity
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linears = torch.nn.ModuleList(
                torch.nn.Linear(w.shape[1], w.shape[0], bias=False) for w in weights
            )
            for linear, weight in zip(self.linears, weights, strict=True):
                linear.weight.data = torch.tensor(weight, dtype=torch.float32)
            self.relus = torch.nn.ModuleList(torch.nn.ReLU() for _ in sent)

        def forward(self, _: torch.Tensor) -> None:
            for linear, m in zip(self.linears, heard, strict=True):
                linear(torch.tensor(m, dtype=torch.float32))
            for relu, m in zip(self.relus, sent, strict=True):
                relu(torch.tensor(m, dtype=torch.float32))

    model = TorchModel(Layers())
    model.register_hooks()
    data = (torch.zeros(len(heard[0]), 1), torch.zeros(len(heard[0])))
    model(data[0])
    return {
        "connection_sparsity": ConnectionSparsity()(model),
        "activation_sparsity": ActivationSparsity()(model, None, data),
        "synaptic_operations": SynapticOperations()(model, None, data),
    }


def test_an_activity_is_measured_whole() -> None:
    """Twice the same stream has the metrics of one."""
    placement = place(random_program(np.random.default_rng(5)), crowded(5, 20))
    rng, size = np.random.default_rng(6), (3, len(placement.slices))
    once = Activity(placement, rng.integers(0, 2, size), rng.integers(0, 2, size))
    twice = Activity(placement, np.tile(once.spikes, (2, 1)), np.tile(once.synops, (2, 1)))
    assert metrics(once) == metrics(twice)
