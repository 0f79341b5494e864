"""NIR: the graph computes the recurrence, the integers come back, nothing altered passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from hypothesis import given, settings

from float_walk import programs, walk
from ns4d.errors import ArtefactError, ConfigError
from ns4d.export import Request
from ns4d.export.chain import Activation, Chain, Linear, Recurrence, chain_of
from ns4d.export.nir import export_network, export_program, read
from ns4d.export.nir.file import to_bytes
from ns4d.export.nir.graph import POPULATION, to_graph
from ns4d.program import Program, load
from program_strategies import programs as any_program

DIGITS = Path(__file__).resolve().parents[2] / "benchmarks/results/digits/loihi2.ns4d"


class Simulator:
    """A reader of NIR graphs in discrete time, by the equations of NIR's own documentation.

    Forward Euler with dt = 1; edges into one node add up; an edge that closes a cycle brings the
    value of the step before. One convention is ours: Threshold with the metadata `relu`.
    """

    def __init__(self, graph: nir.NIRGraph) -> None:
        self.nodes = graph.nodes
        self.before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self.feedback: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            closes = source.endswith(".turn")
            (self.feedback if closes else self.before)[target].append(source)
        self.order = list(TopologicalSorter(self.before).static_order())
        self.last: dict[str, np.ndarray] = {}
        self.v: dict[str, np.ndarray] = {}

    def step(self, token: np.ndarray) -> np.ndarray:
        """One token in, the output of that step out."""
        now = {"input": token}
        for name in self.order:
            if name != "input":
                old = sum(self.last.get(source, 0.0) for source in self.feedback[name])
                now[name] = self.apply(name, old + sum(now[k] for k in self.before[name]))
        self.last = now
        return now["output"]

    def apply(self, name: str, x: np.ndarray) -> np.ndarray:
        """What a node gives for this input."""
        node = self.nodes[name]
        if isinstance(node, nir.Affine):
            return node.weight @ x + node.bias
        if isinstance(node, nir.Linear):
            return node.weight @ x
        if isinstance(node, nir.Scale):
            return node.scale * x
        if isinstance(node, nir.Threshold):
            step = x > node.threshold
            return x * step if node.metadata.get("function") == "relu" else step
        if isinstance(node, nir.LI | nir.I):
            return self.integrate(name, node, x)
        assert isinstance(node, nir.Output)
        return x

    def integrate(self, name: str, node: nir.LI | nir.I, x: np.ndarray) -> np.ndarray:
        """Forward Euler."""
        v = self.v.get(name, np.zeros_like(x))
        slope = (
            (node.v_leak - v + node.r * x) / node.tau if isinstance(node, nir.LI) else node.r * x
        )
        self.v[name] = v + slope
        return self.v[name]


def simulate(graph: nir.NIRGraph, tokens: np.ndarray) -> np.ndarray:
    simulator = Simulator(graph)
    return np.array([simulator.step(token) for token in tokens])


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_a_simulator_computes_the_recurrence(program: Program, tmp_path: Path) -> None:
    path = written(tmp_path, chain_of(program))
    tokens = np.random.default_rng(0).normal(0, 3, (25, program.inputs))
    expected = walk(chain_of(program), tokens)
    assert np.ptp(expected) > 10
    # A time constant is 1 / (1 - a): rounded once there, and once back.
    tolerance = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(simulate(nir.read(path), tokens), expected, rtol=0, atol=tolerance)


def written(folder: Path, chain: Chain) -> Path:
    path = folder / "network.nir"
    path.write_bytes(to_bytes(chain))
    return path


def test_large_layers_are_cut_into_populations() -> None:
    graph = to_graph(chain_of(load(DIGITS)))
    sizes = [len(node.tau) for node in graph.nodes.values() if isinstance(node, nir.LI)]
    assert max(sizes) <= POPULATION
    (node, *_) = load(DIGITS).recurrent
    assert sum(sizes) == 2 * node.a_re.size * len(load(DIGITS).recurrent)


def test_only_primitives_of_the_standard_are_used() -> None:
    kinds = {type(node) for node in to_graph(chain_of(programs()[0])).nodes.values()}
    known = {nir.Input, nir.Output, nir.Affine, nir.Linear, nir.Scale, nir.LI, nir.I, nir.Threshold}
    assert kinds == known


def test_every_threshold_says_that_it_is_a_relu() -> None:
    program = programs()[0]
    graph = to_graph(chain_of(program))
    thresholds = {n: v for n, v in graph.nodes.items() if isinstance(v, nir.Threshold)}
    assert set(thresholds) == {node.name for node in program.nodes if node.descale.relu}
    assert all(node.metadata == {"function": "relu"} for node in thresholds.values())


def round_trip(program: Program, folder: Path) -> Program:
    return read(written(folder, chain_of(program)))


@given(program=any_program())
@settings(max_examples=15)
def test_any_program_comes_back(tmp_path_factory, program: Program) -> None:
    back = round_trip(program, tmp_path_factory.mktemp("nir"))
    assert back == program
    assert back.digest == program.digest


def test_a_trained_program_comes_back(tmp_path: Path) -> None:
    program = load(DIGITS)
    (content,) = export_program(program, Request()).files.values()
    path = tmp_path / "digits.nir"
    path.write_bytes(content)
    assert read(path).digest == program.digest


def test_a_network_without_integers_is_no_program(tmp_path: Path) -> None:
    chain = replace(chain_of(programs()[1]), program=None)
    made = export_network(chain, Request())
    assert made.facts["integers"] == "none"
    with pytest.raises(ArtefactError, match="expected the metadata of a program"):
        read(written(tmp_path, chain))


def change_weight(file: h5py.File) -> None:
    file["node/nodes/encoder.affine/weight"][0, 0] += 0.5


def change_edge(file: h5py.File) -> None:
    file["node/edges"][0] = file["node/edges"][1]


def change_integer(file: h5py.File) -> None:
    file["node/metadata/ns4d/tensors/encoder/weight"][0, 0] ^= 1


def change_kind(file: h5py.File) -> None:
    del file["node/nodes/scores/type"]
    file["node/nodes/scores/type"] = "Scale"


def drop_tensor(file: h5py.File) -> None:
    del file["node/metadata/ns4d/tensors/encoder/weight"]


def change_structure(file: h5py.File) -> None:
    del file["node/metadata/ns4d/program"]
    file["node/metadata/ns4d/program"] = "[]"


def newer(file: h5py.File) -> None:
    del file["node/metadata/ns4d/version"]
    file["node/metadata/ns4d/version"] = 2


def foreign(file: h5py.File) -> None:
    del file["node/metadata/ns4d/format"]
    file["node/metadata/ns4d/format"] = "something else"


def unsayable(file: h5py.File) -> None:
    del file["node/metadata/ns4d"]
    file["node/metadata/ns4d"] = 3


CHANGES: dict[Callable[[h5py.File], None], str] = {
    change_weight: "expected node 'encoder.affine' as the integers give it",
    change_edge: "Duplicate edge|the graph was altered",
    change_integer: "the integers were altered",
    change_kind: "expected a NIR graph in an HDF5 file",
    drop_tensor: "expected a legal program in the metadata, got KeyError",
    change_structure: "expected a legal program in the metadata",
    newer: "version 1 or older, got 'ns4d-nir', version 2",
    foreign: "expected format 'ns4d-nir'",
    unsayable: "expected the metadata of a program",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_an_altered_file_is_refused(change, tmp_path: Path) -> None:
    path = written(tmp_path, chain_of(programs()[0]))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ArtefactError, match=CHANGES[change]) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "ns4d export --to nir" in caught.value.fix


@pytest.mark.parametrize("part", [0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(part: float, tmp_path: Path) -> None:
    path = written(tmp_path, chain_of(programs()[1]))
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ArtefactError, match="expected a NIR graph in an HDF5 file"):
        read(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="expected a file, got nothing"):
        read(tmp_path / "gone.nir")
    with pytest.raises(ArtefactError, match="expected a file, got no regular file"):
        read(tmp_path)


def test_another_reader_may_store_the_floats_narrower(tmp_path: Path) -> None:
    program = programs()[1]
    path = written(tmp_path, chain_of(program))
    with h5py.File(path, "r+") as file:
        weight = file["node/nodes/encoder.affine/weight"]
        weight[...] = weight[...].astype(np.float32)
    assert read(path) == program


def test_a_mode_without_a_leak_is_named() -> None:
    chain = chain_of(programs()[1])
    link = chain.recurrent[0]
    a = link.a.copy()
    a[1, 2] = 1.0
    links = tuple(replace(k, a=a) if isinstance(k, Recurrence) else k for k in chain.links)
    with pytest.raises(ConfigError, match=f"node '{link.name}', channel 1, mode 2: .* below 1"):
        to_graph(replace(chain, links=links))


def test_an_activation_that_nir_lacks_is_named() -> None:
    chain = chain_of(programs()[1])
    odd = Linear("odd", np.eye(4), np.zeros(4), Activation.GELU)
    with pytest.raises(ConfigError, match="--to nir, node 'odd'"):
        to_bytes(replace(chain, links=(*chain.links, odd)))
