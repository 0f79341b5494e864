"""One thing at a time: what must grow grows, what must not move does not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.what_if import AXES, Outcome, predict, values, what_if

BASE = Structure(1, 16, 16, 4, 10, 43, 0.8, 0.4, 12)
FALL, PIPE = Mode.FALL_THROUGH, Mode.PIPELINED


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in what_if(BASE, axes=("layers", "s4d_neurons_per_core", "relu_density")):
        found.setdefault(outcome.axis, []).append(outcome)
    return found


def test_the_base_comes_first_then_every_axis(outcomes: dict[str, list[Outcome]]) -> None:
    assert list(outcomes) == ["", "layers", "s4d_neurons_per_core", "relu_density"]
    assert [one.structure for one in outcomes[""]] == [BASE]


@pytest.mark.parametrize("axis", AXES)
def test_values_ascend_and_hold_the_own_one(axis: str) -> None:
    found = values(BASE, axis)
    assert found == sorted(set(found))
    assert getattr(BASE, axis) in found
    assert len(found) > 2


def test_one_thing_changes_at_a_time(outcomes: dict[str, list[Outcome]]) -> None:
    for axis, found in outcomes.items():
        for outcome in found if axis else []:
            value = getattr(outcome.structure, axis)
            assert outcome.structure == replace(BASE, **{axis: value})


def test_layers_lengthen_fall_through_not_the_pipeline(outcomes: dict[str, list[Outcome]]) -> None:
    on_one_chip = [one for one in outcomes["layers"] if one.chips == 1]
    times = [one.token_s[FALL] for one in on_one_chip]
    assert times == sorted(times)
    assert len(times) == len(set(times)) > 2
    paces = {f"{one.token_s[PIPE]:.6g}" for one in on_one_chip}
    assert len(paces) == 1


def test_fuller_cores_are_slower_and_fewer(outcomes: dict[str, list[Outcome]]) -> None:
    found = [one for one in outcomes["s4d_neurons_per_core"] if one.chips == 1]
    assert len(found) > 2
    for less, more in pairwise(found):
        assert less.cores > more.cores
        assert less.token_s[PIPE] < more.token_s[PIPE]


def test_silence_saves_energy(outcomes: dict[str, list[Outcome]]) -> None:
    for mode in Mode:
        energies = [one.token_j[mode] for one in outcomes["relu_density"]]
        assert energies == sorted(energies)


def test_message_bits_are_felt_between_chips_only() -> None:
    def differs(base: Structure) -> bool:
        narrow, broad = (predict(replace(base, message_bits=bits)) for bits in (8, 24))
        return narrow.token_j != broad.token_j

    assert not differs(BASE)
    assert differs(replace(BASE, s4d_neurons_per_core=8))


def test_what_no_system_holds_says_why() -> None:
    board = SYSTEMS["oheo-gulch"]
    outcome = predict(replace(BASE, channels=400), systems=[board])
    assert (outcome.cores, outcome.chips, outcome.token_s) == (0, 0, {})
    assert outcome.system.startswith("system 'Oheo Gulch': at most 126 cores")


def test_costs_are_those_given() -> None:
    slow = predict(BASE, COSTS.at(step_floor_s=1.0))
    assert slow.token_s[PIPE] > 1
    assert slow.token_s[FALL] > 13
