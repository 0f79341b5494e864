"""The NIR graph, node by node: its equations, its names, its edges."""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
import pytest

from float_walk import programs
from ns4d.export.chain import Activation, Chain, Linear, Recurrence, Sum, chain_of
from ns4d.export.nir.graph import POPULATION, to_graph

RNG = np.random.default_rng(0)
H, N = 3, 4


def recurrence(channels: int = H, modes: int = N) -> Recurrence:
    shape = (channels, modes)
    a = RNG.uniform(0.2, 0.9, shape) * np.exp(1j * RNG.uniform(-3, 3, shape))
    b, c = (RNG.normal(size=shape) + 1j * RNG.normal(size=shape) for _ in range(2))
    return Recurrence("ssm", a, b, c, RNG.normal(size=channels))


def chain(*links: Linear | Recurrence | Sum, channels: int = H) -> Chain:
    encoder = Linear("encoder", RNG.normal(size=(channels, 2)), RNG.normal(size=channels))
    readout = Linear("readout", RNG.normal(size=(2, channels)), RNG.normal(size=2))
    scale = np.array([0.5, 4.0])
    return Chain(np.array([1.0, 2.0]), scale, (encoder, *links), readout, "by hand", ("a", "b"))


def nodes(*links: Linear | Recurrence | Sum, channels: int = H) -> dict[str, nir.NIRNode]:
    return to_graph(chain(*links, channels=channels)).nodes


def edges(*links: Linear | Recurrence | Sum) -> set[tuple[str, str]]:
    return set(to_graph(chain(*links)).edges)


def test_the_input_is_scaled_as_the_quantizer_does():
    made, x = nodes()["normalize"], np.array([3.0, -2.0])
    np.testing.assert_allclose(made.weight @ x + made.bias, (x - [1, 2]) / [0.5, 4])


def test_a_time_constant_is_one_step_of_the_decay():
    link = recurrence()
    x = nodes(link)["ssm.0.x"]
    decay = np.real(link.a).ravel()
    np.testing.assert_allclose(1 - 1 / x.tau, [*decay, *decay], atol=1e-15)
    np.testing.assert_array_equal(x.r, x.tau)
    np.testing.assert_array_equal(x.v_leak, 0)


def test_one_step_of_a_population_is_one_token_of_the_recurrence():
    link, u = recurrence(), RNG.normal(size=H)
    made = nodes(link)
    before = RNG.normal(size=(H, N)) + 1j * RNG.normal(size=(H, N))
    v = np.concatenate([np.real(before).ravel(), np.imag(before).ravel()])
    x = made["ssm.0.x"]
    current = made["ssm.0.in"].weight @ u + made["ssm.0.turn"].weight @ v
    after = v + (x.v_leak - v + x.r * current) / x.tau
    expected = link.a * before + link.b * u[:, None]
    np.testing.assert_allclose(after[: H * N], np.real(expected).ravel(), atol=1e-14)
    np.testing.assert_allclose(after[H * N :], np.imag(expected).ravel(), atol=1e-14)
    y = made["ssm.0.out"].weight @ after + made["ssm.d"].scale * u
    np.testing.assert_allclose(y, np.real(link.c * expected).sum(1) + link.d * u, atol=1e-13)


def test_a_population_drives_itself_and_nothing_else_does_so():
    found = edges(recurrence())
    assert {("ssm.0.x", "ssm.0.turn"), ("ssm.0.turn", "ssm.0.x")} <= found
    assert {b for a, b in found if a == "encoder"} == {"ssm.0.in", "ssm.d"}
    assert {a for a, b in found if b == "ssm"} == {"ssm.0.out", "ssm.d"}


@pytest.mark.parametrize(
    ("channels", "modes", "populations"), [(3, 4, 1), (32, 4, 1), (33, 4, 2), (2, 200, 2)]
)
def test_populations_have_at_most_so_many_neurons(channels, modes, populations):
    made = nodes(recurrence(channels, modes), channels=channels)
    sizes = [len(node.tau) for node in made.values() if isinstance(node, nir.LI)]
    assert len(sizes) == populations
    assert sum(sizes) == 2 * channels * modes
    # A channel is never cut in two, however many modes it has.
    assert max(sizes) <= max(POPULATION, 2 * modes)


def test_the_populations_together_are_the_layer():
    link = recurrence(33, 4)
    made, u = nodes(link, channels=33), RNG.normal(size=33)
    y = made["ssm.d"].scale * u
    for k in range(2):
        y = y + made[f"ssm.{k}.out"].weight @ (made[f"ssm.{k}.in"].weight @ u)
    np.testing.assert_allclose(y, np.real(link.c * link.b).sum(1) * u + link.d * u, atol=1e-12)


def test_a_sum_takes_its_source_and_the_node_before():
    one = np.ones(H)
    found = edges(recurrence(), Sum("add", "encoder", 2 * one, 3 * one))
    made = nodes(recurrence(), Sum("add", "encoder", 2 * one, 3 * one))
    assert {a for a, b in found if b == "add"} == {"add.weight", "add.skip"}
    assert ("ssm", "add.weight") in found
    assert ("encoder", "add.skip") in found
    np.testing.assert_array_equal(made["add.weight"].scale, 2 * one)
    np.testing.assert_array_equal(made["add.skip"].scale, 3 * one)


def test_a_link_ends_in_the_node_of_its_name():
    link = replace(recurrence(), activation=Activation.RELU)
    made = nodes(link)
    assert isinstance(made["ssm"], nir.Threshold)
    np.testing.assert_array_equal(made["ssm"].threshold, np.zeros(H))
    assert isinstance(made["encoder"], nir.Scale)
    np.testing.assert_array_equal(made["encoder"].scale, np.ones(H))


def test_the_scores_add_up_what_the_readout_says():
    given = chain()
    graph = to_graph(given)
    np.testing.assert_array_equal(graph.nodes["readout"].weight, given.readout.weight)
    np.testing.assert_array_equal(graph.nodes["readout"].bias, given.readout.bias)
    np.testing.assert_array_equal(graph.nodes["scores"].r, np.ones(2))
    assert {("encoder", "readout"), ("readout", "scores"), ("scores", "output")} <= set(graph.edges)


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_types_agree_along_every_edge(program):
    graph = to_graph(chain_of(program))
    assert graph.check_types()
    for source, target in graph.edges:
        (sent,) = graph.nodes[source].output_type.values()
        (taken,) = graph.nodes[target].input_type.values()
        np.testing.assert_array_equal(sent, taken)
    assert len(set(graph.edges)) == len(graph.edges)


def test_a_mode_may_turn_without_decay_or_change_its_sign():
    link = replace(recurrence(1, 3), a=np.array([[0.0, -0.9, 1j]], complex), name="ssm")
    tau = nodes(replace(link), channels=1)["ssm.0.x"].tau
    np.testing.assert_allclose(tau[:3], [1, 1 / 1.9, 1])
