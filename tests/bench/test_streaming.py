"""The streaming benchmark as a whole, tiny: what it records, what its tables show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ns4d import cli
from ns4d.bench import parts, streaming, streaming_subjects
from ns4d.bench.streaming import Plan, full_plan, measure_streaming, qualified, standings
from ns4d.bench.streaming_contests import ONNX
from ns4d.bench.streaming_race import OURS, Contestant, Timing
from ns4d.bench.streaming_subjects import SIZES, Size, load_data, random_data, subjects, variants
from ns4d.bench.streaming_tables import TABLES
from ns4d.bench.tables import Table
from ns4d.errors import ConfigError
from ns4d.model import Network
from streaming_subject import CONFIG, LENGTH, PLAN, tiny_network, tiny_subject

TINY = Size("tiny", CONFIG, "smnist", LENGTH)


@pytest.fixture(scope="module")
def limits() -> dict:
    """Round figures instead of half a minute of measuring."""
    level = {"array_bytes": 1, "read": 1e9, "copy": 2e9}
    return {
        "bandwidth": {
            "L1": level | {"holds_bytes": 1 << 15},
            "DRAM": level | {"holds_bytes": 1 << 62},
        },
        "multiply_adds": {"float32": 8e9, "float64": 4e9},
        "vectors": {"products": 1e9, "floats": 1e9, "words": 2e9},
    }


@pytest.fixture(scope="module")
def record(limits: dict, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The whole benchmark on a tiny size, without a folder of data or records."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NS4D_DATA", raising=False)
        patch.setattr(streaming, "SIZES", (TINY,))
        patch.setattr(streaming, "machine_limits", lambda: limits)
        result = measure_streaming(PLAN, tmp_path_factory.mktemp("results"), said.append)
    return result | {"said": said}


def test_a_record_is_plain_data(record: dict) -> None:
    assert json.loads(json.dumps(record)) == record
    assert record["origin"] == "measured"
    assert record["environment"]["onnxruntime"] != "not installed"
    assert record["plan"]["streams"] == PLAN.streams


def test_what_is_missing_is_said(record: dict) -> None:
    compiler, weights = record["notes"]
    assert compiler == "torch.compile did not run: there is no C++ compiler"
    assert weights.startswith("tiny: no trained weights, ")
    assert weights.endswith("smnist is absent")
    assert record["said"][-2:] == record["notes"]


def test_every_contest_has_one_baseline(record: dict) -> None:
    (subject,) = record["subjects"]
    assert (subject["size"], subject["weights"]) == ("tiny", "random")
    assert subject["data"] == "random bytes"
    for kind in ("tokens", "streams", "sequences"):
        entries = subject[kind]
        (baseline,) = (entry for entry in entries if entry["baseline"])
        assert baseline["family"] != OURS
        assert baseline["times_faster"] == 1.0
        assert all(0 < entry["best_s"] <= entry["median_s"] for entry in entries)
        assert {entry["name"] for entry in entries} <= set(subject["heats"][kind])
        ours = [entry for entry in entries if entry["family"] == OURS]
        assert len(ours) == len(variants()) * (2 if kind == "tokens" else 1)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_made(record: dict, name: str) -> None:
    table = TABLES[name](record)
    assert table.rows
    assert all(all(isinstance(cell, str) for cell in row) for row in table.rows)


def test_tables_show_ratios_with_units(record: dict) -> None:
    rows = TABLES["streaming-tokens"](record).rows
    (entry,) = (e for e in record["subjects"][0]["tokens"] if e["name"] == rows[-1][2])
    assert rows[-1][3] == f"{1e6 * entry['median_s']:.1f}"
    assert rows[-1][5] == f"{entry['times_faster']:.2f}×"
    assert sum(row[5] == "1×, the baseline" for row in rows) == 1


def test_bounds_compare_with_the_best_way_in(record: dict) -> None:
    (subject,) = record["subjects"]
    rows = {row[2]: row for row in TABLES["streaming-bounds"](record).rows}
    assert set(rows) == set(subject["work"])
    for label, row in rows.items():
        names = [f"{OURS} {label}, {form} tokens" for form in ("real", "integer")]
        best = min(e["best_s"] for e in subject["tokens"] if e["name"] in names)
        assert row[9] == f"{1e6 * best:.1f}"
        assert row[8] == f"{1e6 * subject['call_s']:.1f}"


def timing(name: str, family: str, *seconds: float) -> Timing:
    return Timing(name, family, seconds)


def test_a_heat_keeps_the_best_variant_of_each_baseline() -> None:
    heat = [
        timing("a1", "a", 3.0),
        timing("a2", "a", 2.0),
        timing("b1", "b", 9.0),
        timing("slow", OURS, 99.0),
        timing("fast", OURS, 1.0),
    ]
    entrants = [
        Contestant(t.name, t.family, lambda _: None, lambda _: np.zeros(1), [np.zeros(1)])
        for t in heat
    ]
    names = [contestant.name for contestant in qualified(entrants, heat)]
    assert names == ["a2", "b1", "slow", "fast"]


def test_standings_compare_with_the_best_baseline() -> None:
    entries = standings(
        [timing("a", "a", 4.0, 8.0), timing("b", "b", 6.0, 12.0), timing("us", OURS, 1.0, 2.0)]
    )
    assert [entry["baseline"] for entry in entries] == [True, False, False]
    assert [entry["times_faster"] for entry in entries] == pytest.approx([1, 2 / 3, 4])


def test_threads_of_pytorch_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), streaming.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_the_full_plan_knows_whether_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert full_plan() == Plan(compiled=False)
    monkeypatch.setenv("CXX", "sh")
    assert full_plan() == Plan(compiled=True)


def test_sizes_are_those_of_the_paper() -> None:
    assert {size.name: Network(size.model).parameter_count for size in SIZES} == {
        "small": 67_082,
        "large": 265_482,
    }
    assert [(size.task, size.length) for size in SIZES] == [("smnist", 784), ("scifar", 1024)]


def test_both_profiles_run_with_both_forms_of_b() -> None:
    found = {(arithmetic.name, options.fold_b) for arithmetic, options in variants().values()}
    assert found == {(name, folded) for name in ("loihi2", "wide") for folded in (False, True)}


def test_real_data_are_taken_where_a_folder_is_named(data_dir: Path) -> None:
    dataset, name = load_data(SIZES[0], data_dir)
    assert name == "smnist test"
    assert dataset.test.tokens.shape == (10_000, 784, 1)


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NS4D_DATA", raising=False)
    monkeypatch.setattr(streaming_subjects, "load_task", None)
    dataset, name = load_data(SIZES[1], None)
    assert name == "random bytes"
    assert dataset.test.tokens.shape[1:] == (1024, 3)


def test_trained_weights_come_from_the_records(repository: Path) -> None:
    size = replace(SIZES[0], length=16)
    data = random_data(size.model, size.length, count=4)
    results = repository / "benchmarks" / "results"
    random, trained = subjects(size, data, "random bytes", results, 2)
    assert (random.weights, trained.weights) == ("random", "trained")
    undropped = replace(trained.network.config, dropout=0.0)  # which training alone has
    assert random.network.config == undropped
    assert trained.tokens.shape == (2, 16, 1)


def test_a_subject_keeps_raw_tokens_beside_normalized_ones() -> None:
    subject = tiny_subject()
    expected = (subject.tokens - 127.5) / 127.5
    np.testing.assert_allclose(subject.normalized.numpy(), expected, atol=1e-6)
    assert subject.tokens.dtype == np.float64
    assert not tiny_network().training


def test_parts_write_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def part(results: Path, steps: int, say: parts.Say, data_dir: Path | None) -> parts.Result:
        asked.append((results, steps, data_dir))
        return {"steps": steps}, ()

    monkeypatch.setattr(parts, "PARTS", {"one": ("1.json", part), "two": ("2.json", part)})
    done = parts.run_parts(None, tmp_path, 3, print)
    assert list(done) == [tmp_path / "1.json", tmp_path / "2.json"]
    assert json.loads((tmp_path / "2.json").read_text()) == {"steps": 3}
    assert list(parts.run_parts("two", tmp_path, 5, print, tmp_path)) == [tmp_path / "2.json"]
    assert asked == [(tmp_path, 3, None), (tmp_path, 3, None), (tmp_path, 5, tmp_path)]


def test_the_command_prints_tables_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(results: Path, steps: int, say: parts.Say, data_dir: Path | None) -> parts.Result:
        say("measuring")
        return {"steps": steps}, (Table("A table", ("what",), (("cell",),)),)

    monkeypatch.setattr(parts, "PARTS", {"training": ("training_step.json", part)})
    command = ["ns4d", "bench", "--only", "training", "--results", str(tmp_path), "--steps", "2"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    shown = capsys.readouterr()
    assert "cell" in shown.out
    assert "training_step.json" in shown.out.replace("\n", "")
    assert shown.err == "measuring\n"
    monkeypatch.setattr("sys.argv", [*command, "--json"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert json.loads(capsys.readouterr().out) == {"training_step": {"steps": 2}}


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--only: expected one of training, streaming, got 'al"):
        parts.run_parts("all", tmp_path, 1, print)
    assert list(tmp_path.iterdir()) == []


def test_onnx_runtime_is_a_family_of_its_own(record: dict) -> None:
    names = record["subjects"][0]["heats"]["tokens"]
    assert sum(name.startswith(ONNX) for name in names) == 4
