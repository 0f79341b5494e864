"""What the chip takes for its work: seconds, joules, bits. Every cost is a `Fact`.

Four of them are fitted to the published figures of one network, given the others; the record of
that fit is `benchmarks/results/loihi2_calibration.json`, and a test repeats it. The others are
known within a factor only, and each choice moves the fitted ones. So the range of a result is not
got by moving one cost: each of `CORNERS` is a whole set of costs that fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from ns4d.errors import ConfigError
from ns4d.loihi2.chip import BRIEF
from ns4d.loihi2.fact import Fact, Tag

LOIHI1 = "Davies et al., IEEE Micro 2018: Loihi 1"
HALA_POINT = "Intel, Hala Point (2024): 140,544 cores"
FIT = "ns4d.loihi2.calibrate, to the figures of arXiv 2409.15022"


@dataclass(frozen=True)
class Costs:
    """Unit costs of a chip.

    Args:
        step_floor_s: A time step in which nothing happens, barrier included.
        state_update_s: Update of one S4D neuron on its core.
        update_s: Update of any other neuron.
        synop_s: One synaptic operation on its core.
        static_w: Power of a chip that does nothing, per chip in use.
        state_update_j: Update of one S4D neuron.
        update_j: Update of any other neuron.
        synop_j: One synaptic operation.
        spike_j: One message through the network of a chip.
        link_bits_per_s: A link between two neighbouring chips, per direction.
        header_bits: What a message between chips carries beside its payload.
        crossing_s: What a step takes longer when a message leaves a chip in it.
        link_j_per_bit: One bit over one link.
    """

    step_floor_s: Fact
    state_update_s: Fact
    update_s: Fact
    synop_s: Fact
    static_w: Fact
    state_update_j: Fact
    update_j: Fact
    synop_j: Fact
    spike_j: Fact
    link_bits_per_s: Fact
    header_bits: Fact
    crossing_s: Fact
    link_j_per_bit: Fact

    def at(self, **values: float) -> Costs:
        """These costs with other values, their spreads widened to hold them.

        Args:
            values: By name of the field, in its unit.

        Raises:
            ConfigError: No such cost, or a value that no cost can have.
        """
        facts = self.facts
        if unknown := sorted(set(values) - set(facts)):
            raise ConfigError(
                f"cost '{unknown[0]}'",
                expected=f"one of {', '.join(facts)}",
                got="no such cost",
                fix="See ns4d.loihi2.costs.",
            )
        return replace(self, **{name: _moved(facts[name], value) for name, value in values.items()})

    @property
    def facts(self) -> Mapping[str, Fact]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _moved(fact: Fact, value: float) -> Fact:
    low, high = fact.spread
    return replace(fact, value=value, low=min(low, value), high=max(high, value))


COSTS = Costs(
    step_floor_s=Fact(1.255e-6, "s", FIT, Tag.FITTED, 0.6995e-6, 1.490e-6),
    state_update_s=Fact(31.76e-9, "s", FIT, Tag.FITTED, 31.31e-9, 33.00e-9),
    update_s=Fact(
        2.2e-9,
        "s",
        f"middle of a neuron operation at the peak of {HALA_POINT}, 240e12/s; {LOIHI1}, 8.4 ns",
        Tag.ASSUMED,
        0.59e-9,
        8.4e-9,
    ),
    synop_s=Fact(
        0.61e-9,
        "s",
        f"middle of a synaptic operation at the peak of {HALA_POINT}, 380e12/s; 1 ns",
        Tag.ASSUMED,
        0.37e-9,
        1e-9,
    ),
    static_w=Fact(0.1108, "W", FIT, Tag.FITTED, 0.1014, 0.1202),
    state_update_j=Fact(0.2327e-9, "J", FIT, Tag.FITTED, 0.1727e-9, 0.2631e-9),
    update_j=Fact(
        30e-12,
        "J",
        f"middle of 2600 W / 240e12 operations per s of {HALA_POINT}; {LOIHI1}, 81 pJ",
        Tag.ASSUMED,
        10.8e-12,
        81e-12,
    ),
    synop_j=Fact(
        6.8e-12,
        "J",
        f"2600 W / 380e12 operations per s of {HALA_POINT}; {LOIHI1}, 23.6 pJ, and a tenth of it",
        Tag.ASSUMED,
        2.4e-12,
        23.6e-12,
    ),
    spike_j=Fact(
        20e-12,
        "J",
        f"{LOIHI1}: 1.7 pJ within a tile, 3 to 4 pJ per hop; five hops",
        Tag.ASSUMED,
        1.7e-12,
        40e-12,
    ),
    link_bits_per_s=Fact(10e9, "bit/s", BRIEF, Tag.PUBLISHED),
    header_bits=Fact(32.0, "bit", "address of core with axon, framing", Tag.ASSUMED, 16.0, 64.0),
    crossing_s=Fact(100e-9, "s", "two serial transceivers with a wire", Tag.ASSUMED, 20e-9, 500e-9),
    link_j_per_bit=Fact(5e-12, "J/bit", "serial links on a board", Tag.ASSUMED, 1e-12, 20e-12),
)

Ends = tuple[int, int]
GIVEN_J = ("update_j", "synop_j", "spike_j")
# At which end of their spreads synapse and update time are (0 low, 1 high) -> F, t_n of the fit.
FITTED_TIMES: Mapping[Ends, tuple[float, float]] = MappingProxyType(
    {
        (0, 0): (1.490e-6, 31.31e-9),
        (0, 1): (1.124e-6, 32.38e-9),
        (1, 0): (0.9749e-6, 32.19e-9),
        (1, 1): (0.6995e-6, 33.00e-9),
    }
)
# The same of the energies given, of the published energy of a token -> p, e_n of the fit.
FITTED_ENERGIES: Mapping[Ends, tuple[float, float]] = MappingProxyType(
    {
        (0, 0): (0.1014, 0.2631e-9),
        (0, 1): (0.1202, 0.2560e-9),
        (1, 0): (0.1014, 0.1799e-9),
        (1, 1): (0.1202, 0.1727e-9),
    }
)


def corner(times: Ends, energies: Ends) -> Costs:
    """A set of costs that fit together.

    Args:
        times: A key of FITTED_TIMES; what is known of links goes with the synapse time.
        energies: A key of FITTED_ENERGIES; links go with the energies given.
    """
    floor, state_update = FITTED_TIMES[times]
    power, energy = FITTED_ENERGIES[energies]
    ends = {
        **dict.fromkeys(("synop_s", "header_bits", "crossing_s"), times[0]),
        "update_s": times[1],
        **dict.fromkeys((*GIVEN_J, "link_j_per_bit"), energies[0]),
    }
    return COSTS.at(
        step_floor_s=floor,
        state_update_s=state_update,
        static_w=power,
        state_update_j=energy,
        **{name: COSTS.facts[name].spread[end] for name, end in ends.items()},
    )


CORNERS: tuple[Costs, ...] = tuple(
    corner(times, energies) for times in FITTED_TIMES for energies in FITTED_ENERGIES
)
