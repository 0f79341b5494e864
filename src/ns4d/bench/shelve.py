"""Put a trained model on the shelf of the package, with the card that its record allows.

    python -m ns4d.bench.shelve NAME RUN PROGRAM RECORD

A fine-tuned PROGRAM joins the model NAME of its network, as NAME-qaft, with the network that it was
fine-tuned to. RECORD is what `ns4d evaluate RUN --program PROGRAM --record RECORD` wrote, on the
whole test part.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ns4d.bench.records import read_record
from ns4d.bench.reproduction import on_chip
from ns4d.data import Dataset, load_task
from ns4d.errors import DataError
from ns4d.loihi2.mode import Mode
from ns4d.program import Program, load
from ns4d.quantize.ptq import SEQUENCES, calibration_facts
from ns4d.quantize.qaft_folder import folder_of
from ns4d.storage import write_atomically
from ns4d.train.checkpoint import BEST, load_selected
from ns4d.train.journal import epochs_of
from ns4d.train.origins import copy_selected
from ns4d.zoo import Card, Entry
from ns4d.zoo.shelf import CARD, QAFT, SHELF


def shelve(
    name: str,
    run: Path,
    program: Path,
    record: Path,
    shelf: Path = SHELF,
    data_dir: Path | None = None,
) -> Entry:
    """Copy a program with its network and journal; write the card.

    Args:
        name: What `ns4d.load` will take, but for the ending of a fine-tuned one.
        run: Folder of the run that the program was made from.
        program: The `.ns4d` file.
        record: Of its evaluation on the whole test part.
        shelf: Where the folder NAME goes.
        data_dir: As in `ns4d.data.load_task`: the modelled figures are those of a test sequence.

    Returns:
        The model.

    Raises:
        DataError: The record is that of another program, or of less than the test part; the
            program was quantized with options that no card tells; or there is no model with the
            network of a fine-tuned program.
        ArtefactError: The folder of the fine-tuning is not there, or a file cannot be read.
    """
    if name.endswith(f"-{QAFT}"):
        fix = "Name the model of its network; a fine-tuned program joins it."
        raise DataError("model", expected=f"no name in -{QAFT}", got=name, fix=fix)
    loaded = load(program)
    card = card_of(loaded, run, read_record(record), data_dir)
    entry = Entry(name, shelf / name, card.fine_tuned)
    if entry.fine_tuned:
        _require_model(replace(entry, fine_tuned=False), load_selected(run).digest)
        copy_selected(folder_of(loaded, program, run) / BEST, entry.place)
    else:
        copy_selected(run / BEST, entry.folder)
        _drop_stranger(replace(entry, fine_tuned=True))
    write_atomically(entry.program, program.read_bytes())
    write_atomically(entry.place / CARD, card.to_json().encode())
    return entry


def _require_model(plain: Entry, network: str) -> None:
    got = load_selected(plain.folder).digest if plain.program.exists() else None
    if got != network:
        raise DataError(
            f"model {plain.name}",
            expected=f"network {network[:12]}, which the program was fine-tuned from",
            got="no such model" if got is None else f"network {got[:12]}",
            fix="Put that network's own program on the shelf first, under the same name.",
        )


def _drop_stranger(tuned: Entry) -> None:
    """Remove the fine-tuned program that belonged to the network before."""
    if not tuned.program.exists():
        return
    origin = load(tuned.program).metadata.provenance["network"]
    if origin != load_selected(tuned.folder).digest:
        shutil.rmtree(tuned.place)


def card_of(program: Program, run: Path, record: dict[str, Any], data_dir: Path | None) -> Card:
    """The card of a program whose evaluation is on record."""
    figures, selected = record["figures"], load_selected(run)
    recipe = selected.recipe
    dataset = load_task(recipe.task, data_dir, recipe.permutation)
    tuned = "qaft" in program.metadata.provenance
    _require("fine-tuning", tuned, "fine_tuning" in record)
    _require("program", program.digest, figures.get("digest"))
    _require("network", selected.digest, program.metadata.provenance.get("network"))
    if not tuned:
        _require_defaults(program, dataset)
    _require("test sequences", len(dataset.test), figures["test_sequences"])
    states = sum(node.a_re.size for node in program.recurrent)
    chip = on_chip(program, dataset.test.sequence(0))
    through, piped = (chip.estimates[mode] for mode in (Mode.FALL_THROUGH, Mode.PIPELINED))
    return Card(
        task=figures["task"],
        digest=program.digest,
        parameters=record["parameters"],
        parameter_bytes=program.parameter_bytes,
        profile=program.arithmetic.name,
        fine_tuned=tuned,
        seed=record["recipe"]["seed"],
        epochs=len(epochs_of(record["journal"])),
        test_sequences=figures["test_sequences"],
        float_correct=figures["float_correct"],
        integer_correct=figures["integer_correct"],
        agreement=figures["agreement"],
        states_proved=states - sum(proof.may_saturate for proof in program.ranges),
        states=states,
        cores=len(chip.simulation.activity.placement.cores),
        fall_through={"token_s": through.token_s.value, "token_j": through.token_j.value},
        pipelined={"sample_s": piped.latency_s.value, "sample_j": piped.sample_j.value},
        recipe=record["recipe"],
        fine_tuning=record.get("fine_tuning", {}).get("recipe", {}),
        commit=record["environment"]["commit"],
    )


def _require_defaults(program: Program, dataset: Dataset) -> None:
    """Refuse options that a card does not tell: from a card alone, the defaults are taken."""
    wanted, said = calibration_facts(dataset, SEQUENCES), program.metadata.provenance
    got = {name: said[name] for name in (*wanted, "options") if name in said}
    if got != wanted:
        raise DataError(
            "program",
            expected=f"one quantized with the default options ({_listed(wanted)})",
            got=f"one with {_listed(got) or 'none noted'}",
            fix="Quantize it by `ns4d quantize RUN --ptq`, at other widths at most: "
            "`ns4d reproduce --train` could not make this one again.",
        )


def _listed(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _require(what: str, wanted: object, got: object) -> None:
    if wanted != got:
        raise DataError(
            f"record, {what}",
            expected=str(wanted),
            got=str(got),
            fix="Write the record with `ns4d evaluate RUN --program PROGRAM --record RECORD`.",
        )


if __name__ == "__main__":
    print(shelve(sys.argv[1], *map(Path, sys.argv[2:5])).place)
