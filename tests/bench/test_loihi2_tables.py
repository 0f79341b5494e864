"""Cells of the chip's tables against the numbers that they stand for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ns4d.bench.loihi2_run import LayerCount, Run, run
from ns4d.bench.loihi2_tables import (
    COMPARED,
    comparison_table,
    counted_table,
    layers_table,
    metrics_table,
    results_table,
    split_table,
)
from ns4d.bench.loihi2_what_if_table import COLUMNS, what_if_plain, what_if_table
from ns4d.engines import Reference
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.comparison import Item, Row, exact, measured, published
from ns4d.loihi2.estimate import Span
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.what_if import Outcome, predict, what_if
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(7), channels=6, modes=4, layers=1, inputs=2)
TOKENS = np.random.default_rng(8).integers(-900, 900, (25, 2))
TINY = Structure(1, 8, 16, 2, 3, 342, 0.8, 0.4, 12)


@pytest.fixture(scope="module")
def made() -> Run:
    return run(PROGRAM, TOKENS, "a test", Mode.PIPELINED, SYSTEMS["oheo-gulch"], None, Reference())


def first_number(cell: str) -> float:
    """What a cell begins with."""
    found = re.match(r"[\d.,]+", cell)
    assert found, cell
    return float(found[0].replace(",", ""))


UNITS = {" µs": 1e-6, ", ms": 1e-3, "µJ": 1e-6, "mJ": 1e-3}


@pytest.mark.parametrize(
    ("row", "field"),
    [(0, "token_s"), (2, "latency_s"), (3, "token_j"), (4, "sample_j"), (5, "board_token_j")],
)
def test_results_are_the_estimates_to_two_digits(made: Run, row: int, field: str) -> None:
    name, *cells = results_table(made).rows[row]
    scale = next(scale for unit, scale in UNITS.items() if unit in name)
    for mode, cell in zip(Mode, cells, strict=True):
        value = getattr(made.estimates[mode], field).value
        assert first_number(cell) * scale == pytest.approx(value, rel=0.051)


def test_rates_are_one_by_times(made: Run) -> None:
    times, rates = results_table(made).rows[:2]
    for time, rate in zip(times[1:], rates[1:], strict=True):
        assert first_number(rate) == pytest.approx(1e6 / first_number(time), rel=0.11)


def test_a_layer_is_shown_as_it_was_counted(made: Run) -> None:
    for layer, row in zip(made.layers, layers_table(made).rows, strict=True):
        assert row[:2] == (layer.name, layer.kind)
        assert first_number(row[3]) == layer.neurons
        assert first_number(row[4]) == pytest.approx(layer.spikes, abs=0.06)
        assert first_number(row[6]) == pytest.approx(layer.synops, abs=0.06)


def test_counts_by_hand() -> None:
    table = counted_table([LayerCount("layer0.s4d", "S4D", 24, 8192, 4096.0, 1234.56)])
    assert table.rows == (("layer0.s4d", "S4D", "24", "8,192", "4,096.0", "0.50", "1,234.6"),)


def test_causes_are_times_then_energies(made: Run) -> None:
    names = [row[0] for row in split_table(made).rows]
    times = [name for name in names if name.startswith("time: ")]
    assert names[: len(times)] == times
    assert all(name.startswith("energy: ") for name in names[len(times) :])
    assert len(names) == len(set(names))


def test_metrics_are_those_of_the_run(made: Run) -> None:
    cells = dict(metrics_table(made).rows)
    assert first_number(cells["footprint, bytes"]) == made.metrics.footprint
    assert first_number(cells["state updates per token"]) == made.metrics.state_updates == 24
    dense = cells["synaptic operations per token, Dense"]
    assert first_number(dense) == made.metrics.dense


class TestComparison:
    """Printed figures stay as printed; modelled ones have two digits with their range."""

    def test_published(self) -> None:
        row = published("chip", Item.TOKEN, 16e-6, 66e-6, 15_260.0)
        (cells,) = comparison_table(Item.TOKEN, [row]).rows
        assert cells == ("chip", "0.016", "0.066", "15,260", "0.00106", "published")

    def test_simulated(self) -> None:
        energy, time = Span(1.234e-3, 1.1e-3, 1.6e-3), Span(5.678e-3, 5.6e-3, 5.7e-3)
        row = Row("model", Item.SAMPLE, "simulated", energy, time, time.inverse)
        (cells,) = comparison_table(Item.SAMPLE, [row]).rows
        assert cells[1:4] == ("1.2 (1.1–1.6)", "5.7 (5.6–5.7)", "180")
        assert cells[4] == "7.0 (6.2–9.1)"

    def test_measured(self) -> None:
        row = measured("cpu", Item.TOKEN, 12.34e-6, 81_004.0)
        (cells,) = comparison_table(Item.TOKEN, [row]).rows
        assert cells[1:] == ("not known", "0.01234", "81,000", "not known", "measured")

    def test_an_item_has_its_own_table(self) -> None:
        rows = [measured("a", Item.TOKEN, 1.0, 1.0), measured("b", Item.SAMPLE, 1.0, 1.0)]
        for item, name in ((Item.TOKEN, "a"), (Item.SAMPLE, "b")):
            table = comparison_table(item, rows)
            assert [row[0] for row in table.rows] == [name]
            assert table.title.lower().startswith(f"{item.value} by {item.value}")
            assert table.columns == COMPARED

    def test_without_rows_it_is_empty(self) -> None:
        assert comparison_table(Item.TOKEN, []).rows == ()


class TestWhatIf:
    """One row per outcome, the base marked, a refusal told."""

    @pytest.fixture
    def outcomes(self) -> list[Outcome]:
        return list(what_if(TINY, axes=("layers", "relu_density")))

    def test_a_row_per_outcome(self, outcomes: list[Outcome]) -> None:
        rows = what_if_table(outcomes).rows
        assert len(rows) == len(outcomes)
        assert rows[0][0] == "nothing"
        assert [row[0] for row in rows[1:]] == [one.axis.replace("_", " ") for one in outcomes[1:]]
        assert all(len(row) == len(COLUMNS) for row in rows)

    def test_the_base_is_marked_once_per_axis(self, outcomes: list[Outcome]) -> None:
        marked = [row[0] for row in what_if_table(outcomes).rows if row[1].endswith("(as it is)")]
        assert marked == ["layers", "relu density"]

    def test_numbers_are_those_of_the_outcome(self, outcomes: list[Outcome]) -> None:
        for one, row in zip(outcomes, what_if_table(outcomes).rows, strict=True):
            for mode, time, energy in zip(Mode, row[5:7], row[7:9], strict=True):
                assert first_number(time) == pytest.approx(one.token_s[mode] / 1e-6, rel=0.051)
                assert first_number(energy) == pytest.approx(one.token_j[mode] / 1e-6, rel=0.051)

    def test_what_does_not_fit_says_why(self, outcomes: list[Outcome]) -> None:
        board = [SYSTEMS["oheo-gulch"]]
        refused = predict(Structure(1, 512, 64, 4, 3, 342, 0.8, 0.4, 12), systems=board)
        row = what_if_table([outcomes[0], refused]).rows[1]
        assert row[2:4] == ("-", "-")
        assert "at most 126 cores" in row[4]
        assert set(row[5:]) == {"-"}

    def test_json_can_be_read_back(self, outcomes: list[Outcome]) -> None:
        plain = what_if_plain(outcomes)[1]
        assert Structure(**plain["structure"]) == outcomes[1].structure
        assert plain["token_s"] == {mode.value: outcomes[1].token_s[mode] for mode in Mode}
        assert (plain["axis"], plain["cores"]) == ("layers", outcomes[1].cores)


def test_a_span_of_one_value_has_no_range() -> None:
    row = Row("x", Item.TOKEN, "simulated", exact(1e-3), exact(1e-3), exact(1000.0))
    assert comparison_table(Item.TOKEN, [row]).rows[0][1:4] == ("1.0", "1.0", "1,000")
