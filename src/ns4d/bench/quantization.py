"""What a quantization did to a network, node by node: tables, a plot, a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ns4d.bench.figures import fidelity_curve
from ns4d.bench.operations import stored_bytes
from ns4d.bench.report import Picture, Report, write_report
from ns4d.bench.tables import Table, percent
from ns4d.data import Dataset
from ns4d.environment import environment
from ns4d.program import to_text
from ns4d.quantize.fidelity import NodeFidelity, fidelity, worst_node
from ns4d.quantize.ptq import Quantized, calibration_split
from ns4d.quantize.saturation import NodeSaturation, count_saturation

# The reference's equations count what is clipped: enough sequences to see it, few enough to wait.
INSPECTED = 16


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found.

    Args:
        nodes: Signal-to-noise ratios, from the input to the read-out.
        saturation: What was clipped, per node.
        may_saturate: How many states are not proved free of saturation.
        sequences: On how many sequences of the train part.
    """

    nodes: tuple[NodeFidelity, ...]
    saturation: tuple[NodeSaturation, ...]
    may_saturate: int
    sequences: int

    @property
    def table(self) -> Table:
        """One row per node."""
        clipped = {count.name: count for count in self.saturation}
        rows = tuple(_row(node, clipped.get(node.name)) for node in self.nodes)
        columns = ("node", "SNR, dB", "drop, dB", "states clipped", "messages clipped")
        return Table(f"Float against integer, {self.sequences} sequences", columns, rows)

    @property
    def verdict(self) -> str:
        """The node to look at, and whether states are proved."""
        worst = worst_node(self.nodes)
        proof = "no input can saturate a state"
        if self.may_saturate:
            proof = f"{self.may_saturate} states are calibrated, not proved"
        return f"largest drop at {worst.name}: {worst.drop_db:.1f} dB; {proof}"

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "origin": "measured",
            "sequences": self.sequences,
            "worst_node": worst_node(self.nodes).name,
            "may_saturate": self.may_saturate,
            "nodes": [asdict(node) for node in self.nodes],
            "saturation": [asdict(count) for count in self.saturation],
        }


def inspect(made: Quantized, dataset: Dataset, sequences: int = INSPECTED) -> Inspection:
    """Compare a program with its network on calibration data.

    Args:
        made: From `quantize_keeping`.
        dataset: The task.
        sequences: How many of the calibration sequences.
    """
    split = calibration_split(dataset, sequences)
    return Inspection(
        fidelity(made.folded, made.scales, made.program, split),
        count_saturation(made.program, split),
        sum(proved.may_saturate for proved in made.program.ranges),
        len(split),
    )


def write_quantization_report(made: Quantized, found: Inspection, path: Path) -> None:
    """One self-contained HTML page.

    Args:
        made: The program.
        found: What was found about it.
        path: Where the page is written.
    """
    program = made.program
    clips = np.array([[c.states_clipped, c.states] for c in found.saturation]).sum(0)
    facts = (
        ("task", program.metadata.task),
        ("profile", program.arithmetic.name),
        ("parameter bytes", f"{stored_bytes(program):,}"),
        ("states clipped", f"{clips[0]:,} of {clips[1]:,}"),
        ("digest", program.digest[:16]),
    )
    report = Report(
        title="From real numbers to integers",
        summary=f"{found.verdict[0].upper()}{found.verdict[1:]}.",
        tables=(Table("The program", ("what", "value"), facts), found.table),
        pictures=(
            Picture(
                "Where precision is lost",
                fidelity_curve(found.nodes),
                "Signal-to-noise ratio of each node's messages against the float network. A "
                "step down is noise that the node itself adds.",
            ),
        ),
        environment=environment(),
        text=to_text(program),
    )
    write_report(report, path)


def _row(node: NodeFidelity, count: NodeSaturation | None) -> tuple[str, ...]:
    states = messages = "-"
    if count is not None:
        messages = percent(count.messages_clipped / count.messages)
        states = percent(count.states_clipped / count.states) if count.states else "-"
    return (node.name, f"{node.snr_db:.1f}", f"{node.drop_db:+.1f}", states, messages)
