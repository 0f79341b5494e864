"""The paper's two networks in the model: what must come out whatever the costs are fitted to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ns4d.loihi2.comparison import PAPER_ROWS, Item, published_for, simulated
from ns4d.loihi2.costs import CORNERS, COSTS
from ns4d.loihi2.estimate import Estimate, estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.work import Work

SMALL = Structure(1, 64, 32, 4, 10, 342, 0.82, 0.34, 12)
LARGE = Structure(3, 128, 64, 4, 10, 342, 0.82, 0.34, 12)


@pytest.fixture(scope="module")
def works() -> dict[str, Work]:
    return {
        name: structure.work(structure.place(), tokens=40)
        for name, structure in (("small", SMALL), ("large", LARGE))
    }


@pytest.fixture(scope="module")
def estimates(works: dict[str, Work]) -> dict[tuple[str, Mode], Estimate]:
    return {(name, mode): estimate(work, mode) for name, work in works.items() for mode in Mode}


@pytest.mark.parametrize(("name", "cores"), [("small", 31), ("large", 111)])
def test_they_take_the_published_cores(works: dict[str, Work], name: str, cores: int) -> None:
    assert len(works[name].by_core) == cores
    assert works[name].steps_per_token == 13


def test_both_pipelines_have_one_pace(estimates: dict[tuple[str, Mode], Estimate]) -> None:
    """Their cores are equally full, so a network of a quarter of the size is no faster."""
    small, large = (estimates[name, Mode.PIPELINED].token_s for name in ("small", "large"))
    assert small.value == pytest.approx(large.value, rel=1e-3)


def test_small_takes_less_energy_not_a_quarter(
    estimates: dict[tuple[str, Mode], Estimate],
) -> None:
    """Static power is that of the chip, however little of it is used."""
    for mode in Mode:
        small, large = (estimates[name, mode].token_j.value for name in ("small", "large"))
        assert large / 4 < small < large
        dynamic = [estimates[name, mode].energy.dynamic_j for name in ("small", "large")]
        assert dynamic[0] == pytest.approx(dynamic[1] / 4, rel=0.1)


@pytest.mark.parametrize("mode", Mode)
def test_large_is_within_a_tenth_of_print(
    estimates: dict[tuple[str, Mode], Estimate], works: dict[str, Work], mode: Mode
) -> None:
    """Expected work at one density for all layers; the fit used counted work."""
    found, printed = estimates["large", mode], published_for(mode)
    items = 1 if mode is Mode.FALL_THROUGH else 1024 + 14
    assert found.token_s.value * items == pytest.approx(printed.latency_s.value, rel=0.1)
    assert printed.energy_j is not None
    tokens = 1 if mode is Mode.FALL_THROUGH else 1024
    assert found.token_j.value * tokens == pytest.approx(printed.energy_j.value, rel=0.1)


def test_the_chip_beats_the_gpu_token_by_token(
    estimates: dict[tuple[str, Mode], Estimate],
) -> None:
    """By 75 times in print, and a thousand times in energy."""
    ours = simulated(estimates["large", Mode.FALL_THROUGH])
    gpu = next(row for row in PAPER_ROWS if row.item is Item.TOKEN and "Orin" in row.name)
    assert ours.energy_j is not None
    assert gpu.energy_j is not None
    assert 60 < gpu.latency_s.value / ours.latency_s.value < 90
    assert 800 < gpu.energy_j.value / ours.energy_j.value < 1200


def test_s4d_neurons_set_the_pace_in_every_corner(works: dict[str, Work]) -> None:
    """No set of costs that meets the figures makes the linear cores the fullest."""
    work = works["large"]
    kinds = {core: work.clusters[mine[0]].kind for core, mine in work.by_core.items()}
    for costs in (COSTS, *CORNERS):
        timing = time_steps(work, Mode.PIPELINED, costs)
        assert {kinds[core] for core in timing.core[timing.steady].tolist()} == {Kind.STATE}


def test_without_sparsity_fall_through_is_slower_the_pipeline_is_not() -> None:
    dense = replace(LARGE, state_density=1.0, relu_density=1.0)
    found = {}
    for name, structure in (("sparse", LARGE), ("dense", dense)):
        work = structure.work(structure.place(), tokens=40)
        for mode in Mode:
            found[name, mode] = time_steps(work, mode, COSTS).token_s
    assert found["dense", Mode.FALL_THROUGH] > 1.05 * found["sparse", Mode.FALL_THROUGH]
    pipelined = [found[name, Mode.PIPELINED] for name in ("dense", "sparse")]
    assert pipelined[0] == pytest.approx(pipelined[1], rel=0.01)
