"""The record of emulated runs, its tables, the command that makes them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

import ns4d
from bench.emulate.tools import require_toolchain
from ns4d.bench.emulate import elsewhere as elsewhere_module
from ns4d.bench.emulate import measure as measure_module
from ns4d.bench.emulate import record as record_module
from ns4d.bench.emulate.__main__ import main
from ns4d.bench.emulate.elsewhere import elsewhere
from ns4d.bench.emulate.measure import measure
from ns4d.bench.emulate.record import Work, record, require_tools, task_messages
from ns4d.bench.emulate.table import (
    TABLES,
    cost_table,
    deployment_table,
    memory_table,
    tuning_table,
)
from ns4d.bench.emulate.targets import TARGETS
from ns4d.bench.tables import Origin
from ns4d.errors import ConfigError
from ns4d.export.c99 import PARTS
from ns4d.numerics import WIDE
from program_strategies import random_program

M4, RISCV = TARGETS["cortex-m4"], TARGETS["rv32im"]


@pytest.fixture(scope="module")
def program():
    return random_program(np.random.default_rng(1), channels=4, modes=3, uniform=True)


@pytest.fixture(scope="module")
def u(program):
    return np.random.default_rng(0).integers(-2047, 2048, (2, 20, 1))


class TestMeasure:
    def test_a_run_on_a_cortex_m4(self, program, u):
        found = measure(program, u, M4, require_toolchain(M4))
        assert (found.sequences, found.tokens, found.different) == (2, 40, 0)
        assert found.counted == 16
        assert 500 < found.instructions <= found.most_instructions < 5000
        assert found.cycles is not None
        assert found.instructions < found.cycles < 4 * found.instructions
        assert found.clock_hz == PARTS["nrf52840"].clock_hz
        assert found.seconds == found.cycles / 64_000_000
        assert found.stack_bytes > 0

    def test_where_no_timings_are_published_there_is_no_time(self, program, u):
        found = measure(program, u, RISCV, require_toolchain(RISCV))
        assert (found.cycles, found.seconds) == (None, None)
        assert found.different == 0

    def test_a_wrong_score_is_counted(self, program, u, monkeypatch):
        """Compared with a program whose first bias is one more."""
        bias = program.readout.bias + np.array([1, 0, 0])
        other = replace(program, readout=replace(program.readout, bias=bias))
        made = measure_module.build(program, require_toolchain(M4))
        monkeypatch.setattr(measure_module, "build", lambda *_: replace(made, program=other))
        assert measure(other, u, M4, require_toolchain(M4)).different == 40

    def test_it_is_plain_json(self, program, u):
        found = measure(program, u, M4, require_toolchain(M4), ("-Os",))
        plain = json.loads(json.dumps(found.plain()))
        assert plain["options"] == ["-Os"]
        assert plain["seconds"] == found.seconds


class TestElsewhere:
    """The same program on this processor, on the model of Loihi 2."""

    def test_times_memory_and_exactness(self, program, u):
        rows = list(elsewhere(program, u[0]))
        assert [row["origin"] for row in rows] == ["measured", "simulated", "simulated"]
        for row in rows:
            value, low, high = row["token_s"]
            assert 0 < low <= value <= high < 1
            assert row["compared"] == 20 * 3
            assert row["different"] == 0
        assert re.fullmatch(r"[\d,]+ bytes", rows[0]["memory"])
        assert re.fullmatch(r"\d+ cores", rows[1]["memory"])

    def test_a_program_too_wide_for_the_chip_has_no_row_of_it(self, u):
        wide = random_program(np.random.default_rng(1), WIDE, channels=2, modes=1)
        assert [row["origin"] for row in elsewhere(wide, u[0])] == ["measured"]

    def test_a_wrong_engine_is_counted(self, program, u, monkeypatch):
        bias = program.readout.bias + np.array([0, 1, 0])
        other = replace(program, readout=replace(program.readout, bias=bias))
        reference = elsewhere_module.Reference()

        class Wrong:
            def load(self, _, streams):
                return reference.load(other, streams)

        monkeypatch.setattr(elsewhere_module, "Reference", Wrong)
        assert next(elsewhere(program, u[0]))["different"] == 20


@pytest.fixture
def results(program, tmp_path, monkeypatch):
    """A folder of results with one small model of its own task."""
    named = replace(program, metadata=replace(program.metadata, task=str(tmp_path / "own.npz")))
    ns4d.save(named, tmp_path / "small.ns4d")
    tokens = np.random.default_rng(2).normal(size=(40, 30, 1))
    np.savez(tmp_path / "own.npz", tokens=tokens, labels=np.arange(40) % 3)
    monkeypatch.setattr(record_module, "MODELS", MappingProxyType({"small": "small.ns4d"}))
    tools = [(target, require_toolchain(target)) for target in (M4, RISCV)]
    monkeypatch.setattr(record_module, "require_tools", lambda: tuple(tools))
    return tmp_path


def test_the_command_writes_the_record_and_prints_the_tables(results, capsys):
    arguments = ["--results", str(results), "--record", str(results / "emulation.json")]
    assert main([*arguments, "--sequences", "3"]) == 0
    printed = capsys.readouterr()
    assert "Emulated microcontrollers (simulated)" in printed.out
    assert printed.err.count(" 0 scores differ") == 4 + 3
    found = json.loads((results / "emulation.json").read_text())
    assert found["environment"]["commit"]
    assert [(row["target"], row["path"]) for row in found["rows"]] == [
        ("cortex-m4", "tuned"),
        ("cortex-m4", "plain C"),
        ("rv32im", "tuned"),
        ("rv32im", "plain C"),
    ]
    targets = [row["target"] for row in found["elsewhere"]]
    assert targets == ["this CPU, native engine", "Loihi 2, fall-through", "Loihi 2, pipelined"]
    for row in found["rows"]:
        assert row["digest"] == ns4d.load(results / "small.ns4d").digest
        assert row["different"] == 0
        assert row["tokens"] == (90 if row["path"] == "tuned" else 24)


def test_a_difference_is_an_exit_code(results, monkeypatch, capsys):
    monkeypatch.setattr(measure_module, "_different", lambda *_: 7)
    monkeypatch.setattr(record_module, "elsewhere", lambda *_: iter(()))
    arguments = ["--results", str(results), "--record", str(results / "emulation.json")]
    assert main(arguments) == 1
    # Two sequences where it is tuned, one where it is plain.
    counts = re.findall(r"(\d+) scores differ", capsys.readouterr().err)
    assert counts == ["14", "7", "14", "7"]


def test_a_missing_model_is_one_line(results, capsys):
    (results / "small.ns4d").unlink()
    arguments = ["--results", str(results), "--record", str(results / "emulation.json")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "small.ns4d: expected a file, got nothing" in error
    assert not (results / "emulation.json").exists()


def test_models_are_chosen_by_name(results):
    work = Work(results, 1, None, only="no such model")
    assert record(work, print)["rows"] == []


def test_sequences_are_quantized_tokens_of_the_task(results):
    program = ns4d.load(results / "small.ns4d")
    u = task_messages(program, 2, None)
    assert u.dtype == np.int64
    assert u.shape == (2, 30, 1)
    assert np.abs(u).max() <= program.arithmetic.message_max


def test_without_tools_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(record_module, "toolchains", lambda target: ())
    with pytest.raises(ConfigError, match=r'got 0 compilers.*Install "ns4d\[test\]"'):
        require_tools()


def row(**changes):
    given = {
        "model": "m",
        "target": "cortex-m4",
        "toolchain": "gcc 12",
        "path": "tuned",
        "classes": 10,
        "tokens": 5,
        "different": 0,
        "instructions": 1000.4,
        "cycles": 1280.0,
        "seconds": 2e-5,
        "part": "nrf52840",
        "clock_hz": 64_000_000,
        "flash_bytes": 12345,
        "ram_bytes": 678,
        "stack_bytes": 90,
    }
    return given | changes


@pytest.fixture
def emulated():
    rows = [
        row(),
        row(path="plain C", instructions=1500.0),
        row(toolchain="clang 22", instructions=1100.0),
        row(toolchain="clang 22", path="plain C", instructions=1200.0),
        row(target="rv32im", toolchain="clang 22", cycles=None, seconds=None),
    ]
    other = {"model": "m", "origin": "simulated", "compared": 50, "different": 0}
    chip = {"target": "Loihi 2, pipelined", "token_s": [2e-5, 1e-5, 3e-5], "memory": "3 cores"}
    cpu = {"target": "this CPU", "token_s": [4e-6] * 3, "memory": "77 bytes"}
    return {"rows": rows, "elsewhere": [{**other, **chip}, {**other, **cpu, "origin": "measured"}]}


class TestTables:
    def test_costs_with_the_compiler_of_firmware(self, emulated):
        table = cost_table(emulated)
        assert table.origin is Origin.SIMULATED
        assert table.rows == (
            ("m", "cortex-m4", "gcc 12", "1,000", "1,280", "0.02", "nrf52840, 64 MHz"),
            ("m", "rv32im", "clang 22", "1,000", "not published", "", ""),
        )

    def test_one_program_on_every_target(self, emulated):
        table = deployment_table(emulated)
        assert table.origin is Origin.STATED
        published = "simulated, cycles from published timings"
        memory = "12,345 flash, 768 RAM"
        assert [row[1:] for row in table.rows] == [
            ("Loihi 2, pipelined", "20.0 µs (10.0 to 30.0)", "3 cores", "50", "0", "simulated"),
            ("this CPU", "4.0 µs", "77 bytes", "50", "0", "measured"),
            ("cortex-m4 at 64 MHz (nrf52840)", "0.02 ms", memory, "50", "0", published),
            ("rv32im", "1,000 instructions", memory, "50", "0", "simulated"),
        ]

    def test_memory_and_exactness(self, emulated):
        assert memory_table(emulated).rows == (
            ("m", "cortex-m4", "12,345", "678", "90", "50", "0"),
            ("m", "rv32im", "12,345", "678", "90", "50", "0"),
        )

    def test_what_the_paths_gain(self, emulated):
        assert tuning_table(emulated).rows == (
            ("m", "cortex-m4", "gcc 12", "1,500", "1,000", "1.50×"),
            ("m", "cortex-m4", "clang 22", "1,200", "1,100", "1.09×"),
        )

    def test_a_record_of_nothing(self):
        for table in TABLES.values():
            assert table({"rows": [], "elsewhere": []}).rows == ()
