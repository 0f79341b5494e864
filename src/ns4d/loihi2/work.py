"""What the cost model needs to know of a run: which core does how much in which step.

A step of the chip is as long as its fullest core is busy, so times follow from four facts per
slice: at which stage its neurons act, on which core, how many synaptic operations reach it, how
many spikes leave it. Where these come from is open: counted (`work_of`), or expected (`what_if`).

Axes      l token, s slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ns4d.errors import ShapeError
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.listeners import listeners
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind


@dataclass(frozen=True)
class Cluster:
    """Neurons that act in the same step on the same core.

    Args:
        name: Of the population.
        kind: What its neurons compute.
        stage: At which step of a token they act; the input at 0.
        core: Where.
        chip: The chip of that core; chips stand in a row.
        neurons: How many.
        reach: Lowest and highest chip on which its messages are heard.
    """

    name: str
    kind: Kind
    stage: int
    core: int
    chip: int
    neurons: int
    reach: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Work:
    """The work of a stream, by token and cluster.

    Args:
        clusters: One per slice.
        spikes: float64 (l, s): messages that leave the cluster.
        synops: float64 (l, s): synaptic operations in the cluster; they are done in the step before
            its own, while the senders act.
        message_bits: Width of a message.

    Raises:
        ShapeError: Arrays that do not fit the clusters, or no token.
    """

    clusters: tuple[Cluster, ...]
    spikes: np.ndarray
    synops: np.ndarray
    message_bits: int

    def __post_init__(self) -> None:
        for name in ("spikes", "synops"):
            array = np.asarray(getattr(self, name), np.float64)
            if array.ndim != 2 or array.shape[1] != len(self.clusters) or not len(array):
                raise ShapeError(
                    f"work {name}",
                    expected=f"(l, {len(self.clusters)}) numbers, at least one token",
                    got=str(array.shape),
                    fix="Give one row per token, one column per cluster.",
                )
            object.__setattr__(self, name, array)

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self.synops)

    @property
    def last_stage(self) -> int:
        """That of the read-out."""
        return max(cluster.stage for cluster in self.clusters)

    @property
    def steps_per_token(self) -> int:
        """Chip steps from a token to the next in fall-through mode: see `populations`."""
        return max(self.last_stage - 1, 1)

    @property
    def by_core(self) -> Mapping[int, list[int]]:
        """The indices of the clusters on each core in use."""
        found: dict[int, list[int]] = {}
        for s, cluster in enumerate(self.clusters):
            found.setdefault(cluster.core, []).append(s)
        return dict(sorted(found.items()))

    @property
    def chips(self) -> int:
        """How many chips are in use."""
        return len({cluster.chip for cluster in self.clusters})

    def neurons(self, *kinds: Kind) -> int:
        """How many neurons are of these kinds."""
        return sum(cluster.neurons for cluster in self.clusters if cluster.kind in kinds)

    def mean(self, tokens: int = 1) -> Work:
        """The same mean work for each of so many tokens."""
        spikes, synops = (
            np.tile(part.mean(axis=0), (tokens, 1)) for part in (self.spikes, self.synops)
        )
        return Work(self.clusters, spikes, synops, self.message_bits)

    def plain(self) -> dict[str, Any]:
        """The mean work, for JSON."""
        mean = self.mean()
        return {
            "message_bits": self.message_bits,
            "clusters": [
                asdict(cluster) | {"kind": cluster.kind.name, "spikes": spikes, "synops": synops}
                for cluster, spikes, synops in zip(
                    self.clusters, mean.spikes[0].tolist(), mean.synops[0].tolist(), strict=True
                )
            ],
        }


def work_from_plain(plain: Mapping[str, Any], tokens: int = 1) -> Work:
    """What `Work.plain` wrote, for so many tokens."""
    rows = [dict(row) for row in plain["clusters"]]
    spikes, synops = ([row.pop(name) for row in rows] for name in ("spikes", "synops"))
    clusters = tuple(
        Cluster(**row | {"kind": Kind[row["kind"]], "reach": tuple(row["reach"])}) for row in rows
    )
    return Work(clusters, np.array([spikes]), np.array([synops]), plain["message_bits"]).mean(
        tokens
    )


def work_of(activity: Activity) -> Work:
    """The counted work of a run."""
    bits = activity.placement.program.arithmetic.message_bits
    return Work(clusters_of(activity.placement), activity.spikes, activity.synops, bits)


def clusters_of(placement: Placement) -> tuple[Cluster, ...]:
    """The slices of a placement as the cost model sees them, in the same order."""
    heard = listeners(placement)
    found = []
    for part in placement.slices:
        population = placement.populations[part.population]
        here = placement.chip_of(part.core)
        chips = [here, *(placement.chip_of(other.core) for other in heard[part])]
        cluster = Cluster(
            population.name,
            population.kind,
            population.stage,
            part.core,
            here,
            part.neurons,
            (min(chips), max(chips)),
        )
        found.append(cluster)
    return tuple(found)
