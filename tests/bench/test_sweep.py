"""The study of widths: each configuration once, whatever interrupts it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ns4d.bench import sweep as module
from ns4d.bench.operations import count_operations, has_shift_drive, stored_bytes
from ns4d.bench.runs import LoadedRun
from ns4d.bench.sweep import AXES, EXAMINED, Sweep, front, label, read_rows, run_sweep, write_sweep
from ns4d.bench.sweep_report import sweep_table, tasks_table, write_sweep_report
from ns4d.data import Split
from ns4d.errors import ArtefactError, DataError
from ns4d.model import ModelConfig
from ns4d.numerics import LOIHI2, ProductRounding
from ns4d.program import Program
from ns4d.quantize import OBSERVERS, Options, post_training_quantize
from ns4d.quantize.compare import stream_split
from ns4d.quantize.fidelity import fidelity
from ns4d.quantize.ptq import quantize_keeping
from ns4d.train.recipes import RECIPES
from quantize_networks import make_dataset, make_network

CONFIG = ModelConfig(inputs=2, classes=3, channels=4, modes=3, layers=1)
RUN = LoadedRun(make_network(CONFIG, seed=0), RECIPES["digits"], make_dataset(CONFIG))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = dict.fromkeys(AXES, (24,)) | {"weight_bits": (8, 4), "message_bits": (12, 6)}
    monkeypatch.setattr(module, "AXES", axes)


def test_one_axis_at_a_time_starts_with_the_profile() -> None:
    found = list(Sweep(LOIHI2).configurations())
    assert label({axis: getattr(found[0], axis) for axis in AXES}) == "w8-c16-m12-s24"
    for one in found[1:]:
        assert sum(getattr(one, axis) != getattr(LOIHI2, axis) for axis in AXES) == 1
    assert len({one.name for one in found}) == len(found)


def test_the_grid_combines() -> None:
    found = list(Sweep(LOIHI2, grid=True).configurations())
    assert len(found) == 3 * 3 * 3 * 2
    assert any(one.weight_bits == 4 and one.state_bits == 18 for one in found)


def test_a_finished_configuration_is_not_repeated(few: None, tmp_path: Path) -> None:
    journal, said = tmp_path / "sweep.jsonl", []
    plan = Sweep(LOIHI2, sequences=10)
    first = run_sweep(plan, RUN, journal, said.append)
    assert len(said) == len(first["configurations"]) == 3
    # An interruption leaves half a line: that one alone is computed again.
    text = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(text[:2]) + text[2][:40])
    again = run_sweep(plan, RUN, journal, said.append)
    assert len(said) == 4
    assert again == first
    # Other sequences are another study.
    run_sweep(Sweep(LOIHI2, sequences=9), RUN, journal, said.append)
    assert len(said) == 7
    run_sweep(Sweep(LOIHI2, sequences=10, options=Options(fold_b=False)), RUN, journal, said.append)
    assert len(said) == 10
    assert len(read_rows(journal)) == 9


def test_a_line_of_another_program_is_out_of_date(few: None, tmp_path: Path) -> None:
    """As when a later version chooses other scales: the line stays, one of today follows."""
    journal, said = tmp_path / "sweep.jsonl", []
    plan = Sweep(LOIHI2, sequences=5)
    today = run_sweep(plan, RUN, journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    lines[1] |= {"program": "0" * 64, "accuracy": 2.0}
    lines[2] = {k: v for k, v in lines[2].items() if k != "program"} | {"accuracy": 3.0}
    lines += [{"key": lines[0]["key"]}, {k: lines[0][k] for k in ("key", "name", "program")}]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run_sweep(plan, RUN, journal, said.append) == today
    assert len(said) == 3
    assert read_rows(journal)[:5] == lines
    assert run_sweep(plan, RUN, journal, said.append) == today
    assert len(said) == 3


@pytest.mark.parametrize("name", OBSERVERS)
def test_its_programs_are_those_of_post_training_quantize(
    few: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Also at widths other than the profile's, which an observer may weigh."""
    monkeypatch.setattr(module, "AXES", dict(module.AXES) | {"state_bits": (24, 12)})
    seen: list[Program] = []

    def stream(program: Program, split: Split) -> np.ndarray:
        seen.append(program)
        return stream_split(program, split)

    monkeypatch.setattr(module, "stream_split", stream)
    options = Options(observer=OBSERVERS[name])
    plan = Sweep(LOIHI2, sequences=5, options=options)
    run_sweep(plan, RUN, tmp_path / "sweep.jsonl")
    assert len(seen) == len(list(plan.configurations())) == 4
    for program in seen:
        alone = post_training_quantize(RUN.network, RUN.dataset, program.arithmetic, options)
        assert replace(alone, metadata=program.metadata) == program


def test_profiles_of_one_width_are_not_taken_for_one_another(few: None, tmp_path: Path) -> None:
    journal, said = tmp_path / "sweep.jsonl", []
    rounded = replace(LOIHI2, name="rounded", product_rounding=ProductRounding.SUM_HALF_UP)
    first, second = (
        run_sweep(Sweep(base, sequences=5), RUN, journal, said.append) for base in (LOIHI2, rounded)
    )
    names = [[row["name"] for row in found["configurations"]] for found in (first, second)]
    assert names[0] == names[1]
    assert len(said) == 6
    assert first["arithmetic"] != second["arithmetic"]


def test_lines_of_other_programs_are_left_alone(few: None, tmp_path: Path) -> None:
    journal = tmp_path / "sweep.jsonl"
    foreign = b'{"step": 1}\n[1, 2]\n7\nnot json\n\xff\xfe\n'
    journal.write_bytes(foreign)
    record = run_sweep(Sweep(LOIHI2, sequences=5), RUN, journal)
    assert len(record["configurations"]) == 3
    assert journal.read_bytes().startswith(foreign)
    assert read_rows(journal)[0] == {"step": 1}


def test_a_journal_that_is_no_file_is_refused_before_the_work(few: None, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ArtefactError, match=r"expected a file of JSON lines, got Is a directory"):
        run_sweep(Sweep(LOIHI2, sequences=5), RUN, tmp_path, said.append)
    assert said == []
    # The folder of a journal is made, as that of every other result.
    run_sweep(Sweep(LOIHI2, sequences=5), RUN, tmp_path / "new" / "sweep.jsonl", said.append)
    assert len(read_rows(tmp_path / "new" / "sweep.jsonl")) == len(said) == 3


def test_what_has_no_program_is_recorded_with_its_reason(
    few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AXES", dict(module.AXES) | {"state_bits": (2,)})
    plan = Sweep(LOIHI2, sequences=5, options=Options(certified=True))
    record = run_sweep(plan, RUN, tmp_path / "sweep.jsonl")
    (row,) = (row for row in record["configurations"] if row["state_bits"] == 2)
    assert "expected states proved within 2 bits" in row["error"]
    assert "no program" in sweep_table(record).rows[record["configurations"].index(row)]
    # Asked again, the reason is found again and not repeated in the journal.
    lines = (tmp_path / "sweep.jsonl").read_text()
    assert run_sweep(plan, RUN, tmp_path / "sweep.jsonl") == record
    assert (tmp_path / "sweep.jsonl").read_text() == lines


def test_the_front_is_what_nothing_beats() -> None:
    pairs = [(10, 0.9), (5, 0.9), (7, 0.8), (20, 0.95), (30, 0.95), (3, 0.5)]
    rows: list[dict] = [{"bytes": cost, "accuracy": value} for cost, value in pairs]
    rows.append({"error": "none"})
    assert front(rows, "bytes") == [5, 1, 3]


def test_record_with_report(few: None, tmp_path: Path) -> None:
    record = run_sweep(Sweep(LOIHI2, sequences=10), RUN, tmp_path / "sweep.jsonl")
    write_sweep(record, tmp_path / "record.json")
    kept = json.loads((tmp_path / "record.json").read_text())
    assert kept["configurations"] == record["configurations"]
    assert kept["environment"]
    write_sweep_report(record, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 2
    for row in record["configurations"]:
        assert f"{row['bit_products']:,}" in page


def test_a_row_says_where_precision_is_lost(few: None, tmp_path: Path) -> None:
    """What `fidelity` finds on the first of the sequences, for the program of each row."""
    plan = Sweep(LOIHI2, sequences=EXAMINED + 4)
    rows = run_sweep(plan, RUN, tmp_path / "sweep.jsonl")["configurations"]
    split = RUN.dataset.validation.select(np.arange(EXAMINED))
    for row, arithmetic in zip(rows, plan.configurations(), strict=True):
        made = quantize_keeping(RUN.network, RUN.dataset, arithmetic, plan.options, 64, {})
        nodes = fidelity(made.folded, made.scales, made.program, split)
        assert row["scores_db"] == nodes[-1].snr_db
        assert row["worst_drop_db"] == max(node.drop_db for node in nodes[1:])
        assert row["worst_node"] in [n.name for n in nodes if n.drop_db == row["worst_drop_db"]]
    noisy = min(rows, key=lambda row: row["scores_db"])
    assert noisy["weight_bits"] < LOIHI2.weight_bits or noisy["message_bits"] < LOIHI2.message_bits


def test_tasks_stand_side_by_side(few: None, tmp_path: Path) -> None:
    record = run_sweep(Sweep(LOIHI2, sequences=10), RUN, tmp_path / "sweep.jsonl")
    failed = {"name": record["configurations"][0]["name"], "error": "none"}
    first = record["configurations"][0]
    other = record | {"task": "other", "configurations": [first, failed | {"name": "x"}]}
    with pytest.raises(DataError, match="2 different sets"):
        tasks_table([record, other])
    table = tasks_table([record, record | {"task": "other"}])
    assert table.columns[0] == "widths"
    assert [column.split(",")[0] for column in table.columns[1:]] == [record["task"], "other"]
    assert [row[0] for row in table.rows] == [row["name"] for row in record["configurations"]]
    for row, kept in zip(table.rows, record["configurations"], strict=True):
        assert row[1] == row[2]
        assert row[1].startswith(f"{100 * kept['accuracy']:.2f} %; {kept['scores_db']:.0f} dB; ")
        assert row[1].endswith(f"{kept['worst_node']} {kept['worst_drop_db']:.0f} dB")
    assert tasks_table([record | {"configurations": [first, failed]}]).rows[1][1] == "no program"


def test_operations_are_counted_from_the_integers() -> None:
    dataset = RUN.dataset
    kept, folded = (
        post_training_quantize(RUN.network, dataset, LOIHI2, Options(fold_b=fold))
        for fold in (False, True)
    )
    h, n, i, o = 4, 3, 2, 3
    assert not has_shift_drive(kept.recurrent[0])
    assert has_shift_drive(folded.recurrent[0])
    # Encoder, mixer, read-out; a twice, c once, per part; d; one descaling per channel and node.
    most = h * i + h * h + o * h + (4 + 2) * h * n + h + 3 * h
    operations = count_operations(folded)
    zeros = most - operations.multiplications
    assert 0 <= zeros <= 6
    assert count_operations(kept).multiplications - operations.multiplications == 2 * h * n
    assert kept.parameter_bytes - stored_bytes(folded) == 2 * h * n * 2
    assert stored_bytes(kept) == kept.parameter_bytes
    assert operations.bit_products > operations.multiplications * 8 * 12
