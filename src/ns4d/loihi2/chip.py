"""The chip as limits: how much of what a core, a chip, a system holds. Every limit is a `Fact`.

Times and energies are elsewhere (`costs`): a placement must be legal whatever it costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from ns4d.choice import choose
from ns4d.errors import ConfigError
from ns4d.loihi2.fact import Fact, Tag

BRIEF = "Intel Labs, Loihi 2 technology brief (2021, 2024)"
PAPER = "arXiv 2409.15022"


@dataclass(frozen=True)
class Chip:
    """What one chip offers. Replace a field to describe another one.

    Args:
        name: For reports.
        cores: Neuro cores per chip.
        neurons_per_core: Most neurons on a core, of any kind.
        core_bytes: Memory of a core.
        synapse_bytes: The part of it that synapses may fill.
        neuron_state_bytes: Most state and parameters of one neuron.
        synapse_weight_bits: Width of a synaptic weight.
        payload_bits: Width of a graded spike.
        state_bits: Width of a neuron's state variable.
        delay_steps: Longest delay of a connection, in time steps.
        s4d_neurons_per_core: Most neurons with the S4D microcode on a core.
        synops_per_core: Synaptic operations per token that a core of linear neurons takes on.

    Raises:
        ConfigError: A limit below 1.
    """

    name: str
    cores: Fact
    neurons_per_core: Fact
    core_bytes: Fact
    synapse_bytes: Fact
    neuron_state_bytes: Fact
    synapse_weight_bits: Fact
    payload_bits: Fact
    state_bits: Fact
    delay_steps: Fact
    s4d_neurons_per_core: Fact
    synops_per_core: Fact

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if isinstance(limit, Fact) and limit.value < 1:
                raise ConfigError(
                    f"chip '{self.name}' {field.name}",
                    expected="at least 1",
                    got=str(limit.value),
                    fix="A chip without it runs no program.",
                )


@dataclass(frozen=True)
class System:
    """So many chips on a board or in a rack.

    Args:
        name: Its public name.
        chips: How many.
        chip: Of which kind.
        source: Where the number stands.

    Raises:
        ConfigError: Fewer than one chip.
    """

    name: str
    chips: int
    chip: Chip
    source: str

    def __post_init__(self) -> None:
        if self.chips < 1:
            raise ConfigError(
                f"system '{self.name}' chips",
                expected="at least 1",
                got=str(self.chips),
                fix="Give the number of chips.",
            )

    @property
    def cores(self) -> int:
        """Neuro cores of all chips."""
        return self.chips * int(self.chip.cores.value)


LOIHI2_CHIP = Chip(
    name="Loihi 2",
    cores=Fact(126, "cores", "Intel: 126 neuro cores, 5 embedded CPUs", Tag.PUBLISHED),
    neurons_per_core=Fact(8192, "neurons", BRIEF, Tag.PUBLISHED),
    core_bytes=Fact(192 * 1024, "B", BRIEF, Tag.PUBLISHED),
    synapse_bytes=Fact(128 * 1024, "B", BRIEF, Tag.PUBLISHED),
    neuron_state_bytes=Fact(4096, "B", BRIEF, Tag.PUBLISHED),
    synapse_weight_bits=Fact(8, "bit", BRIEF, Tag.PUBLISHED),
    payload_bits=Fact(32, "bit", f"{BRIEF}: up to 24 bits, 32 in one mode", Tag.PUBLISHED),
    state_bits=Fact(24, "bit", f"{PAPER}: neuron state and messages of 24 bits", Tag.PUBLISHED),
    delay_steps=Fact(62, "steps", "Davies et al., IEEE Micro 2018: Loihi 1", Tag.ASSUMED),
    s4d_neurons_per_core=Fact(
        342, "neurons", f"{PAPER}: inferred from 31 and 111 cores, 8192 / 24 rounded up", Tag.FITTED
    ),
    synops_per_core=Fact(
        8192, "synops/token", f"{PAPER}: inferred from 31 and 111 cores", Tag.FITTED
    ),
)


_HALA_POINT = "Intel, Hala Point (2024): 140,544 neuro cores on 1152 chips, so 122 per chip"


def _system(name: str, chips: int, chip: Chip = LOIHI2_CHIP, source: str = BRIEF) -> System:
    return System(name, chips, chip, source)


# By size, the smallest first.
SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        "oheo-gulch": _system("Oheo Gulch", 1),
        "kapoho-point": _system("Kapoho Point", 8),
        "kp-stack": _system("KP Stack", 32),
        "alia-point": _system("Alia Point", 128),
        "hala-point": _system(
            "Hala Point",
            1152,
            replace(LOIHI2_CHIP, cores=Fact(122, "cores", _HALA_POINT, Tag.PUBLISHED)),
            _HALA_POINT,
        ),
    }
)

ENDLESS = Fact(2.0**53, "of any", "assumed: a chip that refuses nothing", Tag.ASSUMED)

# For programs that no real chip takes, such as those of the profile `wide`: cores take on as much
# as those of Loihi 2, words are as wide as a program needs them.
UNLIMITED = System(
    "unlimited",
    1,
    replace(
        LOIHI2_CHIP,
        name="unlimited",
        **{
            field.name: ENDLESS
            for field in fields(Chip)
            if field.name not in ("name", "s4d_neurons_per_core", "synops_per_core")
        },
    ),
    "assumed: for simulation only",
)


def system_of(name: str) -> System:
    """The system that a user names.

    Args:
        name: A key of `SYSTEMS`.

    Raises:
        ConfigError: No such system.
    """
    return choose("--system", SYSTEMS, name, "In Python, ns4d.loihi2.chip describes others.")
