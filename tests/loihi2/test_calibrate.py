"""The fit: it finds costs that were planted, meets the figures, and refuses what cannot be met."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ns4d.errors import ConfigError
from ns4d.loihi2.calibrate import SAMPLE_TOKENS, TARGETS, Targets, fit, fit_corners, sample_s
from ns4d.loihi2.costs import COSTS, FITTED_ENERGIES, FITTED_TIMES, Costs
from ns4d.loihi2.energy import price
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.work import Work, work_from_plain

RECORD = Path(__file__).resolve().parents[2] / "benchmarks/results/loihi2_calibration.json"
FITTED = ("step_floor_s", "state_update_s", "static_w", "state_update_j")
PLANTED = COSTS.at(step_floor_s=2e-6, state_update_s=20e-9, static_w=0.3, state_update_j=0.5e-9)


@pytest.fixture(scope="module")
def work() -> Work:
    """Of a small network that the chip could run."""
    structure = Structure(2, 16, 32, 2, 4, 64, 0.9, 0.4, 12)
    return structure.work(structure.place())


@pytest.fixture(scope="module")
def recorded() -> Work:
    """The mean token of the published network."""
    return work_from_plain(json.loads(RECORD.read_text())["work"])


def fact(value: float, unit: str) -> Fact:
    return Fact(value, unit, "this test", Tag.MEASURED)


def targets_of(work: Work, costs: Costs) -> Targets:
    """What the model says at some costs, as if a paper had printed it."""
    one = time_steps(work.mean(SAMPLE_TOKENS), Mode.FALL_THROUGH, costs)
    many = time_steps(work.mean(SAMPLE_TOKENS), Mode.PIPELINED, costs)
    return Targets(
        fact(one.token_s, "s"),
        fact(many.latency_s, "s"),
        fact(price(one, costs).token_j, "J"),
        fact(price(many, costs).sample_j, "J"),
    )


def test_planted_costs_are_found(work: Work) -> None:
    found = fit(work, COSTS, targets_of(work, PLANTED))
    for name in FITTED:
        assert found.facts[name].value == pytest.approx(PLANTED.facts[name].value, rel=1e-6), name
    assert found.synop_s == COSTS.synop_s


def test_a_sample_of_equal_tokens_is_reckoned_from_a_short_one(work: Work) -> None:
    whole = time_steps(work.mean(SAMPLE_TOKENS), Mode.PIPELINED, COSTS).latency_s
    assert sample_s(work.mean(32), COSTS) == pytest.approx(whole, rel=1e-12)


def test_the_mean_token_counts(work: Work) -> None:
    uneven = Work(
        work.clusters,
        np.concatenate([2 * work.spikes, 0 * work.spikes]),
        np.concatenate([0 * work.synops, 2 * work.synops]),
        work.message_bits,
    )
    targets = targets_of(work, PLANTED)
    assert fit(uneven, COSTS, targets) == fit(work, COSTS, targets)


@pytest.mark.parametrize(
    ("name", "factor", "what"),
    [
        ("token_s", 0.01, "times of step and S4D update"),
        ("sample_s", 1e-4, "times of step and S4D update"),
        ("token_j", 0.01, "energies of chip and S4D update"),
        ("sample_j", 100.0, "energies of chip and S4D update"),
    ],
)
def test_figures_that_no_costs_meet_are_refused(
    work: Work, name: str, factor: float, what: str
) -> None:
    targets = targets_of(work, PLANTED)
    wrong = replace(targets, **{name: fact(factor * getattr(targets, name).value, "s")})
    with pytest.raises(ConfigError, match=f"calibration, {what}: expected values of zero or more"):
        fit(work, COSTS, wrong)


def test_a_network_without_s4d_neurons_cannot_calibrate(work: Work) -> None:
    others = tuple(replace(one, kind=Kind.DENSE) for one in work.clusters)
    with pytest.raises(ConfigError, match="calibration"):
        fit(replace(work, clusters=others), COSTS, targets_of(work, PLANTED))


def test_the_published_figures_in_print() -> None:
    """Each spread is the rounding of the digits that the paper gives."""
    assert 1 / TARGETS.token_s.value == pytest.approx(15_260)
    for found, printed, digits in (
        (TARGETS.token_s.value * 1e3, 0.066, 3),
        (TARGETS.sample_s.value * 1e3, 12.74, 2),
        (TARGETS.token_j.value * 1e3, 0.016, 3),
        (TARGETS.sample_j.value * 1e3, 10.36, 2),
    ):
        assert round(found, digits) == printed
    for one in vars(TARGETS).values():
        low, high = one.spread
        assert high - one.value == pytest.approx(one.value - low, rel=0.01)


class TestTheRecord:
    """The constants of `costs` are the fit to the recorded work, to four digits."""

    def test_it_is_the_published_network(self, recorded: Work) -> None:
        assert len(recorded.by_core) == 111
        assert recorded.neurons(Kind.STATE) == 4 * 128 * 64
        assert recorded.steps_per_token == 13

    @pytest.mark.parametrize("name", FITTED)
    def test_costs_are_the_fit(self, recorded: Work, name: str) -> None:
        found = fit(recorded, COSTS).facts[name].value
        assert COSTS.facts[name].value == float(f"{found:.4g}")

    def test_corners_are_the_fits_at_the_ends(self, recorded: Work) -> None:
        times, energies = fit_corners(recorded, COSTS)
        for stated, found in ((FITTED_TIMES, times), (FITTED_ENERGIES, energies)):
            assert stated == {
                ends: tuple(float(f"{value:.4g}") for value in pair) for ends, pair in found.items()
            }

    def test_energies_are_fitted_alike_however_times_are_explained(self, recorded: Work) -> None:
        for end in COSTS.synop_s.spread:
            found = fit(recorded, COSTS.at(synop_s=end))
            for name in ("static_w", "state_update_j"):
                wanted = pytest.approx(COSTS.facts[name].value, rel=1e-3)
                assert found.facts[name].value == wanted

    def test_the_model_meets_the_figures_it_was_fitted_to(self, recorded: Work) -> None:
        sample = recorded.mean(SAMPLE_TOKENS)
        one, many = (time_steps(sample, mode, COSTS) for mode in Mode)
        assert one.token_s == pytest.approx(TARGETS.token_s.value, rel=1e-3)
        assert many.latency_s == pytest.approx(TARGETS.sample_s.value, rel=1e-3)
        assert price(one, COSTS).token_j == pytest.approx(TARGETS.token_j.value, rel=1e-3)
        assert price(many, COSTS).sample_j == pytest.approx(TARGETS.sample_j.value, rel=1e-3)

    def test_the_record_says_what_it_counted(self) -> None:
        record = json.loads(RECORD.read_text())
        assert record["origin"] == "measured"
        assert len(record["digest"]) == 64
        assert record["tokens"] % SAMPLE_TOKENS == 0
        assert {"commit", "machine"} <= set(record["environment"])


def test_the_work_of_a_structure_is_placed_like_a_program() -> None:
    structure = Structure(2, 16, 32, 2, 4, 64, 0.9, 0.4, 12)
    placement = structure.place()
    assert placement.cores == place(placement.program, placement.system).cores
