"""The tables of docs/loihi2.md follow from records; the records belong together."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ns4d.bench.documents import BLOCK
from ns4d.bench.loihi2_documents import (
    CALIBRATION,
    RECORD,
    TABLES,
    estimates_of,
    outcomes_of,
    rows_of,
    work_of_record,
)
from ns4d.bench.loihi2_record import PICTURES, draw, record_of
from ns4d.bench.tables import Table
from ns4d.errors import DataError
from ns4d.loihi2.calibrate import SAMPLE_TOKENS
from ns4d.loihi2.comparison import PAPER_ROWS
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.what_if import AXES, predict

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = (REPOSITORY / "docs" / "loihi2.md").read_text("utf-8")


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return {name: make(RESULTS) for name, make in TABLES.items()}


def test_the_page_shows_every_table_once() -> None:
    shown = [found[2] for found in BLOCK.finditer(PAGE)]
    assert sorted(shown) == sorted(TABLES)


def test_both_records_are_of_one_program() -> None:
    calibration, study = (
        json.loads((RESULTS / name).read_text()) for name in (CALIBRATION, RECORD)
    )
    assert calibration["digest"] == study["digest"]
    assert study["tokens"] == SAMPLE_TOKENS
    assert {"commit", "machine"} <= set(study["environment"])
    assert study["equal_values"] > 0


def test_every_cost_is_listed_with_its_source(tables: dict[str, Table]) -> None:
    rows = tables["loihi2-costs"].rows
    assert [row[0].strip("`") for row in rows] == list(COSTS.facts)
    for row, fact in zip(rows, COSTS.facts.values(), strict=True):
        assert row[3:] == (fact.tag.value, fact.source)


def test_what_was_fitted_to_is_met_and_marked(tables: dict[str, Table]) -> None:
    rows = tables["loihi2-calibrated"].rows
    assert len(rows) == 6
    for _, published, ours, _, fitted in rows:
        wanted, found = (
            float(re.match(r"[\d.,]+", x)[0].replace(",", "")) for x in (published, ours)
        )
        tolerance = 0.01 if fitted == "yes" else 0.02
        # The throughput of fall-through follows from its latency, which is printed to two digits.
        assert found == pytest.approx(wanted, rel=tolerance)
    assert [row[0] for row in rows if row[4] == "no"] == ["pipelined, samples/s"]


def test_boards_need_more_energy(tables: dict[str, Table]) -> None:
    rows = [row for row in tables["loihi2-calibrated"].rows if "mJ" in row[0]]
    for row in rows:
        ours, board = (float(re.match(r"[\d.]+", cell)[0]) for cell in row[2:4])
        assert board > ours


def test_predictions_stand_beside_what_others_measured(tables: dict[str, Table]) -> None:
    verdicts = {row[0]: row[4] for row in tables["loihi2-predictions"].rows}
    assert verdicts["update of a neuron in microcode"] == "meet"
    assert verdicts["static power of a chip"] == "do not meet"
    assert verdicts["time step in which nothing happens"] == "above it"
    assert all(row[-1] for row in tables["loihi2-predictions"].rows)


def test_the_larger_of_two_is_never_longer_than_their_sum(tables: dict[str, Table]) -> None:
    assert all(row[3].startswith(("-", "+0")) for row in tables["loihi2-forms"].rows)


def test_both_tables_of_the_paper_are_complete(tables: dict[str, Table]) -> None:
    shown = tables["loihi2-tokens"].rows + tables["loihi2-samples"].rows
    assert {row.name for row in PAPER_ROWS} <= {row[0] for row in shown}
    assert {row[-1] for row in shown} == {"published", "simulated", "measured"}
    assert len(shown) == len(rows_of(RESULTS)) == 5 + 4 + 3


def test_the_sensitivity_was_found_with_the_present_costs() -> None:
    found = outcomes_of(RESULTS)
    assert {one.axis for one in found} == {"", *AXES}
    again = predict(found[0].structure)
    for mode in Mode:
        assert found[0].token_s[mode] == pytest.approx(again.token_s[mode])
        assert found[0].token_j[mode] == pytest.approx(again.token_j[mode])


def test_expected_work_agrees_with_counted_work() -> None:
    """The synthetic network at the counted densities against the counted one."""
    expected, counted = outcomes_of(RESULTS)[0], estimates_of(RESULTS)
    for mode in Mode:
        assert expected.token_s[mode] == pytest.approx(counted[mode].token_s.value, rel=0.02)
        assert expected.token_j[mode] == pytest.approx(counted[mode].token_j.value, rel=0.02)


def test_the_work_is_a_sample_of_the_published_network() -> None:
    work = work_of_record(RESULTS)
    assert work.tokens == SAMPLE_TOKENS
    assert len(work.by_core) == 111


def texts(path: Path) -> list[str]:
    root = ElementTree.fromstring(path.read_text("utf-8"))
    found = ("".join(node.itertext()) for node in root.iter() if node.tag.endswith("text"))
    return ["".join(text.split()) for text in found]


def test_the_pictures_say_what_the_records_say(tmp_path: Path) -> None:
    for path in draw(RESULTS, tmp_path):
        shown = REPOSITORY / PICTURES / path.name
        assert texts(shown) == texts(path), "run `python -m ns4d.bench.loihi2_record`"
        assert f"loihi2/{path.name}" in PAGE


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"loihi2_calibration\.json: expected a JSON record"):
        TABLES["loihi2-calibrated"](tmp_path)


def test_a_record_keeps_what_the_page_needs() -> None:
    kept = json.loads((RESULTS / RECORD).read_text())
    again = record_of({**kept, "comparison": [*kept["cpu"], {"origin": "published"}], "more": 1})
    assert {**again, "environment": None} == {**kept, "environment": None}
