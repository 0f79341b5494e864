"""A study: a run beside other systems, in tables, in sentences, in JSON, on a page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from ns4d.bench.loihi2_run import run
from ns4d.bench.loihi2_study import CAVEATS, Study, cost_lines, mode_of, plain_row, study
from ns4d.bench.tables import Origin
from ns4d.engines import Reference
from ns4d.errors import ConfigError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.comparison import PAPER_ROWS, Item, Row, exact, measured
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.mode import Mode
from ns4d.program import Program
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(3), channels=6, modes=4, layers=2, inputs=2)
TOKENS = np.random.default_rng(4).integers(-900, 900, (25, 2))
CPU = (
    measured("this CPU", Item.TOKEN, 2e-5, 5e4),
    measured("this CPU, batch 1", Item.SAMPLE, 5e-4, 2e3),
)


def studied(program: Program = PROGRAM, cores: int | None = None) -> Study:
    board = SYSTEMS["kapoho-point"]
    made = run(program, TOKENS, "a test", Mode.PIPELINED, board, cores, Reference())
    return study(made, CPU)


@pytest.fixture(scope="module")
def found() -> Study:
    return studied()


def test_published_then_simulated_then_measured(found: Study) -> None:
    assert found.rows[: len(PAPER_ROWS)] == PAPER_ROWS
    assert found.rows[-len(CPU) :] == CPU
    between = found.rows[len(PAPER_ROWS) : -len(CPU)]
    assert [row.origin for row in between] == ["simulated"] * 4
    assert [row.item for row in between] == [Item.TOKEN, Item.TOKEN, Item.SAMPLE, Item.SAMPLE]
    assert {row.name for row in between} == {"our model", "our model, power of boards"}


def test_every_table_says_how_its_numbers_came_about(found: Study) -> None:
    origins = [table.origin for table in found.tables]
    assert origins == [Origin.SIMULATED] * 4 + [Origin.STATED] * 2
    titles = [table.title for table in found.tables]
    assert len(set(titles)) == len(titles)


def test_the_sentences_say_what_was_checked(found: Study) -> None:
    lines = found.lines()
    values = found.run.values
    assert lines[0] == (
        f"pipelined: 25 tokens (a test) in 33 steps; {values:,} scores and states equal to those "
        "of engine reference"
    )
    assert lines[1] == f"{len(found.run.work.by_core)} cores on 1 of 8 chips"
    assert set(CAVEATS) <= set(lines)


def test_what_is_assumed_of_the_placement_is_said() -> None:
    """Fewer cores than the chip's usual loads allow."""
    program = random_program(np.random.default_rng(3), channels=120, modes=4, inputs=2)
    lines = studied(program, cores=5).lines()
    assert any(line.startswith("assumed: ") and "per core" in line for line in lines)
    assert not any(line.startswith("assumed: ") for line in studied(program).lines())


def test_every_cost_is_in_one_line() -> None:
    lines = cost_lines()
    named = [name for line in lines for name in line.partition(": ")[2].split(", ")]
    assert sorted(named) == sorted(COSTS.facts)
    for line in lines:
        tag = re.match(r"costs (\w+): ", line)
        assert tag
        for name in line.partition(": ")[2].split(", "):
            assert COSTS.facts[name].tag.value == tag[1]


def test_json_holds_what_the_tables_show(found: Study) -> None:
    plain = json.loads(json.dumps(found.plain()))
    assert plain["digest"] == PROGRAM.digest
    assert plain["equal_values"] == found.run.values
    assert plain["scores"] == Reference().load(PROGRAM, 1).advance(TOKENS[None])[0, -1].tolist()
    assert len(plain["layers"]) == len(found.run.layers)
    assert len(plain["comparison"]) == len(found.rows)
    assert plain["what_if"] == []
    for mode in Mode:
        estimate, shown = found.run.estimates[mode], plain["estimates"][mode.value]
        assert shown["token_s"]["value"] == estimate.token_s.value
        assert shown["sample_j"]["high"] == estimate.sample_j.high
        assert shown["board_token_j"]["low"] == estimate.board_token_j.low
        assert sum(shown["causes_j"].values()) == pytest.approx(estimate.token_j.value)


def test_json_of_a_row() -> None:
    row = Row("x", Item.TOKEN, "simulated", exact(2.0), exact(3.0), exact(4.0))
    plain = plain_row(row)
    assert plain["energy_delay_js"] == {"value": 6.0, "low": 6.0, "high": 6.0}
    assert plain["item"] == "token"
    assert plain_row(CPU[0])["energy_j"] is plain_row(CPU[0])["energy_delay_js"] is None


def test_nothing_is_written_unasked(found: Study) -> None:
    assert found.write(None, None) == []


def test_modes_by_name() -> None:
    assert [mode_of(mode.value) for mode in Mode] == list(Mode)
    with pytest.raises(
        ConfigError, match="--mode: expected one of fall-through, pipelined, got 'x'"
    ):
        mode_of("x")
