"""A network as sizes: placed like the real one, its expected work that of the counted kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.errors import ConfigError, PlacementError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.structure import Structure, structure_of
from ns4d.loihi2.work import Work, clusters_of
from ns4d.program import Program
from program_strategies import random_program

SMALL = Structure(1, 64, 32, 4, 10, 342, 0.8, 0.4, 12)
LARGE = Structure(3, 128, 64, 4, 10, 342, 0.8, 0.4, 12)
TINY = Structure(2, 6, 4, 2, 3, 342, 0.75, 0.5, 12)


@pytest.mark.parametrize(("structure", "cores"), [(SMALL, 31), (LARGE, 111)])
def test_the_papers_networks_take_the_papers_cores(structure: Structure, cores: int) -> None:
    placement = structure.place()
    assert len(placement.cores) == cores
    assert placement.system.name == "Oheo Gulch"


def test_a_larger_network_takes_a_larger_system() -> None:
    assert replace(LARGE, layers=8).place().system.name == "Kapoho Point"


def test_what_no_system_holds_is_refused() -> None:
    boards = [SYSTEMS[name] for name in ("oheo-gulch", "kapoho-point")]
    with pytest.raises(PlacementError, match="system 'Kapoho Point': expected at most 1008 cores"):
        replace(TINY, channels=128, modes=9, s4d_neurons_per_core=1).place(boards)


def test_fewer_neurons_per_core_take_more_cores() -> None:
    fewer = replace(SMALL, s4d_neurons_per_core=100).place()
    assert len(fewer.cores) == 31 - 4 * 6 + 4 * 21


def test_the_program_has_the_sizes() -> None:
    program = TINY.program()
    assert program.inputs == 2
    assert [node.modes for node in program.recurrent] == [4, 4]
    assert program.channels == (6,) * 5
    assert len(program.classes) == 3


def test_expected_work_by_hand() -> None:
    placement = TINY.place()
    work = TINY.work(placement, tokens=3)
    assert work.tokens == 3
    assert work.message_bits == 12

    def total(kind: Kind, what: np.ndarray, name: str = "layer1") -> float:
        chosen = [k for k, c in enumerate(work.clusters) if c.kind is kind and name in c.name]
        return what[0, chosen].sum()

    # 6 channels of 4 modes; the S4D neurons speak in 3 of 4 tokens, a ReLU in 1 of 2.
    assert total(Kind.STATE, work.spikes) == 24 * 0.75
    assert total(Kind.REDUCE, work.spikes) == 6 * 0.5
    assert total(Kind.READOUT, work.spikes, "readout") == 0
    assert total(Kind.STATE, work.synops) == 24 * 0.5
    assert total(Kind.REDUCE, work.synops) == 24 * 0.75
    assert total(Kind.DENSE, work.synops) == 36 * 0.5
    # The encoder has no ReLU: the first layer hears all of it.
    assert total(Kind.STATE, work.synops, "layer0") == 24
    assert total(Kind.DENSE, work.synops, "encoder") == 12


def program_and_work(seed: int = 0) -> tuple[Program, Work]:
    program = random_program(np.random.default_rng(seed), inputs=2, channels=5, layers=2)
    clusters = clusters_of(place(program))
    size = np.array([cluster.neurons for cluster in clusters], float)
    share = np.array([0.25 if c.kind is Kind.STATE else 0.5 for c in clusters])
    spikes = np.stack([size * share, 0 * size])
    return program, Work(clusters, spikes, spikes, 12)


def test_the_structure_of_a_program_with_counted_densities() -> None:
    program, work = program_and_work()
    found = structure_of(program, work, 99)
    assert found == Structure(2, 5, 3, 2, 3, 99, 0.125, 0.25, 12)


def test_a_program_without_s4d_is_refused() -> None:
    program = random_program(np.random.default_rng(0), layers=0)
    clusters = clusters_of(place(program))
    none = np.zeros((1, len(clusters)))
    with pytest.raises(ConfigError, match="--what-if: expected a program with an S4D node"):
        structure_of(program, Work(clusters, none, none, 12), 342)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("channels", 0, "at least 1"),
        ("message_bits", 0, "at least 1"),
        ("relu_density", 1.5, "0 to 1"),
        ("state_density", -0.1, "0 to 1"),
    ],
)
def test_impossible_structures_are_refused(field: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"structure {field}: expected {expected}, got {value}"):
        replace(TINY, **{field: value})
