"""Configurations: the paper's two sizes, and the values that are refused."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_variants import VARIANTS
from ns4d.errors import ConfigError
from ns4d.model import Discretization, Mixer, ModelConfig, Network, Nonlinearity, Norm, Spectrum
from ns4d.model.config import large, small

PAPER = {"inputs": 1, "classes": 10}


def counted(config: ModelConfig) -> int:
    """What the layers' shapes add up to, from the paper's description."""
    h, n = config.channels, config.modes
    state_space = 3 * 2 * h * n + 2 * h
    mixer = (2 if config.mixer is Mixer.GLU else 1) * (h * h + h)
    norm = 0 if config.norm is Norm.NONE else 2 * h
    ends = config.inputs * h + h + h * config.classes + config.classes
    return config.layers * (state_space + mixer + norm) + ends


@pytest.mark.parametrize(("config", "count"), [(small(), 67_082), (large(), 265_482)])
def test_the_paper_s_networks_have_the_paper_s_sizes(config, count):
    assert Network(config).parameter_count == counted(config) == count


def test_the_paper_s_networks_are_n_s4d():
    for config in (small(), large()):
        assert config.layers == 4
        assert config.nonlinearity is Nonlinearity.RELU
        assert config.mixer is Mixer.RELU
        assert config.norm is Norm.NONE
        assert config.discretization is Discretization.ZOH
        assert config.spectrum is Spectrum.LEGS
        assert (config.residual, config.dropout) == (False, 0)
    assert (small().inputs, small().channels, small().modes) == (1, 64, 32)
    assert (large().inputs, large().channels, large().modes) == (3, 128, 64)
    assert small(inputs=3, classes=7) == ModelConfig(3, 7)
    assert (large(2, 5).inputs, large(2, 5).classes) == (2, 5)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_has_the_parameters_of_its_parts(config):
    assert Network(config).parameter_count == counted(config)


@settings(max_examples=10)
@given(*[st.integers(1, 6)] * 3, st.integers(2, 6), st.integers(1, 3))
def test_any_size_has_the_parameters_of_its_parts(inputs, channels, modes, classes, layers):
    config = ModelConfig(inputs, classes, channels, modes, layers)
    assert Network(config).parameter_count == counted(config)


WRONG = [
    *[
        (name, 0, "an integer ≥ 1", "0")
        for name in ("inputs", "classes", "channels", "modes", "layers")
    ],
    ("modes", -3, "an integer ≥ 1", "-3"),
    ("classes", 1, "at least 2", "1"),
    ("dropout", 1.0, "a probability in [0, 1)", "1.0"),
    ("dropout", -0.1, "a probability in [0, 1)", "-0.1"),
    ("dropout", math.nan, "a probability in [0, 1)", "nan"),
    ("step_min", 0.0, "a positive number", "0.0"),
    ("step_min", math.nan, "a positive number", "nan"),
    ("step_min", math.inf, "a positive number", "inf"),
    ("step_max", 0.0009, "at least step_min", "0.0009"),
    ("step_max", math.inf, "at least step_min", "inf"),
    ("step_max", math.nan, "at least step_min", "nan"),
]


@pytest.mark.parametrize(("name", "value", "expected", "got"), WRONG)
def test_impossible_values_are_refused(name, value, expected, got):
    text = f"model.{name}: expected {expected}, got {got}. Set model.{name} accordingly."
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        ModelConfig(**{**PAPER, name: value})


def check_again(**values: object) -> None:
    """The check alone: through the constructor, the type checker of the test run comes first."""
    config = ModelConfig(**PAPER)
    for name, value in values.items():
        object.__setattr__(config, name, value)
    config.__post_init__()


@pytest.mark.parametrize("name", ["inputs", "classes", "channels", "modes", "layers"])
@pytest.mark.parametrize("value", [2.5, 8.0, True, "8", None])
def test_sizes_are_integers(name, value):
    text = f"model.{name}: expected an integer ≥ 1, got {value}. Set model.{name} accordingly."
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        check_again(**{name: value})


CHOICES = [
    ("spectrum", "one of Spectrum.LEGS, Spectrum.LINEAR, Spectrum.INVERSE"),
    ("discretization", "one of Discretization.ZOH, Discretization.BILINEAR"),
    ("nonlinearity", "one of Nonlinearity.RELU, Nonlinearity.GELU"),
    ("mixer", "one of Mixer.RELU, Mixer.GLU, Mixer.LINEAR"),
    ("norm", "one of Norm.NONE, Norm.BATCH, Norm.LAYER"),
]


@pytest.mark.parametrize(("name", "expected"), CHOICES)
@pytest.mark.parametrize("value", ["batch", "relu", None])
def test_choices_are_members_not_words(name, expected, value):
    """A word would be ignored in silence: 'batch' is not Norm.BATCH."""
    text = f"model.{name}: expected {expected}, got {value}. Set model.{name} accordingly."
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        check_again(**{name: value})


def test_the_recheck_accepts_what_is_right():
    check_again(norm=Norm.LAYER, modes=3)


def test_a_batch_norm_needs_a_linear_map_to_fold_into():
    text = (
        "model.norm: expected layer or none with a GLU mixer (batch folds into Linear), "
        "got batch. Set model.norm accordingly."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        ModelConfig(1, 10, mixer=Mixer.GLU, norm=Norm.BATCH)


def test_equal_bounds_give_one_step():
    config = ModelConfig(1, 2, channels=5, modes=1, step_min=0.01, step_max=0.01)
    steps = Network(config).layers[0].ssm.log_step.exp()
    assert steps.tolist() == pytest.approx([0.01] * 5)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        small().channels = 65  # type: ignore[misc]
    assert hash(small()) == hash(small())
