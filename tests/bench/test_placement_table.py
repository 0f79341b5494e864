"""What `ns4d place` shows: sums that agree with the placement, the limit that is nearest."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from loihi2_programs import crowded, shaped, with_limits
from ns4d.bench.placement_table import placement_plain, placement_rows, placement_table
from ns4d.bench.tables import Origin, print_table
from ns4d.loihi2.chip import SYSTEMS, UNLIMITED
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement

SMALL = place(shaped(64, 32, 4))


def row(placement: Placement, layer: str, kind: str) -> dict:
    (found,) = (
        row for row in placement_rows(placement) if (row["layer"], row["kind"]) == (layer, kind)
    )
    return found


@pytest.mark.parametrize(
    "placement",
    [SMALL, place(shaped(5, 3, 2, residual=True), crowded(4, 9))],
    ids=["small", "tiny"],
)
def test_rows_sum_up_to_the_placement(placement):
    rows = placement_rows(placement)
    assert [row["layer"] for row in rows] == [found.name for found in placement.populations]
    assert sum(row["neurons"] for row in rows) == sum(part.neurons for part in placement.slices)
    assert sum(row["synapses"] for row in rows) == placement.synapses.sum()
    every = placement.synapse_bytes.sum() + placement.neuron_bytes.sum()
    assert sum(row["bytes"] for row in rows) == every
    assert sorted({core for row in rows for core in row["cores"]}) == list(placement.cores)


def test_the_nearest_limit_is_that_of_the_load():
    states, linear = (
        row(SMALL, "layer0.s4d", "S4D"),
        row(SMALL, "layer0.linear", "linear"),
    )
    assert (states["used"], states["limit"], states["limited_by"]) == (342, 342, "S4D neurons")
    assert (linear["used"], linear["limit"], linear["limited_by"]) == (6144, 8192, "synapses")
    assert linear["fullest_core"] == linear["cores"][0]
    assert row(SMALL, "input", "input")["synapses"] == 0


@pytest.mark.parametrize(
    ("limits", "limited_by"),
    [
        ({"neurons_per_core": 16}, "neurons"),
        ({"synapse_bytes": 300}, "B of synapses"),
        ({"core_bytes": 500}, "B"),
        ({"synops_per_core": 50}, "synapses"),
        ({"s4d_neurons_per_core": 9}, "S4D neurons"),
    ],
)
def test_each_limit_can_be_the_nearest(limits, limited_by):
    placement = place(shaped(16, 8), with_limits(UNLIMITED.chip, **limits))
    nearest = {row["limited_by"] for row in placement_rows(placement)}
    assert limited_by in nearest
    for found in placement_rows(placement):
        is_load = found["limited_by"] == "synapses"
        assert found["used"] <= found["limit"] or is_load


def test_populations_of_one_core_share_its_fullest_load():
    reduce, linear = row(SMALL, "layer1.s4d", "reduce"), row(SMALL, "layer1.linear", "linear")
    assert reduce["cores"] == linear["cores"]
    assert [reduce["used"], linear["used"]] == [64 * 32 + 64 * 64] * 2


def test_json_can_be_written_and_names_the_program():
    plain = json.loads(json.dumps(placement_plain(place(SMALL.program, cores=20))))
    assert plain["program"] == SMALL.program.digest
    assert (plain["cores"], plain["chips"], plain["system_chips"]) == (19, 1, 1)
    assert plain["steps_per_token"] == 13
    assert any("S4D neurons per core to use at most 20 cores" in note for note in plain["notes"])
    assert len(plain["layers"]) == 15


def test_the_table_fits_a_terminal_of_80_columns():
    page = io.StringIO()
    print_table(placement_table(SMALL), Console(file=page, width=80))
    lines = page.getvalue().splitlines()
    assert lines[0].startswith("31 cores on 1 of 1 chips of Oheo Gulch (simulated)")
    assert "…" not in page.getvalue()
    assert len(lines) == 1 + 3 + 15 + 1, "one line per population"
    assert any(
        "layer3.s4d reduce" in line and "29" in line and "6144/8192 synapses" in line
        for line in lines
    )


def test_a_table_of_several_chips_says_so():
    table = placement_table(place(shaped(128, 64, 5), SYSTEMS["kapoho-point"]))
    assert table.title == "138 cores on 2 of 8 chips of Kapoho Point"
    assert table.origin is Origin.SIMULATED
    spans = [row[1] for row in table.rows]
    assert spans[0] == "0"
    assert spans[2] == "2-25"
