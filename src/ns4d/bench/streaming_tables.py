"""The tables of the streaming benchmark, from its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ns4d.bench.streaming_race import OURS
from ns4d.bench.tables import Table

Record = Mapping[str, Any]
VECTORS = {
    "products": "multiplications",
    "floats": "float additions, truncations",
    "words": "integer additions, shifts",
}
MICROSECOND, GIGA, KIBIBYTE = 1e-6, 1e9, 1024


def tokens_table(record: Record) -> Table:
    """Token by token: the best of each baseline, then ours."""
    columns = ("network", "weights", "what", "µs/token, median", "µs/token, best", "faster")
    rows = tuple(
        (
            *_heading(subject),
            entry["name"],
            f"{entry['median_s'] / MICROSECOND:.1f}",
            f"{entry['best_s'] / MICROSECOND:.1f}",
            _ratio(entry),
        )
        for subject, entry in _shown(record, "tokens")
    )
    return Table("Token by token, one core, with the Python call", columns, rows)


def streams_table(record: Record) -> Table:
    """Many streams at once, in tokens per second over all of them."""
    streams = record["plan"]["streams"]
    return _rates(record, "streams", f"{streams:,} streams, one token each per call", "tokens/s")


def sequences_table(record: Record) -> Table:
    """Whole sequences, in sequences per second."""
    batch = record["plan"]["batch"]
    return _rates(record, "sequences", f"Whole sequences, {batch} per call", "sequences/s")


def limits_table(record: Record) -> Table:
    """What the machine can do."""
    limits = record["limits"]
    rows = [
        (
            level,
            "" if level == "DRAM" else f"{facts['holds_bytes'] // KIBIBYTE:,} KiB",
            f"{facts['read'] / GIGA:.0f} GB/s read",
            f"{facts['copy'] / GIGA:.0f} GB/s copied",
        )
        for level, facts in limits["bandwidth"].items()
    ]
    for kind, rate in limits["multiply_adds"].items():
        rows.append((kind, "", f"{rate / GIGA:.1f} G multiply-adds/s", ""))
    for kind, rate in limits["vectors"].items():
        rows.append((VECTORS[kind], "", f"{rate / GIGA:.1f} G vectors/s", ""))
    return Table("One core of this machine", ("what", "holds", "rate", ""), tuple(rows))


def bounds_table(record: Record) -> Table:
    """Bytes and products per token, the bounds from them, how close each program comes."""
    columns = (
        "network",
        "weights",
        "program",
        "KiB moved",
        "products",
        "held by",
        "µs to move",
        "µs to compute",
        "µs to call",
        "µs measured",
        "of the bound",
    )
    rows = []
    # A call costs the same everywhere; its best time is disturbed least.
    call = min(subject["call_s"] for subject in record["subjects"])
    for subject in record["subjects"]:
        best = _best_tokens(subject)
        for label, work in subject["work"].items():
            bound = max(work["moving_s"], work["computing_s"]) + call
            times = work["moving_s"], work["computing_s"], call, best[label]
            rows.append(
                (
                    *_heading(subject),
                    label,
                    f"{work['bytes_moved'] / KIBIBYTE:.0f}",
                    f"{work['products']:,}",
                    work["level"],
                    *(f"{seconds / MICROSECOND:.1f}" for seconds in times),
                    f"{best[label] / bound:.2f}×",
                )
            )
    return Table("Bounds on a token, best times", columns, tuple(rows))


TABLES: Mapping[str, Callable[[Record], Table]] = MappingProxyType(
    {
        "streaming-tokens": tokens_table,
        "streaming-streams": streams_table,
        "streaming-sequences": sequences_table,
        "streaming-limits": limits_table,
        "streaming-bounds": bounds_table,
    }
)


def _rates(record: Record, kind: str, title: str, unit: str) -> Table:
    columns = ("network", "weights", "what", f"{unit}, median", f"{unit}, best", "faster")
    rows = tuple(
        (
            *_heading(subject),
            entry["name"],
            f"{1 / entry['median_s']:,.0f}",
            f"{1 / entry['best_s']:,.0f}",
            _ratio(entry),
        )
        for subject, entry in _shown(record, kind)
    )
    return Table(f"{title}, {record['plan']['cores']} cores", columns, rows)


def _shown(record: Record, kind: str) -> Iterator[tuple[Record, Record]]:
    return ((subject, entry) for subject in record["subjects"] for entry in subject[kind])


def _best_tokens(subject: Record) -> dict[str, float]:
    """Label of a program -> its best time per token, s, over the forms of its tokens."""
    found: dict[str, float] = {}
    for entry in subject["tokens"]:
        if entry["family"] == OURS:
            label = entry["name"].removeprefix(f"{OURS} ").rpartition(", ")[0]
            found[label] = min(entry["best_s"], found.get(label, entry["best_s"]))
    return found


def _heading(subject: Record) -> tuple[str, str]:
    return subject["size"], subject["weights"]


def _ratio(entry: Record) -> str:
    return "1×, the baseline" if entry["baseline"] else f"{entry['times_faster']:.2f}×"
