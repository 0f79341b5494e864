"""Write the result tables of the documents from the records in `benchmarks/results`.

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`. `make results` rewrites all
of them; a test compares, so a figure in a document is always one that a record holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ns4d.bench import loihi2_documents, reproduction_documents, streaming_tables
from ns4d.bench.convolution import ConvolutionCost, convolution_table
from ns4d.bench.emulate.table import TABLES as EMULATION_TABLES
from ns4d.bench.fine_tuning_table import fine_tuning_table
from ns4d.bench.networks_table import networks_table
from ns4d.bench.records import read_record
from ns4d.bench.seeds_table import seeds_table
from ns4d.bench.sweep_report import sweep_table, tasks_table
from ns4d.bench.tables import Table, percent
from ns4d.bench.trainings_table import epochs_done, trainings_table
from ns4d.bench.variants_table import variants_table
from ns4d.quantize.qaft_recipe import RATE
from ns4d.storage import write_atomically

DOCUMENTS = (
    "README.md",
    "docs/performance.md",
    "docs/training.md",
    "docs/variants.md",
    "docs/quantization.md",
    "docs/fine_tuning.md",
    "docs/loihi2.md",
    "docs/results.md",
    "docs/deploy.md",
)
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MEBIBYTE = 1 << 20


def accuracy_table(results: Path) -> Table:
    """Float and integer accuracy of every program that was evaluated."""
    rows = []
    for path in sorted(results.glob("*/record*.json"), key=lambda path: path.with_suffix("")):
        record = read_record(path)
        figures, recipe = record["figures"], record["recipe"]
        rows.append(
            (
                path.parent.name,
                f"{record['parameters']:,}",
                epochs_done(record["journal"], recipe),
                f"{figures['test_sequences']:,}",
                percent(figures["float_accuracy"]),
                percent(figures["integer_accuracy"]),
                f"{figures['arithmetic']}, {_method(record)}",
                percent(figures["agreement"]),
                f"{recipe['seed']}",
            )
        )
    columns = (
        "run",
        "parameters",
        "epochs",
        "test sequences",
        "float",
        "integer",
        "program",
        "equal decisions",
        "seed",
    )
    return Table("Accuracy on the whole test part", columns, tuple(rows))


def _method(record: Mapping[str, Any]) -> str:
    """How a program was quantized; a rate of fine-tuning only where it is not the usual one."""
    if "fine_tuning" not in record:
        return "PTQ"
    rate = record["fine_tuning"]["recipe"]["training"]["optimizer"]["rate"]
    return "QAFT" if rate == RATE else f"QAFT at rate {rate!r}"


def step_table(results: Path) -> Table:
    """Time and memory of a training step, ours against the textbook's."""
    rows = tuple(
        (
            cost["size"],
            cost["device"],
            cost["variant"],
            f"{1000 * cost['seconds']:.0f}",
            f"{cost['times_faster']:.2f}×",
            f"{cost['memory'] / MEBIBYTE:.0f}",
            f"{cost['memory_fraction']:.2f}×",
        )
        for cost in read_record(results / "training_step.json")["training_step"]
    )
    columns = ("network", "device", "variant", "ms/step", "faster", "MiB", "of the memory")
    return Table("One training step", columns, rows)


def convolution_costs_table(results: Path) -> Table:
    """A layer's convolution: what each way to compute it costs."""
    costs = read_record(results / "training_step.json")["convolution"]
    return convolution_table([ConvolutionCost(**cost) for cost in costs])


def _streaming(table: Callable[[Mapping[str, Any]], Table]) -> Callable[[Path], Table]:
    return lambda results: table(read_record(results / "streaming.json"))


def _emulation(table: Callable[[Mapping[str, Any]], Table]) -> Callable[[Path], Table]:
    return lambda results: table(read_record(results / "emulation.json"))


def _variants(task: str) -> Callable[[Path], Table]:
    return lambda results: variants_table(read_record(results / f"variants_{task}.json"))


def _networks(task: str) -> Callable[[Path], Table]:
    def table(results: Path) -> Table:
        paths = sorted(results.glob("*/record*.json"))
        return networks_table(task, ((path.parent.name, read_record(path)) for path in paths))

    return table


def several_seeds_table(results: Path) -> Table:
    """Mean and spread over seeds of every recipe that has several."""
    return seeds_table(read_record(path) for path in sorted(results.glob("*/record*.json")))


def widths_table(results: Path) -> Table:
    """Accuracy of smnist at the widths of a sweep."""
    return sweep_table(read_record(results / "sweep_smnist.json"))


def fewer_bits_table(results: Path) -> Table:
    """Accuracy of every swept task."""
    return tasks_table([read_record(path) for path in sorted(results.glob("sweep_*.json"))])


def tuned_table(results: Path) -> Table:
    """Accuracy of fine-tuned programs before, after."""
    paths = sorted(results.glob("*/record-qaft-*.json"))
    return fine_tuning_table((path.parent.name, read_record(path)) for path in paths)


TABLES: Mapping[str, Callable[[Path], Table]] = {
    "accuracy": accuracy_table,
    "training-step": step_table,
    "convolution": convolution_costs_table,
    "trainings": trainings_table,
    "seeds": several_seeds_table,
    "variants-digits": _variants("digits"),
    "variants-psmnist": _variants("psmnist"),
    "networks-psmnist": _networks("psmnist"),
    "networks-scifar": _networks("scifar"),
    "sweep": widths_table,
    "sweep-tasks": fewer_bits_table,
    "fine-tuning": tuned_table,
    **{name: _streaming(table) for name, table in streaming_tables.TABLES.items()},
    **{name: _emulation(table) for name, table in EMULATION_TABLES.items()},
    **loihi2_documents.TABLES,
    **reproduction_documents.TABLES,
}


def to_markdown(table: Table) -> str:
    """A table in Markdown, its origin below it; a sentence instead if it has no rows."""
    if not table.rows:
        return "No record yet.\n"
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + "---|" * len(table.columns),
        *("| " + " | ".join(row) + " |" for row in table.rows),
    ]
    return "\n".join([*lines, "", f"All numbers {table.origin.value}."]) + "\n"


def regenerate(text: str, results: Path) -> str:
    """A document with every generated table as the records have it now."""

    def replace(block: re.Match[str]) -> str:
        return block[1] + to_markdown(TABLES[block[2]](results)) + block[3]

    return BLOCK.sub(replace, text)


def rewrite_documents(root: Path) -> list[Path]:
    """Rewrite the documents of a checkout; returns those that changed."""
    changed = []
    for path in (root / name for name in DOCUMENTS):
        text = path.read_text(encoding="utf-8")
        new = regenerate(text, root / "benchmarks" / "results")
        if new != text:
            write_atomically(path, new.encode())
            changed.append(path)
    return changed


if __name__ == "__main__":
    for document in rewrite_documents(Path.cwd()):
        print(f"rewrote {document}")
