"""The tables of docs/loihi2.md, from the records of calibration, of a run.

Modelled figures are those of the calibration's mean token, as many times as sCIFAR has tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ns4d.bench.loihi2_numbers import deviation, prefix_of, quantity, ranged
from ns4d.bench.loihi2_run import LayerCount
from ns4d.bench.loihi2_tables import comparison_table, counted_table
from ns4d.bench.loihi2_what_if_table import what_if_table
from ns4d.bench.records import read_record
from ns4d.bench.tables import Origin, Table
from ns4d.loihi2.calibrate import SAMPLE_TOKENS
from ns4d.loihi2.comparison import PAPER_ROWS, Item, Row, measured, published_for, simulated
from ns4d.loihi2.costs import CORNERS, COSTS, Costs
from ns4d.loihi2.energy import price
from ns4d.loihi2.estimate import Estimate, Span, estimate
from ns4d.loihi2.evidence import (
    BOARD_STATIC_W,
    IZHIKEVICH_S,
    LEAST_STEP_S,
    LIF_STEP_S,
    PILOTNET_J,
    SAMPLES_PER_S,
    SPARSE_S5_FASTER,
    SPARSE_S5_FRUGAL,
    SPARSE_S5_GROUPS,
)
from ns4d.loihi2.fact import Fact
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.timing import Timing, time_steps
from ns4d.loihi2.what_if import Outcome
from ns4d.loihi2.work import Work, work_from_plain

CALIBRATION, RECORD = "loihi2_calibration.json", "loihi2.json"
MILLI = 1e-3


def work_of_record(results: Path) -> Work:
    """A sample of mean tokens of the calibrated network."""
    return work_from_plain(read_record(results / CALIBRATION)["work"], SAMPLE_TOKENS)


def estimates_of(results: Path) -> dict[Mode, Estimate]:
    """What the model says of such a sample."""
    work = work_of_record(results)
    return {mode: estimate(work, mode) for mode in Mode}


def rows_of(results: Path) -> list[Row]:
    """Published, simulated, measured."""
    found = estimates_of(results)
    modelled = [simulated(found[mode], board) for mode in Mode for board in (False, True)]
    plain = read_record(results / RECORD)["cpu"]
    cpu = [
        measured(row["name"], Item(row["item"]), row["latency_s"]["value"], row["per_s"]["value"])
        for row in plain
    ]
    return [*PAPER_ROWS, *modelled, *cpu]


def outcomes_of(results: Path) -> list[Outcome]:
    """What changes would do to the network of the record."""
    return [
        Outcome(
            Structure(**plain["structure"]),
            plain["axis"],
            plain["cores"],
            plain["chips"],
            plain["system"],
            *({Mode(name): x for name, x in plain[key].items()} for key in ("token_s", "token_j")),
        )
        for plain in read_record(results / RECORD)["what_if"]
    ]


def costs_table(results: Path) -> Table:
    """Every unit cost with its range, how it is known, and whence."""
    rows = tuple(
        (f"`{name}`", quantity(fact.value, fact.unit, 3), _range(fact), fact.tag.value, fact.source)
        for name, fact in COSTS.facts.items()
    )
    columns = ("cost", "value", "range", "number is", "source")
    return Table("Unit costs", columns, rows, Origin.STATED)


def calibrated_table(results: Path) -> Table:
    """The six published figures of Loihi 2 with the model's beside them."""
    rows = []
    for mode, found in estimates_of(results).items():
        printed, ours, board = published_for(mode), simulated(found), simulated(found, board=True)
        assert printed.energy_j and ours.energy_j and board.energy_j
        item = printed.item.value
        fitted = "yes" if mode is Mode.FALL_THROUGH else "no"
        for name, wanted, value, other, scale, exact in (
            (f"ms per {item}", printed.latency_s, ours.latency_s, board.latency_s, MILLI, "yes"),
            (f"{item}s/s", printed.per_s, ours.per_s, board.per_s, 1.0, fitted),
            (f"mJ per {item}", printed.energy_j, ours.energy_j, board.energy_j, MILLI, "yes"),
        ):
            shown = f"{wanted.value / scale:,.10g}"
            cells = shown, ranged(value, scale, 3), ranged(other, scale), exact
            rows.append((f"{mode.value}, {name}", *cells))
    columns = ("figure", "published", "model", "model with the static power of boards", "fitted to")
    return Table("Published and modelled", columns, tuple(rows), Origin.STATED)


def predictions_table(results: Path) -> Table:
    """What was not fitted, beside what others measured."""
    work = work_of_record(results)
    found = estimates_of(results)
    neurons = work.neurons(Kind.STATE)
    dynamic = [found[Mode.PIPELINED].energy.dynamic_j / work.tokens / neurons]
    dynamic += [_dynamic_j(work, corner) / neurons for corner in CORNERS]
    rows = (
        _judged("static power of a chip", _span(COSTS.static_w), BOARD_STATIC_W),
        _judged("update of a neuron in microcode", _span(COSTS.state_update_s), IZHIKEVICH_S),
        _judged("all dynamic energy per neuron update", _around(dynamic), PILOTNET_J),
        _judged("time step without S4D neurons", _light_step(work), LIF_STEP_S),
        _above("time step in which nothing happens", _span(COSTS.step_floor_s), LEAST_STEP_S),
        _judged("pipelined throughput", simulated(found[Mode.PIPELINED]).per_s, SAMPLES_PER_S),
        _sparse_s5(),
    )
    columns = ("what", "model", "published", "miss", "ranges", "source")
    return Table("Judged by what was not fitted", columns, rows, Origin.STATED)


def layers_table(results: Path) -> Table:
    """What the network of the record did per token."""
    layers = read_record(results / RECORD)["layers"]
    counts = [LayerCount(**{k: v for k, v in row.items() if k != "density"}) for row in layers]
    return counted_table(counts)


def compared_table(item: Item, results: Path) -> Table:
    """One of the paper's two tables in full."""
    return comparison_table(item, rows_of(results))


def forms_table(results: Path) -> Table:
    """Equation (1) beside a published form of it, at the same unit costs."""
    work = work_of_record(results)
    rows = []
    for mode in Mode:
        ours = time_steps(work, mode, COSTS)
        computing = time_steps(work, mode, COSTS.at(synop_s=0.0)).updates_s
        memory = time_steps(work, mode, COSTS.at(state_update_s=0.0, update_s=0.0)).synops_s
        other = replace(ours, updates_s=np.maximum(computing, memory), synops_s=0.0 * memory)
        times = ours.token_s, other.token_s
        rows.append((mode.value, *(quantity(time, "s") for time in times), deviation(*times[::-1])))
    columns = ("mode", "sum on the fullest core", "larger of the two", "difference")
    return Table("Sum or maximum", columns, tuple(rows), Origin.SIMULATED)


def sensitivity_table(results: Path) -> Table:
    """One property at a time."""
    return what_if_table(outcomes_of(results))


TABLES: Mapping[str, Callable[[Path], Table]] = MappingProxyType(
    {
        "loihi2-costs": costs_table,
        "loihi2-calibrated": calibrated_table,
        "loihi2-predictions": predictions_table,
        "loihi2-forms": forms_table,
        "loihi2-layers": layers_table,
        "loihi2-tokens": partial(compared_table, Item.TOKEN),
        "loihi2-samples": partial(compared_table, Item.SAMPLE),
        "loihi2-sensitivity": sensitivity_table,
    }
)


def _judged(what: str, ours: Span, theirs: Fact) -> tuple[str, ...]:
    low, high = theirs.spread
    meet = ours.low <= high and low <= ours.high
    scale, prefix = prefix_of(ours.value)
    shown = f"{ranged(ours, scale)} {prefix}{theirs.unit}"
    printed = f"{quantity(theirs.value, theirs.unit, 3)}"
    if low < high:
        printed = f"{quantity(low, theirs.unit, 3)} to {quantity(high, theirs.unit, 3)}"
    miss = deviation(ours.value, theirs.value)
    return what, shown, printed, miss, "meet" if meet else "do not meet", theirs.source


def _above(what: str, ours: Span, least: Fact) -> tuple[str, ...]:
    """Against a bound."""
    scale, prefix = prefix_of(ours.value)
    shown = f"{ranged(ours, scale)} {prefix}{least.unit}"
    bound = f"can be less than {quantity(least.value, least.unit, 3)}"
    verdict = "above it" if ours.low >= least.value else "not above it"
    return what, shown, bound, "", verdict, least.source


def _sparse_s5() -> tuple[str, ...]:
    """Without its sizes the model knows the least time of a token only: a step per group."""
    steps = SPARSE_S5_GROUPS.value
    least = ranged(_span(COSTS.step_floor_s).times(steps), 1e-6)
    claim = (
        f"{SPARSE_S5_FASTER.value:g}× faster, {SPARSE_S5_FRUGAL.value:g}× less energy than on an "
        "Orin Nano"
    )
    what = f"sparse S5, a token through {steps:g} neuron groups"
    return what, f"at least {least} µs", claim, "", "not comparable", SPARSE_S5_GROUPS.source


def _span(fact: Fact) -> Span:
    return Span(fact.value, *fact.spread)


def _range(fact: Fact) -> str:
    low, high = fact.spread
    if low == high:
        return ""
    return f"{quantity(low, fact.unit, 3)} to {quantity(high, fact.unit, 3)}"


def _around(values: list[float]) -> Span:
    return Span(values[0], min(values), max(values))


def _dynamic_j(work: Work, costs: Costs) -> float:
    short = work.mean(work.last_stage + 2)
    return price(time_steps(short, Mode.PIPELINED, costs), costs).dynamic_j / short.tokens


def _light_step(work: Work) -> Span:
    """The mean step of a token in which no S4D neuron acts."""
    one = work.mean(1)
    kinds = {cluster.stage: cluster.kind for cluster in one.clusters}
    light = [stage for stage in range(1, one.steps_per_token + 1) if kinds[stage] is not Kind.STATE]

    def mean(timing: Timing) -> float:
        return float(np.mean(timing.step_s[light]))

    return _around([mean(time_steps(one, Mode.FALL_THROUGH, costs)) for costs in (COSTS, *CORNERS)])
