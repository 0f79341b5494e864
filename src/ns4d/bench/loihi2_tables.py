"""What a simulated run shows: tables for the terminal, for the HTML report."""

from __future__ import annotations

from collections.abc import Sequence

from ns4d.bench.loihi2_numbers import quantity, ranged
from ns4d.bench.loihi2_run import LayerCount, Run
from ns4d.bench.tables import Origin, Table
from ns4d.loihi2.comparison import Item, Row
from ns4d.loihi2.estimate import Span
from ns4d.loihi2.mode import Mode

MILLI, MICRO = 1e-3, 1e-6
COMPARED = ("system", "energy, mJ", "latency, ms", "1/s", "product, µJ·s", "numbers")


def results_table(run: Run) -> Table:
    """Both modes: times, rates, energies with their ranges."""
    columns = ("quantity", *(mode.value for mode in Mode))
    rows = [
        (name, *(text(run.estimates[mode]) for mode in Mode))
        for name, text in (
            ("a token every, µs", lambda e: ranged(e.token_s, MICRO)),
            ("tokens/s", lambda e: ranged(e.token_s.inverse)),
            ("the whole stream, ms", lambda e: ranged(e.latency_s, MILLI)),
            ("energy of a token, µJ", lambda e: ranged(e.token_j, MICRO)),
            ("energy of the stream, mJ", lambda e: ranged(e.sample_j, MILLI)),
            (
                "energy of a token with the static power of boards, µJ",
                lambda e: ranged(e.board_token_j, MICRO),
            ),
        )
    ]
    tokens = run.work.tokens
    title = f"{run.program.metadata.task} on {run.simulation.activity.placement.system.name}"
    return Table(f"{title}, {tokens:,} tokens", columns, tuple(rows), Origin.SIMULATED)


def layers_table(run: Run) -> Table:
    """What each population did in a run."""
    return counted_table(run.layers)


def counted_table(layers: Sequence[LayerCount]) -> Table:
    """One row per population."""
    columns = ("layer", "kind", "cores", "updates", "spikes", "non-zero", "synaptic operations")
    rows = tuple(
        (
            layer.name,
            layer.kind,
            str(layer.cores),
            f"{layer.neurons:,}",
            f"{layer.spikes:,.1f}",
            f"{layer.density:.2f}",
            f"{layer.synops:,.1f}",
        )
        for layer in layers
    )
    return Table("Counted per token", columns, rows, Origin.SIMULATED)


def split_table(run: Run) -> Table:
    """Time and energy of a token by cause, in both modes."""
    columns = ("cause", *(mode.value for mode in Mode))
    estimates = [run.estimates[mode] for mode in Mode]
    rows = [
        _split(f"time: {cause}", [e.timing.causes_s[cause] for e in estimates], "s")
        for cause in estimates[0].timing.causes_s
    ]
    rows += [
        _split(f"energy: {cause}", [e.energy.causes_j[cause] for e in estimates], "J")
        for cause in estimates[0].energy.causes_j
    ]
    return Table("A token by cause", columns, tuple(rows), Origin.SIMULATED)


def metrics_table(run: Run) -> Table:
    """By the names of NeuroBench."""
    found = run.metrics
    rows = (
        ("footprint, bytes", f"{found.footprint:,}"),
        ("connection sparsity", f"{found.connection_sparsity:.4f}"),
        ("activation sparsity", f"{found.activation_sparsity:.4f}"),
        ("synaptic operations per token, Effective_MACs", f"{found.effective_macs:,.1f}"),
        ("synaptic operations per token, Effective_ACs", f"{found.effective_acs:,.1f}"),
        ("synaptic operations per token, Dense", f"{found.dense:,}"),
        ("state updates per token", f"{found.state_updates:,}"),
    )
    return Table("NeuroBench metrics", ("metric", "value"), rows, Origin.SIMULATED)


def comparison_table(item: Item, rows: Sequence[Row]) -> Table:
    """One of the paper's two tables, each row with how its numbers came about."""
    title = f"{item.value} by {item.value}, with energy · latency".capitalize()
    chosen = [row for row in rows if row.item is item]
    return Table(title, COMPARED, tuple(_compared(row) for row in chosen), Origin.STATED)


def _compared(row: Row) -> tuple[str, ...]:
    # Printed and timed figures as they are; modelled ones to two digits.
    digits = 2 if row.origin == Origin.SIMULATED.value else 4
    energy, product = row.energy_j, row.energy_delay_js
    return (
        row.name,
        "not known" if energy is None else _plain(energy, MILLI, digits),
        _plain(row.latency_s, MILLI, digits),
        _plain(row.per_s, 1.0, digits),
        "not known" if product is None else _plain(product, MICRO, 2 if digits == 2 else 3),
        row.origin,
    )


def _plain(span: Span, scale: float, digits: int) -> str:
    """Without zeros that were never printed or measured."""
    text = ranged(span, scale, digits)
    if digits > 2 and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def _split(name: str, values: Sequence[float], unit: str) -> tuple[str, ...]:
    return (name, *(quantity(value, unit) for value in values))
