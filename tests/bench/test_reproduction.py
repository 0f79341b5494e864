"""`ns4d reproduce`: what comes out is what the shipped files give, compared with their cards."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ns4d.bench import verify
from ns4d.bench.published import ROWS, TASKS
from ns4d.bench.reproduce import chosen, reproduce_all
from ns4d.bench.reproduction import QUICK, is_variant, plain_row, require_card, row_of
from ns4d.bench.reproduction_report import accuracy_table, cost_rows, models_table, tables
from ns4d.data import load_task
from ns4d.errors import ConfigError, DataError
from ns4d.loihi2.comparison import PAPER_ROWS, Item
from ns4d.program import load
from ns4d.train.journal import epochs_of, read_journal
from ns4d.zoo import Card, find


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduce")
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "TOKENS", 12)
        found = reproduce_all(
            [find("digits-mini")], out, None, False, lambda done, total: None, lines.append
        )
    assert lines == ["digits-mini: accuracy, engines, chip, this machine"]
    return found


def test_the_figures_are_the_cards(done):
    (record,) = done.records
    card = find("digits-mini").card
    assert record["figures"]["integer_correct"] == card.integer_correct
    assert record["figures"]["digest"] == card.digest
    assert record["cores"] == card.cores
    assert record["quick"] is False


def test_every_engine_and_both_modes_of_the_chip_are_compared(done):
    (record,) = done.records
    names = {"reference", "native", "loihi2 fall-through", "loihi2 pipelined"}
    assert set(record["equal_integers"]) == names
    assert all(values > 1000 for values in record["equal_integers"].values())


def test_the_record_says_what_they_were_compared_on(done):
    (record,) = done.records
    source = "from the middle of test sequences of digits; generated"
    assert record["compared_on"] == f"16 sequences of 12 tokens ({source})"


def test_the_files_hold_the_tables(done):
    text = done.markdown.read_text("utf-8")
    page = html.unescape(done.report.read_text("utf-8"))
    for table in done.tables:
        assert table.title in text
        assert table.title in page
    kept = json.loads((done.report.parent / "digits-mini.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(done.records[0]))


def test_tables_are_made_from_the_record_alone(done):
    kept = json.loads((done.report.parent / "digits-mini.json").read_text("utf-8"))
    assert [table.rows for table in tables([kept])] == [table.rows for table in done.tables]


def test_published_rows_stand_first(done):
    rows = accuracy_table(done.records).rows
    assert [row[0] for row in rows[: len(ROWS)]] == [row.model for row in ROWS]
    assert [row[-1] for row in rows] == ["published"] * len(ROWS) + ["measured"] * 3
    assert rows[-1][1 : 1 + len(TASKS)] == ("–",) * len(TASKS)  # no model of the three tasks here


def test_the_validation_part_chooses_among_models_of_a_task(done):
    """The test part, on which another one is better, does not."""
    (record,) = done.records

    def model(validation: float, test: float, fine_tuned: bool, quick=False, variant=False):
        figures = {"task": "smnist", "integer_accuracy": test, "float_accuracy": test / 2}
        figures = record["figures"] | figures | {"fine_tuned": fine_tuned}
        chosen = {"variant": variant, "validation_accuracy": validation}
        return {"figures": figures, "quick": quick, **chosen}

    records = [model(0.8, 0.6, False), model(0.7, 0.9, False), model(0.1, 1.0, True, quick=True)]
    for order in (records, records[::-1]):
        table = accuracy_table(order)
        assert {row[0]: row[1] for row in table.rows[-3:]} == {
            "ns4d, full precision": "30.00 %",
            "ns4d, after PTQ": "60.00 %",
            "ns4d, after QAFT": "100.00 %",
        }
        assert "quick" in table.title
    table = accuracy_table([*records, model(0.9, 0.4, False, variant=True)])
    assert {row[0]: row[1] for row in table.rows[-5:]} == {
        "ns4d, full precision": "30.00 %",
        "ns4d, after PTQ": "60.00 %",
        "ns4d, after QAFT": "100.00 %",
        "ns4d variant, full precision": "20.00 %",
        "ns4d variant, after PTQ": "40.00 %",
    }


def test_another_network_is_a_variant_and_so_is_one_that_had_a_teacher(done):
    (record,) = done.records
    assert record["variant"] is False
    published = find("scifar-large").card.recipe  # with batch norm, which folds
    assert not is_variant(published)
    for other in ({"residual": True}, {"mixer": "linear"}, {"nonlinearity": "gelu"}):
        assert is_variant({**published, "model": published["model"] | other})
    assert is_variant({**published, "teacher": "0" * 64})


def test_the_record_has_the_accuracy_that_selected_the_network(done):
    (record,) = done.records
    epochs = epochs_of(read_journal(find("digits-mini").folder))
    best = max(epochs, key=lambda epoch: epoch["validation_accuracy"])
    assert record["validation_accuracy"] == best["validation_accuracy"]


def test_the_models_table_names_the_program(done):
    (row,) = models_table(done.records).rows
    assert row[:2] == ("digits-mini", "loihi2, PTQ")


def test_our_costs_stand_beside_the_papers_for_its_task_only(done):
    assert cost_rows(done.records) == PAPER_ROWS
    (record,) = done.records
    ours = {**record, "figures": {**record["figures"], "task": "scifar"}}
    rows = cost_rows([ours])[len(PAPER_ROWS) :]
    assert {row.item for row in rows} == set(Item)
    assert {row.origin for row in rows} == {"simulated", "measured"}
    tuned = {**ours, "figures": {**ours["figures"], "fine_tuned": True}}
    assert cost_rows([ours, tuned, {**ours, "variant": True}]) == cost_rows([ours])


@pytest.mark.parametrize("row", PAPER_ROWS)
def test_a_row_survives_its_record(row):
    for given in (row, replace(row, energy_j=None)):
        assert row_of(json.loads(json.dumps(plain_row(given)))) == given


@pytest.mark.parametrize("field", ["integer_correct", "test_sequences"])
def test_another_figure_than_the_cards_is_an_error(done, field):
    figures = dict(done.records[0]["figures"])
    figures[field] -= 1
    with pytest.raises(DataError, match="digits-mini"):
        require_card(find("digits-mini"), figures)


def test_missing_data_show_before_the_first_measurement(tmp_path):
    lines: list[str] = []
    entries = [find("digits-mini"), find("smnist-small")]
    with pytest.raises(DataError, match="mnist"):
        reproduce_all(entries, tmp_path / "out", tmp_path, False, lambda *_: None, lines.append)
    assert lines == []
    assert not (tmp_path / "out").exists()


def test_the_test_part_that_is_loaded_gives_the_tokens(monkeypatch):
    """Also where `verify` by itself would find no data: downloaded ones."""
    monkeypatch.delenv("NS4D_DATA", raising=False)
    program, split = load(find("smnist-small").program), load_task("digits").test
    source, parts = verify.tokens_for(program, test=split)
    assert source == "from the middle of test sequences of smnist; generated"
    assert np.array_equal(parts[0], split.tokens[: verify.STREAMS, : verify.TOKENS])
    assert verify.tokens_for(program)[0] == "generated"


def test_models_are_chosen_by_task():
    assert [entry.name for entry in chosen("digits")] == ["digits-mini", "digits-mini-qaft"]
    assert len(chosen(None)) >= 2
    with pytest.raises(ConfigError, match=r"digits.*smnist"):
        chosen("imagenet")


def test_a_quick_look_says_so(data_dir: Path, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "TOKENS", 12)
    monkeypatch.delenv("NS4D_DATA", raising=False)
    entry = find("smnist-small")
    found = reproduce_all([entry], tmp_path, data_dir, True, lambda *_: None, lambda line: None)
    (record,) = found.records
    assert record["figures"]["test_sequences"] == QUICK
    assert "from the middle of test sequences" in record["compared_on"], "the loaded ones"
    assert "quick look" in found.tables[0].title
    assert isinstance(entry.card, Card)
