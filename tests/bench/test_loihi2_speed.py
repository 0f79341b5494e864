"""The speed record of the simulated chip: what is timed is checked, no time is asserted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ns4d import save
from ns4d.bench import loihi2_speed
from ns4d.bench.loihi2_speed import RECORD, main, measure_speed, speed_table, subjects
from ns4d.data.tasks import DATA_VARIABLE
from ns4d.errors import PlacementError, RangeError
from ns4d.numerics import WIDE
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(0), layers=2)
TOKENS = np.random.default_rng(1).integers(-2000, 2000, (12, 1))


def test_both_modes_are_timed_and_the_work_counted():
    entry = measure_speed("tiny", "random", PROGRAM, TOKENS, rounds=1)
    assert set(entry["tokens_per_s"]) == {"fall-through", "pipelined"}
    assert all(speed > 0 for speed in entry["tokens_per_s"].values())
    assert set(entry["tokens_per_cpu_s"]) == set(entry["tokens_per_s"])
    assert entry["values_compared"] == 12 * 3
    assert entry["updates_per_token"] == 1 + 4 + 2 * (12 + 4 + 4) + 3
    assert 0 < entry["synops_per_token"] < 1000
    assert entry["digest"] == PROGRAM.digest


def test_wrong_scores_stop_the_measurement(monkeypatch):
    right = loihi2_speed.simulate

    def wrong(*given):
        found = right(*given)
        return replace(found, scores=found.scores + 1)

    monkeypatch.setattr(loihi2_speed, "simulate", wrong)
    with pytest.raises(RangeError, match="tiny, fall-through: expected the scores of the default"):
        measure_speed("tiny", "random", PROGRAM, TOKENS, rounds=1)


def test_only_what_fits_the_chip_is_measured():
    with pytest.raises(PlacementError, match="profile 'wide'"):
        measure_speed("w", "random", random_program(np.random.default_rng(0), WIDE), TOKENS)


def test_large_is_measured_also_without_records(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    from ns4d.bench import streaming_subjects
    from ns4d.bench.streaming_subjects import Size
    from ns4d.model.config import large

    less = Size("large", replace(large(), channels=6, modes=3), "scifar", 40)
    monkeypatch.setattr(streaming_subjects, "SIZES", (less,))
    (name, data, program, tokens), *none = subjects(tmp_path)
    assert (name, data, none) == ("large, random", "random bytes", [])
    assert [node.inputs for node in program.recurrent] == [6] * 4
    assert tokens.shape == (40, 3)


def test_the_command_writes_its_record(tmp_path, monkeypatch, capsys, repository):
    folder = tmp_path / "digits"
    folder.mkdir()
    shutil.copy(repository / "benchmarks/results/digits/loihi2.ns4d", folder)
    monkeypatch.setattr(loihi2_speed, "_large", lambda *_: ("tiny", "random", PROGRAM, TOKENS))
    monkeypatch.setattr(loihi2_speed, "TOKENS", 30)
    main(tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    assert [entry["program"] for entry in record["programs"]] == ["digits/loihi2.ns4d", "tiny"]
    assert (record["origin"], record["threads"]) == ("measured", 1)
    assert record["command"] == "python -m ns4d.bench.loihi2_speed"
    out = capsys.readouterr().out
    assert "tokens/s" in out
    assert str(tmp_path / RECORD) in out.replace("\n", "")


def test_the_kept_record_says_what_it_measured(repository):
    record = json.loads((repository / "benchmarks/results" / RECORD).read_text())
    table = speed_table(record)
    assert [row[0] for row in table.rows][-1] == "large, trained"
    large = record["programs"][-1]
    assert (large["cores_placed"], large["tokens"]) == (111, 1024)
    assert large["updates_per_token"] == 3 + 128 + 4 * (8192 + 128 + 128) + 10


def test_programs_are_loaded_as_they_are(tmp_path):
    (tmp_path / "smnist").mkdir()
    save(PROGRAM, tmp_path / "smnist" / "loihi2.ns4d")
    name, data, program, tokens = next(subjects(tmp_path))
    assert (name, data) == ("smnist/loihi2.ns4d", "random messages")
    assert program == PROGRAM
    assert tokens.shape == (1024, 1)
