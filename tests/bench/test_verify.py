"""`ns4d verify`: the certificate as it is proved, every engine tried, differences reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.bench import verify as module
from ns4d.bench.emulate.record import task_messages
from ns4d.bench.loihi2_tokens import tokens_for as chip_tokens
from ns4d.bench.verify import ENGINES, STREAMS, Span, generated, prove, tokens_for, verify
from ns4d.data import Permutation, load_task
from ns4d.data.tasks import DATA_VARIABLE
from ns4d.engines import Engine, Reference
from ns4d.engines.compare import compare
from ns4d.errors import ConfigError, DataError
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program


def small(inputs=1, saturating=False):
    rng = np.random.default_rng(0)
    return random_program(rng, inputs=inputs, channels=3, modes=2, layers=2, saturating=saturating)


CERTIFIED, CALIBRATED = small(), small(saturating=True)


class Wrong:
    """The reference, off by one in one message."""

    name, batch = "wrong", 1
    load = Reference().load

    def trace(self, program, u):
        sent = Reference().trace(program, u)
        sent["layer1.ssm"][5, 7, 2] += 1
        return sent


TOKENS = 12


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "TOKENS", TOKENS)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


def test_a_program_that_cannot_saturate_is_certified():
    found = verify(CERTIFIED, engines=[Reference()])
    assert found.verdict == "certified"
    assert found.may_saturate == 0
    assert found.equal
    assert found.differences() == []
    first, second = found.lines()
    assert first == "certified: no input can overflow an accumulator or saturate a state"
    (comparison,) = found.comparisons
    assert second == (
        f"engine reference: {comparison.values} values equal to the reference's, "
        f"{STREAMS} sequences of {TOKENS} tokens (generated)"
    )
    assert comparison.values > 5 * STREAMS * TOKENS * 3


def test_a_program_that_can_is_calibrated():
    found = verify(CALIBRATED)
    assert found.verdict == "calibrated"
    assert 0 < found.may_saturate == sum(p.may_saturate for p in CALIBRATED.ranges)
    assert found.lines()[0] == f"calibrated: {found.may_saturate} of 12 states may saturate"


def test_saturation_rates_of_the_provenance_are_shown():
    metadata = replace(CALIBRATED.metadata, provenance={"saturated.layer0.ssm": 0.25, "seed": 1})
    found = verify(replace(CALIBRATED, metadata=metadata))
    assert found.rates == {"saturated.layer0.ssm": 0.25}
    assert "provenance saturated.layer0.ssm = 0.25" in found.lines()
    assert found.plain()["saturation"] == {"saturated.layer0.ssm": 0.25}


@pytest.mark.parametrize("program", [CERTIFIED, CALIBRATED], ids=["certified", "calibrated"])
def test_the_rows_are_the_certificate(program):
    rows = prove(program)
    assert [row.name for row in rows] == [proved.name for proved in program.ranges]
    for row, proved in zip(rows, program.ranges, strict=True):
        assert row.accumulator == Span(int(proved.accumulator.max()), LOIHI2.accumulator_max)
        if proved.states is not None:
            assert row.states == Span(int(proved.states.max()), LOIHI2.state_max)
            assert (row.may_saturate, row.state_count) == (proved.may_saturate, 6)
        else:
            assert (row.states, row.may_saturate, row.state_count) == (None, 0, 0)
    for row, node in zip(rows, program.nodes, strict=False):
        assert row.message == Span(int(node.descale.limit.max()), LOIHI2.message_max)
    assert rows[-1].message is None
    table = verify(program).table
    assert [row[0] for row in table.rows] == [row.name for row in rows]
    assert table.columns[1] == "accumulator\nof 8388607"
    assert table.rows[1][-1] == f"{rows[1].may_saturate}/6"


@pytest.mark.parametrize(
    ("bound", "spare"), [(127, 0), (64, 0), (63, 1), (32, 1), (31, 2), (1, 6), (0, 7)]
)
def test_spare_bits_are_those_no_value_uses(bound, spare):
    assert Span(bound, 127).spare_bits == spare
    assert bound <= 2 ** (7 - spare) - 1


def test_a_wrong_engine_is_named_and_the_others_still_run():
    found = verify(CERTIFIED, engines=[Wrong(), Reference()])
    assert not found.equal
    (line,) = found.differences()
    assert line.startswith("engine 'wrong' trace: node 'layer1.ssm' message, stream 5, token 7, ch")
    assert [comparison.engine for comparison in found.comparisons] == ["wrong", "reference"]
    plain = found.plain()
    assert plain["equal"] is False
    assert plain["engines"][0]["difference"]["channel"] == 2
    assert plain["engines"][1]["difference"] is None


def test_every_engine_of_the_table_is_tried(monkeypatch):
    monkeypatch.setattr(module, "ENGINES", {**ENGINES, "wrong": Wrong})
    assert [found.engine for found in verify(CERTIFIED).comparisons] == [*ENGINES, "wrong"]


@pytest.mark.parametrize(("name", "make"), ENGINES.items())
def test_the_table_holds_engines(name, make):
    engine = make()
    assert isinstance(engine, Engine)
    assert engine.name == name


def test_generated_tokens_reach_the_edges():
    program = random_program(np.random.default_rng(1), WIDE, inputs=2)
    u = generated(program)
    assert u.shape == (STREAMS, TOKENS, 2)
    assert not u[0].any()
    assert (u[1] == WIDE.message_max).all()
    assert (u[2] == -WIDE.message_max).all()
    assert (u[3, 1:] == -u[3, :-1]).all()
    assert np.count_nonzero(u[4]) == 2
    assert (generated(program) == u).all(), "the same tokens every time"
    assert verify(program).equal


def of_task(task, inputs=1):
    program = small(inputs)
    return replace(program, metadata=replace(program.metadata, task=task))


def test_real_tokens_where_they_are_at_hand():
    program = of_task("digits")
    source, (real, made) = tokens_for(program)
    assert source == "from the middle of test sequences of digits; generated"
    assert real.shape == made.shape == (STREAMS, TOKENS, 1)
    assert real.dtype == np.float64, "raw values go through equation (0)"
    assert (made == generated(program)).all()
    found = verify(program, engines=[Reference()])
    assert found.plain()["tokens"] == {"source": source, "streams": 2 * STREAMS, "tokens": TOKENS}
    (both,) = found.comparisons
    assert both.values == sum(compare(Reference(), program, part).values for part in (real, made))


class WrongAtTheEdge:
    """The reference, but for messages that reach the smallest one."""

    name, batch = "wrong at the edge", 1
    load = Reference().load

    def trace(self, program, u):
        sent = Reference().trace(program, u)
        sent["layer1.ssm"][:] += u.min() == -program.arithmetic.message_max
        return sent


def test_an_engine_that_errs_on_generated_tokens_alone_is_found_beside_real_ones():
    (found,) = verify(of_task("digits"), engines=[WrongAtTheEdge()]).comparisons
    assert found.difference is not None
    real = tokens_for(of_task("digits"))[1][0]
    assert compare(WrongAtTheEdge(), of_task("digits"), real).difference is None


@pytest.mark.parametrize("task", ["smnist", "psmnist", "scifar"])
def test_real_sequences_differ_wherever_they_are_at_hand(task, data_dir, monkeypatch):
    monkeypatch.setattr(module, "TOKENS", 64)
    inputs = {"scifar": 3}.get(task, 1)
    _, (real, _) = tokens_for(of_task(task, inputs), data_dir)
    assert len(np.unique(real.reshape(STREAMS, -1), axis=0)) == STREAMS
    assert all(len(np.unique(sequence)) > 1 for sequence in real)


def test_real_sequences_come_in_the_order_of_the_training(data_dir):
    program = of_task("smnist")
    provenance = {"permutation": "random-92916"}
    shuffled = replace(program, metadata=replace(program.metadata, provenance=provenance))
    wanted = load_task("smnist", data_dir, Permutation.RANDOM_92916).test.tokens
    first = (784 - TOKENS) // 2
    _, (real, _) = tokens_for(shuffled, data_dir)
    np.testing.assert_array_equal(real, wanted[:STREAMS, first : first + TOKENS])
    _, stream = chip_tokens(shuffled, None, 3, None, data_dir)
    np.testing.assert_array_equal(stream, wanted[3])
    u = task_messages(shuffled, 2, data_dir)
    np.testing.assert_array_equal(u, shuffled.quantize_input(wanted[:2].astype(float)))


def test_an_order_that_nobody_knows_is_refused(data_dir):
    program = of_task("smnist")
    strange = replace(program.metadata, provenance={"permutation": "sideways"})
    with pytest.raises(ConfigError, match="expected one of none, bit-reversal, random-92916"):
        tokens_for(replace(program, metadata=strange), data_dir)


@pytest.mark.parametrize(
    ("task", "inputs"), [("digits", 2), ("smnist", 1), ("somebody's own", 1), ("mine.npz", 1)]
)
def test_generated_tokens_elsewhere(task, inputs):
    source, (made,) = tokens_for(of_task(task, inputs))
    assert (source, made.dtype) == ("generated", np.int64)


def test_a_folder_without_the_data(tmp_path, monkeypatch):
    with pytest.raises(DataError):
        tokens_for(of_task("smnist"), tmp_path)
    with pytest.raises(ConfigError):
        tokens_for(of_task("smnist"), tmp_path / "nowhere")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert tokens_for(of_task("smnist"))[0] == "generated"
