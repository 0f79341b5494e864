"""The whole pipeline on bundled data: train, quantize, save, load, stream, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ns4d.bench.figures import learning_curve, streamed_sequences
from ns4d.bench.report import Picture, Report, write_report
from ns4d.bench.runs import provenance
from ns4d.bench.tables import Table, percent
from ns4d.data import Dataset, load_task
from ns4d.environment import environment
from ns4d.program import Program, load, save, to_text
from ns4d.quantize import Agreement, agreement, post_training_quantize, stream_split
from ns4d.train import RECIPES, Recipe, evaluate, load_network, train
from ns4d.train.journal import read_journal

SHOWN = 4


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found, and where it put things.

    Args:
        agreement: Float and integer decisions on the test part.
        program: The `.ns4d` file.
        report: The HTML report.
    """

    agreement: Agreement
    program: Path
    report: Path

    @property
    def table(self) -> Table:
        """The result in one row."""
        counts = self.agreement
        return Table(
            "Test part of digits",
            ("sequences", "tokens", "float accuracy", "integer accuracy", "agreement"),
            (
                (
                    str(counts.sequences),
                    f"{counts.tokens:,}",
                    percent(counts.float_accuracy),
                    percent(counts.integer_accuracy),
                    percent(counts.agreement),
                ),
            ),
        )

    def plain(self) -> dict[str, object]:
        """The same for `--json`."""
        counts = self.agreement
        return {
            **asdict(counts),
            "float_accuracy": counts.float_accuracy,
            "integer_accuracy": counts.integer_accuracy,
            "agreement": counts.agreement,
            "program": str(self.program),
            "report": str(self.report),
        }


def run_demo(folder: Path, say: Callable[[str], None], recipe: Recipe | None = None) -> DemoResult:
    """Run every stage of the package once, on scikit-learn's digits.

    Args:
        folder: Where the run, the program and the report are written. A training found there is
            continued, or used if it is finished.
        say: Called with one line per stage.
        recipe: Another recipe for the task `digits`.

    Returns:
        The figures and the files.
    """
    recipe = recipe or RECIPES["digits"]
    dataset = load_task(recipe.task, permutation=recipe.permutation)
    say(f"1/4 train on {len(dataset.train)} digits, {dataset.length} tokens each")
    train(recipe, dataset, folder)
    network, _ = load_network(folder)
    say("2/4 quantize to integers (profile loihi2) and save")
    path = folder / "digits.ns4d"
    save(post_training_quantize(network, dataset, provenance=provenance(network, recipe)), path)
    program = load(path)
    say(f"3/4 stream {len(dataset.test)} test digits token by token")
    scores = stream_split(program, dataset.test)
    floats = evaluate(network, dataset.test, dataset.normalization)
    counts = agreement(floats.logits, scores, dataset.test)
    say("4/4 write the report")
    result = DemoResult(counts, path, folder / "report.html")
    write_report(_report(result, program, dataset, folder), result.report)
    return result


def _report(result: DemoResult, program: Program, dataset: Dataset, folder: Path) -> Report:
    return Report(
        title="ns4d: from data to an exact integer stream",
        summary="A diagonal state-space model was trained on 8x8 handwritten digits, one pixel "
        "per time step, turned into an integer program, and streamed token by token.",
        tables=(result.table,),
        pictures=(
            Picture(
                "Learning curve",
                learning_curve(read_journal(folder)),
                "Train and validation part; the epoch that is best on validation is kept.",
            ),
            Picture(
                "Streamed sequences",
                _streamed(program, dataset),
                "Above: the pixels as they enter. Below: the mean class scores after every "
                "token, from integers only; the right class is drawn thick.",
            ),
        ),
        environment=environment(),
        text=to_text(program),
    )


def _streamed(program: Program, dataset: Dataset) -> str:
    """Stream the first few test sequences one token at a time and draw the running scores."""
    part = dataset.test.select(np.arange(SHOWN))
    unit = float(str(program.metadata.provenance["score_scale"]))
    seen = 1 + np.arange(dataset.length)[:, None]
    curves = []
    for sequence in part.tokens.astype(np.float64):
        stream = program.stream()
        scores = np.stack([stream.step(token) for token in sequence])
        curves.append(scores * unit / seen)
    return streamed_sequences(
        part.tokens[..., 0].astype(np.float64), np.stack(curves), part.labels, dataset.classes
    )
