"""The configuration of a network: every choice that changes its function or its size.

    encoder Linear(inputs, H) → layers × [S4D → nonlinearity → mixer → residual → norm] → mean
    over time → decoder Linear(H, classes)

The defaults are the paper's n-S4D: ReLU everywhere, no residual, no normalization.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ns4d.errors import ConfigError


class Spectrum(Enum):
    """Where the modes start; see `ns4d.ssm.initial`."""

    LEGS = "legs"
    LINEAR = "linear"
    INVERSE = "inverse"


class Discretization(Enum):
    """How the continuous model becomes a recurrence; see `ns4d.ssm.s4d`."""

    ZOH = "zoh"
    BILINEAR = "bilinear"


class Nonlinearity(Enum):
    """What follows the state-space model: ReLU (n-S4D) or GELU (S4D)."""

    RELU = "relu"
    GELU = "gelu"


class Mixer(Enum):
    """What mixes the channels: Linear and ReLU (n-S4D), Linear to 2H and GLU (S4D), or Linear."""

    RELU = "relu"
    GLU = "glu"
    LINEAR = "linear"


class Norm(Enum):
    """None (n-S4D); batch: after the mixer's linear map, can be folded; layer: ends the layer."""

    NONE = "none"
    BATCH = "batch"
    LAYER = "layer"


CHOICES: Mapping[str, type[Enum]] = MappingProxyType(
    {
        "spectrum": Spectrum,
        "discretization": Discretization,
        "nonlinearity": Nonlinearity,
        "mixer": Mixer,
        "norm": Norm,
    }
)


@dataclass(frozen=True)
class ModelConfig:
    """One network.

    Args:
        inputs: Values per token.
        classes: Number of classes.
        channels: Width H of every layer.
        modes: Stored complex modes N per channel; the state size is 2N.
        layers: Number of layers.
        spectrum: Initial spectrum.
        discretization: Rule from continuous to discrete time.
        nonlinearity: What follows the state-space model.
        mixer: What mixes the channels.
        norm: Normalization.
        residual: Whether each layer adds its input to its output.
        dropout: Probability with which a whole channel of a sequence is dropped.
        step_min: Smallest initial time step, in samples.
        step_max: Largest initial time step, in samples.

    Raises:
        ConfigError: If a value is impossible.
    """

    inputs: int
    classes: int
    channels: int = 64
    modes: int = 32
    layers: int = 4
    spectrum: Spectrum = Spectrum.LEGS
    discretization: Discretization = Discretization.ZOH
    nonlinearity: Nonlinearity = Nonlinearity.RELU
    mixer: Mixer = Mixer.RELU
    norm: Norm = Norm.NONE
    residual: bool = False
    dropout: float = 0.0
    step_min: float = 1e-3
    step_max: float = 1e-1

    def __post_init__(self) -> None:
        for name in ("inputs", "classes", "channels", "modes", "layers"):
            value = getattr(self, name)
            self._require(name, type(value) is int and value >= 1, "an integer ≥ 1")
        for name, kind in CHOICES.items():
            names = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
            self._require(name, isinstance(getattr(self, name), kind), f"one of {names}")
        self._require("classes", self.classes >= 2, "at least 2")
        self._require("dropout", 0 <= self.dropout < 1, "a probability in [0, 1)")
        self._require("step_min", 0 < self.step_min < math.inf, "a positive number")
        self._require("step_max", self.step_min <= self.step_max < math.inf, "at least step_min")
        folds = self.norm is not Norm.BATCH or self.mixer is not Mixer.GLU
        self._require("norm", folds, "layer or none with a GLU mixer (batch folds into Linear)")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            got = getattr(self, name)
            raise ConfigError(
                f"model.{name}",
                expected=expected,
                got=str(got.value if isinstance(got, Enum) else got),
                fix=f"Set model.{name} accordingly.",
            )


def small(inputs: int = 1, classes: int = 10) -> ModelConfig:
    """The paper's network for (p)sMNIST: 67,082 parameters with one input and ten classes."""
    return ModelConfig(inputs, classes, channels=64, modes=32)


def large(inputs: int = 3, classes: int = 10) -> ModelConfig:
    """The paper's network for sCIFAR: 265,482 parameters with three inputs and ten classes."""
    return ModelConfig(inputs, classes, channels=128, modes=64)
