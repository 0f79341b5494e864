"""Putting a model on the shelf: only with the record of its own, whole evaluation."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ns4d.bench.shelve import card_of, shelve
from ns4d.errors import DataError
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
    plain = shelve("digits-mini", *digits, tmp_path)
    made = shelve("digits-mini", *tuned, tmp_path)
    assert (made.name, made.folder) == ("digits-mini-qaft", plain.folder)
    assert load(made.program) == load(tuned[1]) != load(plain.program)
    assert read_journal(made.place) == read_journal(tuned[1].with_suffix(""))
    shipped = find("digits-mini-qaft")
    assert load(made.program) == load(shipped.program)
    assert made.card.fine_tuning == shipped.card.fine_tuning
    assert dict(made.card.fall_through) == pytest.approx(dict(shipped.card.fall_through))
    assert dict(made.card.pipelined) == pytest.approx(dict(shipped.card.pipelined))
    # It stays when its network is shelved again, as when the model of the chip has changed.
    shelve("digits-mini", *digits, tmp_path)
    assert load(made.program) == load(tuned[1])


def test_it_leaves_with_its_network(digits, tuned, tmp_path, repository, data_dir):
    shelve("model", *digits, tmp_path)
    made = shelve("model", *tuned, tmp_path)
    other = repository / "benchmarks/results/smnist-seed-0"
    arguments = (other, other / "loihi2.ns4d", other / "record.json")
    shelve("model", *arguments, tmp_path, data_dir)
    assert not made.place.exists()


def test_a_fine_tuned_program_joins_no_other_model(digits, tuned, tmp_path, repository):
    with pytest.raises(DataError, match=r"got no such model\. Put that network's own program"):
        shelve("digits-mini", *tuned, tmp_path)
    shelve("digits-mini", *digits, tmp_path)
    copy_selected(repository / "benchmarks/results/smnist" / BEST, tmp_path / "digits-mini")
    with pytest.raises(DataError, match="model digits-mini: expected network"):
        shelve("digits-mini", *tuned, tmp_path)
    assert not (tmp_path / "digits-mini" / QAFT).exists()


@pytest.mark.parametrize("kind", ["digits", "tuned"])
def test_the_ending_of_fine_tuned_models_is_not_for_the_asking(kind, request, tmp_path):
    with pytest.raises(DataError, match="expected no name in -qaft"):
        shelve("digits-mini-qaft", *request.getfixturevalue(kind), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_record_without_its_fine_tuning_is_refused(tuned):
    run, path, record = tuned
    altered = json.loads(record.read_text("utf-8"))
    del altered["fine_tuning"]
    with pytest.raises(DataError, match="record, fine-tuning: expected True, got False"):
        card_of(load(path), run, altered, None)


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
