"""The float baselines compute the network's own function; a benchmark of anything else is void."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from ns4d.bench.streaming_convolution import PreparedConvolution
from ns4d.bench.streaming_float import FloatParameters, float_parameters
from ns4d.bench.streaming_onnx import BoundStep, PlainStep, step_graph
from ns4d.bench.streaming_torch import CompiledStep, EagerStep, read_by_dot, read_by_product
from ns4d.errors import ConfigError
from ns4d.export.onnx.engine import open_session
from ns4d.model import Mixer, Network, Nonlinearity, Norm
from streaming_subject import CONFIG, LENGTH, tiny_network


def tokens(streams: int) -> torch.Tensor:
    return torch.randn(streams, LENGTH, CONFIG.inputs, generator=torch.Generator().manual_seed(1))


def exact(network: Network, sequences: torch.Tensor) -> torch.Tensor:
    """Logits after every token, (b, l, classes), in float64."""
    double = tiny_network().double()
    double.load_state_dict(network.state_dict())
    lengths = range(1, sequences.shape[1] + 1)
    with torch.no_grad():
        return torch.stack([double(sequences[:, :k].double()) for k in lengths], dim=1)


def close(got: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("read", [read_by_product, read_by_dot])
def test_the_eager_step_is_the_network(read: Callable, streams: int) -> None:
    network, sequences = tiny_network(), tokens(streams)
    step = EagerStep(float_parameters(network), streams, read)
    with torch.inference_mode():
        for _ in range(2):  # the second time from the state that reset restores
            step.reset()
            got = [step.step(sequences[:, k].T.contiguous()).clone() for k in range(LENGTH)]
            close(torch.stack(got).permute(2, 0, 1).numpy(), exact(network, sequences))


@pytest.mark.parametrize("streams", [1, 3])
def test_the_compiled_function_is_the_network(
    streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function that is compiled, run as it is written: no C++ compiler is needed."""
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    network, sequences = tiny_network(), tokens(streams)
    step = CompiledStep(float_parameters(network), streams, {})
    with torch.inference_mode():
        for _ in range(2):
            step.reset()
            got = [step.step(sequences[:, k].T.contiguous()) for k in range(LENGTH)]
            close(torch.stack(got).permute(2, 0, 1).numpy(), exact(network, sequences))


@pytest.mark.parametrize("kind", [PlainStep, BoundStep])
def test_the_graph_is_the_network(kind: type) -> None:
    network, sequences = tiny_network(), tokens(1)
    step = kind(open_session(step_graph(network)))
    rows = [token[None] for token in sequences[0].numpy()]
    for _ in range(2):
        step.reset()
        got = np.concatenate([step.step(row).copy() for row in rows])
        close(got, exact(network, sequences)[0])


def test_a_reset_forgets_what_came_before() -> None:
    session, sequences = open_session(step_graph(tiny_network())), tokens(1)
    for step in (PlainStep(session), BoundStep(session)):
        row = sequences[0, :1].numpy()
        first = step.step(row).copy()
        second = step.step(row).copy()
        step.reset()
        np.testing.assert_array_equal(step.step(row), first)
        assert not np.allclose(second, first)


def test_the_graph_holds_its_state_outside(tmp_path) -> None:
    model = step_graph(tiny_network())
    onnx.checker.check_model(model, full_check=True)
    names = [value.name for value in model.graph.input]
    parts = [f"layer{k}.s4d/{part}" for k in range(CONFIG.layers) for part in ("x_re", "x_im")]
    parts += ["total", "tokens_seen"]
    assert names == ["tokens", *parts]
    assert [v.name for v in model.graph.output] == [*(f"new/{part}" for part in parts), "scores"]


def test_a_session_warns_of_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    open_session(step_graph(tiny_network()))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("length", [1, 7, LENGTH])
def test_the_prepared_convolution_is_the_network(length: int) -> None:
    network, sequences = tiny_network(), tokens(3)[:, :length]
    with torch.inference_mode():
        got = PreparedConvolution(network, length)(sequences)
    close(got.numpy(), exact(network, sequences)[:, -1])


def test_the_spectra_are_those_of_the_network_when_it_was_prepared() -> None:
    network, sequences = tiny_network(), tokens(2)
    prepared = PreparedConvolution(network, LENGTH)
    with torch.inference_mode():
        before = prepared(sequences)
        network.stack[0].ssm.d += 1
        torch.testing.assert_close(prepared(sequences), before)


def test_parameters_leave_the_network_as_it_was() -> None:
    network = tiny_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = float_parameters(network)
    parameters.layers[0].weight.zero_()
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name]), name


def test_parameters_know_their_sizes() -> None:
    parameters: FloatParameters = float_parameters(tiny_network())
    sizes = (parameters.inputs, parameters.channels, parameters.modes, parameters.classes)
    assert sizes == (CONFIG.inputs, CONFIG.channels, CONFIG.modes, CONFIG.classes)
    assert all(layer.a.dtype == torch.complex64 for layer in parameters.layers)


@pytest.mark.parametrize(
    "change",
    [
        {"nonlinearity": Nonlinearity.GELU},
        {"mixer": Mixer.LINEAR},
        {"norm": Norm.BATCH},
        {"residual": True},
    ],
)
def test_other_networks_are_refused(change: dict) -> None:
    with pytest.raises(ConfigError, match="expected an n-S4D: ReLU, no normalization"):
        float_parameters(Network(replace(CONFIG, **change)))
