"""`ns4d reproduce`: a shipped model measured again: accuracy, bits, model of the chip, this CPU.

Everything is computed from the files of the package and the official data; the card's figures are
only compared with what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ns4d.bench.loihi2_cpu import cpu_rows
from ns4d.bench.loihi2_run import Run
from ns4d.bench.loihi2_run import run as run_on_chip
from ns4d.bench.runs import LoadedRun, evaluate_run
from ns4d.bench.verify import Verification, verify
from ns4d.data import Split
from ns4d.environment import environment
from ns4d.errors import DataError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.comparison import Item, Row, simulated
from ns4d.loihi2.estimate import Span
from ns4d.loihi2.mode import Mode
from ns4d.program import Program, load
from ns4d.train.journal import read_journal, selected_accuracy
from ns4d.zoo import Entry

QUICK = 500


@dataclass(frozen=True, eq=False)
class Reproduction:
    """What came out for one model.

    Args:
        entry: The model.
        figures: Of `ns4d evaluate`.
        quick: Whether only the first `QUICK` test sequences were taken.
        verified: Every engine against the reference; all are equal.
        chip: A test sequence on the model of Loihi 2.
        cpu: The same work on this machine.
    """

    entry: Entry
    figures: dict[str, Any]
    quick: bool
    verified: Verification
    chip: Run
    cpu: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Simulated, then measured, for the tables of latency and energy."""
        return (*(simulated(self.chip.estimates[mode]) for mode in Mode), *self.cpu)

    def plain(self) -> dict[str, Any]:
        """For a record in JSON, from which all tables are made."""
        return {
            "model": self.entry.name,
            "variant": is_variant(self.entry.card.recipe),
            "validation_accuracy": selected_accuracy(read_journal(self.entry.place)),
            "quick": self.quick,
            "figures": self.figures,
            "equal_integers": {each.engine: each.values for each in self.verified.comparisons},
            "compared_on": self.verified.given,
            "cores": len(self.chip.simulation.activity.placement.cores),
            "rows": [plain_row(row) for row in self.rows],
            "environment": environment(),
        }


def is_variant(recipe: Mapping[str, Any]) -> bool:
    """Whether a network is not the paper's, with batch norm folded, or had a teacher."""
    model = recipe["model"]
    if recipe.get("teacher") is not None or model["residual"]:
        return True
    return (model["nonlinearity"], model["mixer"]) != ("relu", "relu")


def plain_row(row: Row) -> dict[str, Any]:
    """A row as JSON values."""
    spans = {
        name: None if span is None else asdict(span)
        for name, span in (
            ("energy_j", row.energy_j),
            ("latency_s", row.latency_s),
            ("per_s", row.per_s),
        )
    }
    return {"name": row.name, "item": row.item.value, "origin": row.origin, **spans}


def row_of(plain: Mapping[str, Any]) -> Row:
    """The inverse of `plain_row`."""
    energy = plain["energy_j"]
    return Row(
        plain["name"],
        Item(plain["item"]),
        plain["origin"],
        None if energy is None else Span(**energy),
        Span(**plain["latency_s"]),
        Span(**plain["per_s"]),
    )


def reproduce(
    entry: Entry,
    run: LoadedRun,
    quick: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Reproduction:
    """Measure a model again.

    Args:
        entry: A model on the shelf.
        run: That of its network, `load_run(entry.folder)`.
        quick: Take the first `QUICK` test sequences only, and compare with no card.
        progress: Called with the sequences streamed and their total.

    Returns:
        What came out.

    Raises:
        DataError: A figure differs from the card's, or an engine gave another integer than the
            reference.
    """
    program = load(entry.program)
    if quick:
        run = _first(run, QUICK)
    figures = evaluate_run(run, entry.program, progress)
    if not quick:
        require_card(entry, figures)
    sample = run.dataset.test.sequence(0)
    return Reproduction(
        entry,
        figures,
        quick,
        _equal(program, run.dataset.test),
        on_chip(program, sample),
        cpu_rows(program, sample),
    )


def require_card(entry: Entry, figures: dict[str, Any]) -> None:
    """Compare the integer figures with the card's: they are the same everywhere, or a bug.

    Float decisions may differ by a rounding on another machine, so they are not compared.

    Raises:
        DataError: They differ.
    """
    card = entry.card
    got = (figures["test_sequences"], figures["integer_correct"], figures["digest"])
    wanted = (card.test_sequences, card.integer_correct, card.digest)
    if got != wanted:
        raise DataError(
            f"model '{entry.name}'",
            expected=f"the card's {wanted[1]} of {wanted[0]}, program {wanted[2][:12]}",
            got=f"{got[1]} of {got[0]}, program {got[2][:12]}",
            fix="This is a bug of ns4d or an altered data set; please report it.",
        )


def _first(run: LoadedRun, count: int) -> LoadedRun:
    test = run.dataset.test
    some = test.select(np.arange(min(count, len(test))))
    return replace(run, dataset=replace(run.dataset, test=some))


def _equal(program: Program, test: Split) -> Verification:
    found = verify(program, test=test)
    for difference in found.differences():
        raise DataError(
            f"program {program.digest[:12]}",
            expected="the integers of the reference on every engine",
            got=difference,
            fix="This is a bug of ns4d; please report it with the program.",
        )
    return found


def on_chip(program: Program, tokens: np.ndarray) -> Run:
    """A model's modelled figures are those of the first test sequence on the paper's board."""
    mode, system = Mode.FALL_THROUGH, SYSTEMS["oheo-gulch"]
    return run_on_chip(program, tokens, "test sequence 0", mode, system)
