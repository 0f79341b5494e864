"""The paper's tables with ours beside them, from the records of `ns4d reproduce`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns4d.bench.figures import learning_curve
from ns4d.bench.loihi2_delay_picture import delay_picture
from ns4d.bench.loihi2_tables import comparison_table
from ns4d.bench.published import ROWS, TASKS
from ns4d.bench.report import Picture, Report
from ns4d.bench.reproduction import row_of
from ns4d.bench.tables import Origin, Table, percent
from ns4d.bench.trainings_table import counted
from ns4d.environment import environment
from ns4d.loihi2.comparison import PAPER_ROWS, Item, Row
from ns4d.train.journal import read_journal
from ns4d.zoo import find

Record = Mapping[str, Any]
BENCHMARK = "scifar"
# Our row: its name, which figure, whether of the fine-tuned programs, of variants of the network.
OURS = (
    ("ns4d, full precision", "float_accuracy", False, False),
    ("ns4d, after PTQ", "integer_accuracy", False, False),
    ("ns4d, after QAFT", "integer_accuracy", True, False),
    ("ns4d variant, full precision", "float_accuracy", False, True),
    ("ns4d variant, after PTQ", "integer_accuracy", False, True),
)


def accuracy_table(records: Sequence[Record]) -> Table:
    """Every published row, then ours: the float networks, their programs by either way.

    Variants, networks that are not the paper's, have rows of their own, if there are any.
    """
    columns = ("model", *TASKS, "integers", "number is")
    rows = [
        (row.model, *(row.of(task) for task in TASKS), _yes(row.integer), "published")
        for row in ROWS
    ]
    for name, key, *kind in OURS:
        found = [
            each for each in records if [each["figures"]["fine_tuned"], each["variant"]] == kind
        ]
        if kind[1] and not found:
            continue
        ours = (_accuracy(found, task, key) for task in TASKS)
        rows.append((name, *ours, _yes(key == "integer_accuracy"), "measured"))
    title = "Accuracy on the official test parts"
    return Table(_quick(title, records), columns, tuple(rows), Origin.STATED)


def models_table(records: Sequence[Record]) -> Table:
    """What each shipped model is, and what came out when it was measured again."""
    columns = (
        "model",
        "program",
        "epochs",
        "seed",
        "tested",
        "float",
        "integer",
        "alike",
        "cores",
    )
    rows = []
    for record in records:
        card, figures = find(record["model"]).card, record["figures"]
        rows.append(
            (
                record["model"],
                card.quantized,
                counted(card.epochs, card.recipe),
                str(card.seed),
                f"{figures['test_sequences']:,}",
                percent(figures["float_accuracy"]),
                percent(figures["integer_accuracy"]),
                percent(figures["agreement"]),
                str(record["cores"]),
            )
        )
    return Table(_quick("The shipped models", records), columns, tuple(rows))


def equality_table(records: Sequence[Record]) -> Table:
    """How many integers of each engine equal the reference's."""
    engines = sorted({name for record in records for name in record["equal_integers"]})
    rows = [
        (record["model"], *(f"{record['equal_integers'].get(name, 0):,}" for name in engines))
        for record in records
    ]
    title = "Integers equal to the reference's: all that were compared"
    return Table(title, ("model", *engines), tuple(rows))


def cost_rows(records: Sequence[Record]) -> tuple[Row, ...]:
    """The paper's systems, then ours, at the work that the paper's tables are about.

    Ours is the program without fine-tuning: the same layers and sizes cost the same.
    """
    ours = [
        record
        for record in records
        if record["figures"]["task"] == BENCHMARK
        and not (record["figures"]["fine_tuned"] or record["variant"])
    ]
    return (*PAPER_ROWS, *(row_of(plain) for record in ours for plain in record["rows"]))


def cost_table(records: Sequence[Record], item: Item) -> Table:
    """One of the paper's two tables of latency and energy, with our rows."""
    return comparison_table(item, cost_rows(records))


def tables(records: Sequence[Record]) -> tuple[Table, ...]:
    """All of them, in the order of the report."""
    return (
        accuracy_table(records),
        models_table(records),
        equality_table(records),
        cost_table(records, Item.TOKEN),
        cost_table(records, Item.SAMPLE),
    )


def report(records: Sequence[Record], runs: Mapping[str, Path]) -> Report:
    """The page.

    Args:
        records: One per model.
        runs: Model -> folder with the journal of its training.
    """
    curves = tuple(
        Picture(
            f"Learning curve of {name}",
            learning_curve(read_journal(folder)),
            "Train and validation part; the epoch that is best on validation is kept.",
        )
        for name, folder in runs.items()
    )
    delay = Picture(
        "Energy and delay",
        delay_picture(cost_rows(records)),
        "sCIFAR with `large`: published, simulated, measured.",
    )
    return Report(
        title="ns4d: the paper's tables, ours beside them",
        summary="The shipped integer programs, streamed token by token over the official test "
        "parts; every engine compared with the reference, bit by bit; Loihi 2 as modelled.",
        tables=tables(records),
        pictures=(delay, *curves),
        environment=environment(),
    )


def _accuracy(records: Sequence[Record], task: str, key: str) -> str:
    """Of the model of a task that is best on the validation part; the next table has them all."""
    found = [record for record in records if record["figures"]["task"] == task]
    if not found:
        return "–"
    return percent(max(found, key=lambda record: record["validation_accuracy"])["figures"][key])


def _quick(title: str, records: Sequence[Record]) -> str:
    if any(record["quick"] for record in records):
        return f"{title}: a quick look, not the whole test part"
    return title


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
