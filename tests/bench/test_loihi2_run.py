"""A simulated run: compared with an engine, counted by layer, shown in tables."""

from __future__ import annotations

import numpy as np
import pytest

from ns4d.bench.loihi2_cpu import cpu_rows
from ns4d.bench.loihi2_run import Run, require_equal, run
from ns4d.bench.loihi2_tables import (
    comparison_table,
    layers_table,
    metrics_table,
    results_table,
    split_table,
)
from ns4d.bench.tables import Origin
from ns4d.engines import Reference
from ns4d.errors import RangeError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.comparison import PAPER_ROWS, Item, simulated
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import simulate
from program_strategies import random_program

BOARD = SYSTEMS["oheo-gulch"]
PROGRAM = random_program(np.random.default_rng(0), channels=6, modes=4, layers=2, inputs=2)
TOKENS = np.random.default_rng(1).integers(-900, 900, (25, 2))


@pytest.fixture(scope="module")
def made() -> Run:
    return run(PROGRAM, TOKENS, "a test", Mode.PIPELINED, BOARD, engine=Reference())


def test_a_run_is_equal_to_the_reference(made: Run) -> None:
    states = 2 * sum(node.a_re.size for node in PROGRAM.recurrent)
    # Scores after every token, then the state: x, r, the number of tokens.
    assert made.values == 25 * 3 + states + 3 + 1
    assert made.engine == "reference"
    assert made.mode is Mode.PIPELINED
    assert made.program == PROGRAM


class Liar:
    """The reference, but for one score."""

    name, batch = "liar", 1

    def load(self, program, streams):
        machine = Reference().load(program, streams)

        class Wrong:
            state = property(lambda self: machine.state)

            def advance(self, u):
                scores = machine.advance(u)
                scores[0, -1, 0] += 1
                return scores

        return Wrong()

    def trace(self, program, u):
        return Reference().trace(program, u)


def test_a_difference_is_an_error() -> None:
    simulation = simulate(place(PROGRAM, BOARD), TOKENS, Mode.FALL_THROUGH)
    with pytest.raises(RangeError, match="fall-through, scores: expected the integers of engine"):
        require_equal(simulation, TOKENS, Liar())  # type: ignore[arg-type]


def test_layers_add_up(made: Run) -> None:
    activity, layers = made.simulation.activity, made.layers
    assert [layer.name for layer in layers] == [p.name for p in activity.placement.populations]
    assert sum(layer.spikes for layer in layers) == pytest.approx(activity.spikes.sum() / 25)
    assert sum(layer.synops for layer in layers) == pytest.approx(activity.synops.sum() / 25)
    assert sum(layer.neurons for layer in layers) == activity.updates_per_token.sum()
    assert all(0 <= layer.density <= 1 for layer in layers)


def test_both_modes_are_estimated_from_one_run(made: Run) -> None:
    other = run(PROGRAM, TOKENS, "a test", Mode.FALL_THROUGH, BOARD, engine=Reference())
    for mode in Mode:
        assert other.estimates[mode].token_s == made.estimates[mode].token_s
        assert other.estimates[mode].token_j == made.estimates[mode].token_j


def test_tables_show_every_layer_cause_and_metric(made: Run) -> None:
    tables = (results_table(made), layers_table(made), split_table(made), metrics_table(made))
    assert all(table.origin is Origin.SIMULATED for table in tables)
    results, layers, split, metrics = tables
    assert results.title == "random on Oheo Gulch, 25 tokens"
    assert results.columns[1:] == ("fall-through", "pipelined")
    assert len(layers.rows) == len(made.layers)
    found = made.estimates[Mode.PIPELINED]
    assert len(split.rows) == len(found.timing.causes_s) + len(found.energy.causes_j)
    assert {row[0] for row in metrics.rows} >= {"footprint, bytes", "state updates per token"}


def test_every_row_of_a_comparison_says_how_it_is_known(made: Run) -> None:
    rows = [
        *PAPER_ROWS,
        simulated(made.estimates[Mode.FALL_THROUGH]),
        *cpu_rows(PROGRAM, TOKENS, 1),
    ]
    tokens = comparison_table(Item.TOKEN, rows)
    assert tokens.origin is Origin.STATED
    assert [row[-1] for row in tokens.rows] == ["published", "published", "simulated", "measured"]
    assert tokens.rows[0] == ("Loihi 2", "0.016", "0.066", "15,260", "0.00106", "published")
    assert tokens.rows[1][1:5] == ("16.11", "4.98", "201", "80.2")
    assert tokens.rows[3][1] == tokens.rows[3][4] == "not known"
    samples = comparison_table(Item.SAMPLE, rows)
    assert [row[1:5] for row in samples.rows[:3]] == [
        ("10.36", "12.74", "80", "132"),
        ("26.89", "6.33", "158", "170"),
        ("0.961", "8.476", "7,550", "8.15"),
    ]
