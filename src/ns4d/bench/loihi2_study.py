"""`ns4d simulate`: a run with everything that is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ns4d.bench.loihi2_run import Run
from ns4d.bench.loihi2_tables import (
    comparison_table,
    layers_table,
    metrics_table,
    results_table,
    split_table,
)
from ns4d.bench.loihi2_what_if_table import what_if_plain, what_if_table
from ns4d.bench.tables import Table
from ns4d.choice import choose
from ns4d.environment import environment
from ns4d.loihi2.comparison import PAPER_ROWS, Item, Row, simulated
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.estimate import Estimate
from ns4d.loihi2.fact import Tag
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import structure_of
from ns4d.loihi2.what_if import Outcome, what_if
from ns4d.program import to_text

CAVEATS = (
    "ranges are what the calibration leaves open; another placement can move latency by 35 %, "
    "energy by 40 % (arXiv 2602.04717)",
    "published rows: the large network on sCIFAR (arXiv 2409.15022); this CPU: measured, but for "
    "its energy",
)


def cost_lines() -> list[str]:
    """How the unit costs are known, a line per tag."""
    names = [(fact.tag, name) for name, fact in COSTS.facts.items()]
    return [
        f"costs {tag.value}: {', '.join(name for other, name in names if other is tag)}"
        for tag in Tag
        if any(other is tag for other, _ in names)
    ]


@dataclass(frozen=True, eq=False)
class Study:
    """What `ns4d simulate` found.

    Args:
        run: The run.
        rows: Systems beside it: published, simulated, measured on this machine.
        outcomes: What changes would do; empty if not asked.
    """

    run: Run
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """In the order in which they are shown."""
        found = (
            results_table(self.run),
            layers_table(self.run),
            split_table(self.run),
            metrics_table(self.run),
            *(comparison_table(item, self.rows) for item in Item),
        )
        return found if not self.outcomes else (*found, what_if_table(self.outcomes))

    def lines(self) -> list[str]:
        """What the tables do not say."""
        run, placement = self.run, self.run.simulation.activity.placement
        return [
            f"{run.mode.value}: {run.work.tokens:,} tokens ({run.source}) in "
            f"{run.simulation.steps:,} steps; {run.values:,} scores and states equal to those of "
            f"engine {run.engine}",
            f"{len(placement.cores)} cores on {placement.chips} of {placement.system.chips} chips",
            *(f"assumed: {note}" for note in placement.notes),
            *cost_lines(),
            *CAVEATS,
        ]

    @cached_property
    def pictures(self) -> dict[str, str]:
        """Name -> SVG element."""
        from ns4d.bench.loihi2_pictures import pictures_of

        chip = self.run.simulation.activity.placement.system.chip
        return pictures_of(
            self.run.work, self.run.estimates, self.rows, int(chip.cores.value), self.outcomes
        )

    def write(self, report: Path | None, figures: Path | None) -> list[Path]:
        """Write the page, the pictures, or nothing; returns the paths.

        Raises:
            ArtefactError: A file cannot be written.
        """
        from ns4d.bench.loihi2_pictures import captioned, write_pictures
        from ns4d.bench.report import Report, write_report

        paths = [] if figures is None else write_pictures(self.pictures, figures)
        if report is not None:
            page = Report(
                title=f"{self.run.program.metadata.task} on a model of Loihi 2",
                summary=". ".join(self.lines()) + ".",
                tables=self.tables,
                pictures=captioned(self.pictures),
                environment=environment(),
                text=to_text(self.run.program),
            )
            write_report(page, report)
            paths.append(report)
        return paths

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        activity = self.run.simulation.activity
        placement = activity.placement
        return {
            "origin": "simulated",
            "digest": self.run.program.digest,
            "system": placement.system.name,
            "cores": len(placement.cores),
            "chips": placement.chips,
            "mode": self.run.mode.value,
            "tokens": self.run.work.tokens,
            "source": self.run.source,
            "steps": self.run.simulation.steps,
            "equal_values": self.run.values,
            "engine": self.run.engine,
            "scores": self.run.simulation.scores[-1].tolist(),
            "estimates": {mode.value: _estimate(self.run.estimates[mode]) for mode in Mode},
            "layers": [asdict(layer) | {"density": layer.density} for layer in self.run.layers],
            "metrics": asdict(self.run.metrics),
            "costs": {
                name: asdict(fact) | {"tag": fact.tag.value} for name, fact in COSTS.facts.items()
            },
            "comparison": [plain_row(row) for row in self.rows],
            "what_if": what_if_plain(self.outcomes),
            "notes": list(placement.notes),
        }


def study(found: Run, cpu: Sequence[Row], *, what_if: bool = False) -> Study:
    """A run beside the systems of the paper.

    Args:
        found: The run.
        cpu: This machine's rows, from `cpu_rows`.
        what_if: Whether to change one property at a time.

    Raises:
        ConfigError: A program without S4D nodes is asked what it would do.
    """
    modelled = [simulated(found.estimates[mode], board) for mode in Mode for board in (False, True)]
    outcomes = _outcomes(found) if what_if else ()
    return Study(found, (*PAPER_ROWS, *modelled, *cpu), outcomes)


def mode_of(name: str) -> Mode:
    """The mode that a user names.

    Raises:
        ConfigError: There is none.
    """
    fix = "fall-through has the least latency, pipelined the most tokens per second."
    return choose("--mode", {mode.value: mode for mode in Mode}, name, fix)


def plain_row(row: Row) -> dict[str, Any]:
    """A row of the comparison for JSON; s, J, 1/s."""
    product = row.energy_delay_js
    return {
        "name": row.name,
        "item": row.item.value,
        "origin": row.origin,
        "energy_j": None if row.energy_j is None else asdict(row.energy_j),
        "latency_s": asdict(row.latency_s),
        "per_s": asdict(row.per_s),
        "energy_delay_js": None if product is None else asdict(product),
    }


def _outcomes(found: Run) -> tuple[Outcome, ...]:
    chip = found.simulation.activity.placement.system.chip
    per_core = int(chip.s4d_neurons_per_core.value)
    return tuple(what_if(structure_of(found.program, found.work, per_core)))


def _estimate(found: Estimate) -> dict[str, Any]:
    spans = ("token_s", "latency_s", "token_j", "sample_j", "board_token_j", "board_sample_j")
    return {name: asdict(getattr(found, name)) for name in spans} | {
        "causes_s": found.timing.causes_s,
        "causes_j": found.energy.causes_j,
    }
