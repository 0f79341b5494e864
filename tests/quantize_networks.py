"""Small networks and data sets for the tests of quantization, shared by its files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import strategies as st

from ns4d.data import Dataset, Normalization, Split
from ns4d.model import Mixer, ModelConfig, Network, Norm, Spectrum
from ns4d.numerics import LOIHI2, WIDE

ARITHMETICS = (
    LOIHI2,
    WIDE,
    replace(LOIHI2, name="narrow", weight_bits=4, message_bits=6, coefficient_bits=8),
    replace(WIDE, name="broad", weight_bits=12, coefficient_bits=20, accumulator_bits=40),
)
arithmetics = st.sampled_from(ARITHMETICS)


@dataclass(frozen=True)
class Plan:
    """A network to be built inside a test: beartype draws random numbers, strategies must not."""

    config: ModelConfig
    seed: int
    dead: bool

    def build(self) -> Network:
        return make_network(self.config, self.seed, self.dead)


configs = st.builds(
    ModelConfig,
    inputs=st.integers(1, 3),
    classes=st.integers(2, 4),
    channels=st.integers(1, 6),
    modes=st.integers(1, 5),
    layers=st.integers(1, 3),
    spectrum=st.sampled_from(Spectrum),
    mixer=st.sampled_from((Mixer.RELU, Mixer.LINEAR)),
    norm=st.sampled_from((Norm.NONE, Norm.BATCH)),
    step_max=st.sampled_from((0.01, 0.1, 1.0)),
)
plans = st.builds(Plan, configs, st.integers(0, 2**16), st.booleans())
"""Random n-S4D networks, some with dead channels, dead modes or batch normalization."""


def make_network(config: ModelConfig, seed: int, dead: bool = False) -> Network:
    torch.manual_seed(seed)
    network = Network(config)
    if config.norm is Norm.BATCH:
        network(3 * torch.randn(8, 20, config.inputs) + 1)  # gives the norm something to fold
    if dead:
        with torch.no_grad():
            network.layers[0].ssm.b[0] = 0
            network.layers[0].ssm.d[0] = 0
            network.layers[-1].linear.weight[-1] = 0
            network.layers[-1].linear.bias[-1] = -1
    return network.eval()


def make_dataset(config: ModelConfig, seed: int = 0, count: int = 24, length: int = 30) -> Dataset:
    """Smooth random sequences with random labels and unequal lengths, bytes like pixels."""
    random = np.random.default_rng(seed)

    def split(part: int) -> Split:
        steps = random.normal(0, 20, (count + part, length, config.inputs)).cumsum(1) + 128
        lengths = random.integers(length // 2, length + 1, count + part)
        return Split(
            steps.clip(0, 255).astype(np.uint8),
            random.integers(0, config.classes, count + part),
            lengths,
        )

    normalization = Normalization(np.full(config.inputs, 128.0), np.full(config.inputs, 60.0))
    classes = tuple(f"class {k}" for k in range(config.classes))
    return Dataset("made", split(0), split(1), split(2), normalization, classes)
