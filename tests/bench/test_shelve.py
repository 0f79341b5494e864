"""Putting a model on the shelf: only with the record of its own, whole evaluation."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from ns4d.bench.runs import load_run, provenance
from ns4d.bench.shelve import card_of, shelve
from ns4d.errors import ArtefactError, DataError
from ns4d.numerics import LOIHI2
from ns4d.program import Program, load
from ns4d.quantize import MeanSquaredError, Options, post_training_quantize
from ns4d.train.checkpoint import BEST, load_selected
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
    assert load_selected(made.place).digest == load_selected(tuned[1].with_suffix("")).digest
    shipped = find("digits-mini-qaft")
    assert {p.name for p in made.place.iterdir()} == {p.name for p in shipped.place.iterdir()}
    assert load(made.program) == load(shipped.program)
    assert made.card.fine_tuning == shipped.card.fine_tuning
    assert dict(made.card.fall_through) == pytest.approx(dict(shipped.card.fall_through))
    assert dict(made.card.pipelined) == pytest.approx(dict(shipped.card.pipelined))
    # It stays when its network is shelved again, as when the model of the chip has changed.
    shelve("digits-mini", *digits, tmp_path)
    assert load(made.program) == load(tuned[1])


def test_a_fine_tuned_program_without_its_network_is_refused(digits, tuned, tmp_path):
    run, path, record = tuned
    bare = tmp_path / "run"
    shutil.copytree(run, bare, ignore=shutil.ignore_patterns("qaft-*"))
    copied = shutil.copy(path, bare)
    shelve("digits-mini", *digits, tmp_path / "shelf")
    with pytest.raises(ArtefactError, match=r"expected the folder in which .* was fine-tuned"):
        shelve("digits-mini", bare, Path(copied), record, tmp_path / "shelf")
    assert not (tmp_path / "shelf" / "digits-mini" / QAFT).exists()


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


@pytest.mark.parametrize(
    ("options", "sequences", "message"),
    [
        (Options(observer=MeanSquaredError()), 64, "sequences 64, options Options.*MeanSquared"),
        (Options(fold_b=False), 64, "fold_b=False"),
        (Options(certified=True), 64, "certified=True"),
        (Options(headroom=1.5), 64, "headroom=1.5"),
        (Options(), 32, "got one with calibration_sequences 32. Quantize it"),
    ],
)
def test_options_that_no_card_tells_are_refused(digits, options, sequences, message):
    """Made again from its card, the model would silently be another one."""
    run, _, record = digits
    loaded, altered = load_run(run), json.loads(record.read_text("utf-8"))
    origin = provenance(loaded.network, loaded.recipe)

    def quantized(options: Options, sequences: int) -> Program:
        return post_training_quantize(
            loaded.network, loaded.dataset, LOIHI2, options, sequences=sequences, provenance=origin
        )

    for program in (quantized(Options(), 64), quantized(Options(certified=False), 64)):
        altered["figures"]["digest"] = program.digest
        assert card_of(program, run, altered, None).digest == program.digest
    program = quantized(options, sequences)
    altered["figures"]["digest"] = program.digest
    with pytest.raises(DataError, match=rf"default options .*{message}"):
        card_of(program, run, altered, None)


@pytest.mark.parametrize(("field", "value"), [("digest", "0" * 64), ("test_sequences", 10)])
def test_the_record_of_something_else_is_refused(digits, field, value):
    run, path, record = digits
    altered = json.loads(record.read_text("utf-8"))
    altered["figures"][field] = value
    with pytest.raises(DataError, match="ns4d evaluate"):
        card_of(load(path), run, altered, None)
