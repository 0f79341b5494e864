"""Facts know where they come from, chips and systems what they hold."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from ns4d.errors import ConfigError
from ns4d.loihi2.chip import LOIHI2_CHIP, SYSTEMS, UNLIMITED, Chip, System, system_of
from ns4d.loihi2.fact import Fact, Tag


def test_a_fact_without_spread_has_none():
    assert Fact(3, "s", "a book", Tag.PUBLISHED).spread == (3, 3)
    assert Fact(3, "s", "a book", Tag.FITTED, low=2, high=5).spread == (2, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": -1},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": 3, "low": 4},
        {"value": 3, "high": 2},
        {"value": 3, "high": float("inf")},
    ],
)
def test_an_impossible_number_is_refused(wrong):
    with pytest.raises(ConfigError, match="low <= value <= high"):
        Fact(**{"unit": "s", "source": "a book", "tag": Tag.MEASURED} | wrong)


@pytest.mark.parametrize("source", ["", "  "])
def test_a_number_without_source_is_refused(source):
    with pytest.raises(ConfigError, match="expected a source"):
        Fact(3, "s", source, Tag.MEASURED)


def test_every_limit_of_the_chip_is_a_fact_with_its_unit():
    for field in fields(LOIHI2_CHIP):
        limit = getattr(LOIHI2_CHIP, field.name)
        assert field.name == "name" or (isinstance(limit, Fact) and limit.unit)


def test_what_is_inferred_does_not_pass_for_published():
    assert LOIHI2_CHIP.s4d_neurons_per_core.tag is Tag.FITTED
    assert LOIHI2_CHIP.synops_per_core.tag is Tag.FITTED
    assert LOIHI2_CHIP.delay_steps.tag is Tag.ASSUMED
    assert LOIHI2_CHIP.core_bytes.tag is Tag.PUBLISHED


def test_a_chip_without_a_limit_is_refused():
    with pytest.raises(ConfigError, match="neurons_per_core: expected at least 1"):
        replace(LOIHI2_CHIP, neurons_per_core=Fact(0, "neurons", "nowhere", Tag.ASSUMED))


def test_a_system_without_a_chip_is_refused():
    with pytest.raises(ConfigError, match="'none' chips: expected at least 1"):
        System("none", 0, LOIHI2_CHIP, "nowhere")


def test_the_systems_stand_by_size():
    sizes = [system.cores for system in SYSTEMS.values()]
    assert sizes == sorted(sizes)
    assert [system.chips for system in SYSTEMS.values()] == [1, 8, 32, 128, 1152]


def test_hala_point_has_the_cores_that_intel_counts():
    assert SYSTEMS["hala-point"].cores == 140_544
    assert SYSTEMS["oheo-gulch"].cores == 126


def test_a_system_is_found_by_name():
    assert system_of("kapoho-point").chips == 8
    with pytest.raises(ConfigError, match=r"--system: expected one of oheo-gulch, .*got 'loihi'"):
        system_of("loihi")


def test_the_unlimited_chip_loads_its_cores_like_the_real_one():
    chip = UNLIMITED.chip
    same = {f.name for f in fields(Chip) if getattr(chip, f.name) == getattr(LOIHI2_CHIP, f.name)}
    assert same == {"s4d_neurons_per_core", "synops_per_core"}
    assert chip.state_bits.value > 64
