"""The conformance suite at the size of a test run; `make conformance` is the same for longer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conformance.family import PROFILES, case
from conformance.run import Tally, Trial, conform, main, trials
from ns4d.bench.verify import ENGINES
from ns4d.engines import Reference
from ns4d.engines.native import Native
from ns4d.engines.native.kernels import KERNELS
from ns4d.numerics import ProductRounding, SynapseRounding

OTHERS = [name for name in ENGINES if name != "reference"]
# What the first ones do not have: sums with coefficients of more than 16 bits; 16-bit coefficients
# whose products with a message take more than 32.
RARE = (215, 187, 283)
CASES = 48 + len(RARE)
# Of an engine with one path for all programs; twelve have every profile.
CASES_OF_ONE_PATH = 12 + len(RARE)


@pytest.fixture(scope="module", params=OTHERS)
def tally(request):
    count = CASES if request.param == "native" else CASES_OF_ONE_PATH
    numbers = (*RARE, *range(count - len(RARE)))
    cases = (case(number, streams=4, tokens=12) for number in numbers)
    return conform(ENGINES[request.param](), lambda done: done.cases >= count, cases)


def test_every_engine_equals_the_reference(tally):
    assert tally.differences == []
    assert tally.cases == (CASES if tally.engine == "native" else CASES_OF_ONE_PATH)
    assert tally.values > (200_000 if tally.engine == "native" else 40_000)


def test_every_path_of_the_native_engine_is_taken(tally):
    if tally.engine == "native":
        assert set(tally.paths) == set(KERNELS)


def test_the_family_has_every_rounding():
    combined = {(profile.product_rounding, profile.synapse_rounding) for profile in PROFILES}
    assert combined == {(a, b) for a in ProductRounding for b in SynapseRounding}


def test_a_case_is_a_function_of_its_number():
    assert case(17).program == case(17).program
    np.testing.assert_array_equal(case(17).sequences, case(17).sequences)
    assert case(17).program != case(18).program


class Wrong:
    """The reference on a program whose last bias is off by one."""

    name, batch = "wrong", 8

    def load(self, program, streams):
        readout = replace(program.readout, bias=program.readout.bias + 1)
        return Reference().load(replace(program, readout=readout), streams)

    def trace(self, program, u):
        return Reference().trace(program, u)


def test_a_wrong_engine_is_found():
    tally = conform(Wrong(), lambda done: done.cases >= 5)
    assert isinstance(tally, Tally)
    assert len(tally.differences) == 1
    assert "engine 'wrong'" in tally.differences[0]


def test_the_command_reports_each_engine(capsys):
    assert main(1000, ["ONNX Runtime", "c99 -DNS4D_SPLIT"], jobs=2) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split(" values")[0] for line in lines]
    values = "1 cases, 33,696"
    assert starts == [
        f"{name}: {values}"
        for name in ("ONNX Runtime, chunk", "ONNX Runtime, step", "c99 -DNS4D_SPLIT")
    ]


def test_every_engine_but_the_reference_is_tried():
    names = [trial.engine.name for trial in trials()]
    assert names[:3] == ["native", "loihi2 fall-through", "loihi2 pipelined"]
    assert {"ONNX Runtime, step", "c99"} <= set(names)
    assert "reference" not in names


def test_a_difference_is_in_the_report():
    found = Trial(Wrong(), cases=3, small=True).run(10**6)
    assert found.differs
    assert "wrong: 1 cases" in found.text
    assert "engine 'wrong' all at once: node 'readout' score" in found.text


def test_the_command_fails_where_an_engine_differs(monkeypatch, capsys):
    right, wrong = Trial(Reference(), 1, small=True), Trial(Wrong(), 1, small=True)
    monkeypatch.setattr("conformance.run.trials", lambda: iter([wrong, right]))
    assert main(1000, jobs=1) == 1
    assert main(1000, ["reference"], jobs=1) == 0
    out = capsys.readouterr().out
    assert "1 different" in out
    assert "engine 'wrong' all at once" in out


def test_the_name_of_no_engine(capsys):
    assert main(1000, ["native", "natix"]) == 2
    assert "engine 'natix': expected the beginning of one of native, " in capsys.readouterr().err


def test_threads_never_change_a_bit():
    for number in range(6):
        trial = case(number, streams=7)
        u = trial.program.quantize_input(trial.sequences)
        one, three = (Native(threads).load(trial.program, len(u)) for threads in (1, 3))
        np.testing.assert_array_equal(one.advance(u), three.advance(u))
        assert one.state == three.state
