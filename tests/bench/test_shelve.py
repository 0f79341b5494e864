"""Putting a model on the shelf: only with the record of its own, whole evaluation."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ns4d.bench.shelve import card_of, shelve
from ns4d.errors import DataError
from ns4d.program import load
from ns4d.zoo import Card, Entry, find


@pytest.fixture
def digits(repository: Path) -> tuple[Path, Path, Path]:
    run = repository / "benchmarks/results/digits"
    return run, run / "loihi2.ns4d", run / "record.json"


def test_the_shelf_holds_what_this_makes(digits, tmp_path):
    """Shelve it again where the model of the chip has changed."""
    made = Entry("digits-mini", shelve("digits-mini", *digits, tmp_path))
    shipped = find("digits-mini")
    assert load(made.program) == load(shipped.program)
    modelled = ("fall_through", "pipelined")
    for field in fields(Card):
        got, wanted = (getattr(entry.card, field.name) for entry in (made, shipped))
        # Sums in floating point may differ in the last digits between processors.
        assert dict(got) == pytest.approx(wanted) if field.name in modelled else got == wanted
    assert {path.name for path in made.folder.iterdir()} == {
        path.name for path in shipped.folder.iterdir()
    }


def test_the_program_of_another_network_is_refused(digits, repository):
    _, path, record = digits
    other = repository / "benchmarks/results/smnist"
    with pytest.raises(DataError, match="record, network: expected"):
        card_of(load(path), other, json.loads(record.read_text("utf-8")), None)


@pytest.mark.parametrize(("field", "value"), [("digest", "0" * 64), ("test_sequences", 10)])
def test_the_record_of_something_else_is_refused(digits, field, value):
    run, path, record = digits
    altered = json.loads(record.read_text("utf-8"))
    altered["figures"][field] = value
    with pytest.raises(DataError, match="ns4d evaluate"):
        card_of(load(path), run, altered, None)
