"""Work: one cluster per slice, counts kept, means taken, JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from loihi2_works import cluster, random_work
from ns4d.errors import ShapeError
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.listeners import listeners
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.work import Work, clusters_of, work_from_plain, work_of
from program_strategies import random_program


@pytest.fixture(scope="module")
def placement() -> Placement:
    """On chips of two cores, so that messages must leave them."""
    board = SYSTEMS["kp-stack"]
    chip = replace(
        board.chip,
        cores=Fact(2, "cores", "this test", Tag.ASSUMED),
        s4d_neurons_per_core=Fact(5, "neurons", "this test", Tag.ASSUMED),
    )
    return place(random_program(np.random.default_rng(1), layers=2), replace(board, chip=chip))


def counted(placement: Placement, tokens: int = 4) -> Activity:
    rng, size = np.random.default_rng(2), (tokens, len(placement.slices))
    return Activity(placement, rng.integers(0, 9, size), rng.integers(0, 99, size))


def test_clusters_are_the_slices(placement: Placement) -> None:
    for one, part in zip(clusters_of(placement), placement.slices, strict=True):
        population = placement.populations[part.population]
        assert (one.name, one.kind, one.stage) == (
            population.name,
            population.kind,
            population.stage,
        )
        assert (one.core, one.neurons) == (part.core, part.neurons)
        assert one.chip == part.core // 2


def test_the_reach_covers_everyone_who_hears(placement: Placement) -> None:
    heard = listeners(placement)
    assert placement.chips > 2
    for one, part in zip(clusters_of(placement), placement.slices, strict=True):
        chips = {one.chip, *(other.core // 2 for other in heard[part])}
        assert one.reach == (min(chips), max(chips))


def test_counts_are_kept(placement: Placement) -> None:
    activity = counted(placement)
    work = work_of(activity)
    assert (work.spikes == activity.spikes).all()
    assert (work.synops == activity.synops).all()
    assert work.tokens == activity.tokens
    assert work.message_bits == placement.program.arithmetic.message_bits
    assert work.chips == placement.chips
    assert tuple(work.by_core) == placement.cores


def test_the_mean_keeps_totals() -> None:
    work = random_work(0, tokens=8)
    mean = work.mean(8)
    assert mean.tokens == 8
    assert mean.synops.sum() == pytest.approx(work.synops.sum())
    assert mean.spikes.sum() == pytest.approx(work.spikes.sum())
    assert (mean.synops == mean.synops[0]).all()


def test_what_is_written_is_read_back() -> None:
    work = random_work(1, chips=3)
    again = work_from_plain(json.loads(json.dumps(work.plain())), tokens=2)
    mean = work.mean(2)
    assert again.clusters == work.clusters
    assert (again.spikes == mean.spikes).all()
    assert (again.synops == mean.synops).all()
    assert again.message_bits == work.message_bits


def test_neurons_are_counted_by_kind() -> None:
    clusters = (cluster(1, 0, 4), cluster(2, 1, 7), cluster(2, 2, 9))
    work = Work(clusters, np.ones((1, 3)), np.ones((1, 3)), 12)
    assert work.neurons(Kind.STATE) == 16
    assert work.neurons(Kind.STATE, Kind.DENSE) == 20
    assert work.neurons(Kind.ADD) == 0


def test_steps_per_token_leave_out_input_and_readout() -> None:
    assert random_work(0).steps_per_token == 4
    ends = (cluster(0, 0), cluster(1, 1, kind=Kind.READOUT))
    assert Work(ends, np.ones((1, 2)), np.ones((1, 2)), 12).steps_per_token == 1


@pytest.mark.parametrize("shape", [(0, 2), (1, 3), (2,)])
def test_counts_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    clusters = (cluster(0, 0), cluster(1, 1))
    with pytest.raises(ShapeError, match=r"work spikes: expected \(l, 2\) numbers, at least one"):
        Work(clusters, np.ones(shape), np.ones((1, 2)), 12)
