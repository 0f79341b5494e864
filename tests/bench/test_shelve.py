"""Putting a model on the shelf: only with the record of its own, whole evaluation."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ns4d.bench.shelve import card_of, shelve
from ns4d.errors import ArtefactError, DataError
from ns4d.program import load
from ns4d.train.checkpoint import BEST
from ns4d.train.journal import read_journal
from ns4d.train.origins import copy_selected
from ns4d.zoo import Card, find
from ns4d.zoo.shelf import QAFT


@pytest.fixture
def digits(repository: Path) -> tuple[Path, Path, Path]:
    run = repository / "benchmarks/results/digits"
    return run, run / "loihi2.ns4d", run / "record.json"


@pytest.fixture
def tuned(digits: tuple[Path, Path, Path]) -> tuple[Path, Path, Path]:
    run = digits[0]
    return run, run / "qaft-loihi2.ns4d", run / "record-qaft-loihi2.json"


def test_the_shelf_holds_what_this_makes(digits, tmp_path):
    """Shelve it again where the model of the chip has changed."""
    made = shelve("digits-mini", *digits, tmp_path)
    shipped = find("digits-mini")
    assert load(made.program) == load(shipped.program)
    modelled = ("fall_through", "pipelined")
    for field in fields(Card):
        got, wanted = (getattr(entry.card, field.name) for entry in (made, shipped))
        # Sums in floating point may differ in the last digits between processors.
        assert dict(got) == pytest.approx(wanted) if field.name in modelled else got == wanted
    beside = {path.name for path in shipped.folder.iterdir()} - {QAFT}
    assert {path.name for path in made.folder.iterdir()} == beside


def test_a_fine_tuned_program_joins_the_model_of_its_network(digits, tuned, tmp_path):
    with pytest.raises(ArtefactError, match="expected an ns4d checkpoint"):
        shelve("digits-mini", *tuned, tmp_path)
    plain = shelve("digits-mini", *digits, tmp_path)
    made = shelve("digits-mini", *tuned, tmp_path)
    assert (made.name, made.folder) == ("digits-mini-qaft", plain.folder)
    assert made.card.fine_tuned
    assert not plain.card.fine_tuned
    assert load(made.program) == load(tuned[1]) != load(plain.program)
    assert read_journal(made.place) == read_journal(tuned[1].with_suffix(""))
    # A model shelved anew may have another network: the program of the old one goes.
    shelve("digits-mini", *digits, tmp_path)
    assert not made.program.exists()


def test_a_fine_tuned_program_does_not_join_another_network(digits, tuned, tmp_path, repository):
    folder = tmp_path / "digits-mini"
    copy_selected(repository / "benchmarks/results/smnist" / BEST, folder)
    with pytest.raises(DataError, match="network of digits-mini: expected"):
        shelve("digits-mini", *tuned, tmp_path)
    assert not (folder / QAFT).exists()


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
