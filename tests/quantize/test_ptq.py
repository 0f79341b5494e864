"""Post-training quantization: legal for any network, near the float one, more so with more bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ns4d.data import Split
from ns4d.engines import trace
from ns4d.engines.native import Native
from ns4d.errors import ConfigError
from ns4d.model import Mixer, ModelConfig, Nonlinearity, Norm
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import S4D, Program
from ns4d.quantize import MeanSquaredError, Options, post_training_quantize, stream_split
from ns4d.quantize.fold import fold_batch_norm
from ns4d.train import evaluate
from quantize_networks import ARITHMETICS, Plan, arithmetics, make_dataset, make_network, plans

CONFIG = ModelConfig(inputs=2, classes=3, channels=8, modes=4, layers=2)


def signal_to_noise(exact: np.ndarray, approximate: np.ndarray) -> float:
    """In decibels."""
    noise = ((exact - approximate) ** 2).sum()
    return float(10 * np.log10((exact**2).sum() / noise))


def logits_of(program: Program, split: Split) -> np.ndarray:
    unit = float(str(program.metadata.provenance["score_scale"]))
    return stream_split(program, split) * unit / split.lengths[:, None]


@settings(max_examples=40)
@given(plans, arithmetics)
def test_every_network_becomes_a_legal_program(plan: Plan, arithmetic: Arithmetic) -> None:
    network = plan.build()
    dataset = make_dataset(network.config, count=6, length=12)
    program = post_training_quantize(network, dataset, arithmetic, sequences=4)
    assert len(program.recurrent) == network.config.layers
    assert program.channels == (network.config.channels,) * (1 + 2 * network.config.layers)
    # Building it proved the accumulators; here only that it runs.
    assert stream_split(program, dataset.test).shape == (len(dataset.test), len(dataset.classes))


@settings(max_examples=25)
@given(plans, arithmetics)
def test_recurrences_stay_inside_the_unit_disc(plan: Plan, arithmetic: Arithmetic) -> None:
    network = plan.build()
    program = post_training_quantize(network, make_dataset(network.config), arithmetic)
    for node in program.recurrent:
        assert (node.a_re**2 + node.a_im**2 < 4**node.a_shift).all()


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_scores_are_the_float_logits(arithmetic: Arithmetic) -> None:
    network, dataset = make_network(CONFIG, seed=3), make_dataset(CONFIG, count=40)
    floats = evaluate(network, dataset.test, dataset.normalization).logits
    program = post_training_quantize(network, dataset, arithmetic)
    assert signal_to_noise(floats, logits_of(program, dataset.test)) > 25


def test_more_bits_come_closer() -> None:
    network, dataset = make_network(CONFIG, seed=3), make_dataset(CONFIG, count=40)
    floats = evaluate(network, dataset.test, dataset.normalization).logits
    narrow, broad = ARITHMETICS[2], ARITHMETICS[3]
    ratio = {
        arithmetic.name: signal_to_noise(
            floats, logits_of(post_training_quantize(network, dataset, arithmetic), dataset.test)
        )
        for arithmetic in (narrow, LOIHI2, WIDE, broad)
    }
    assert ratio["narrow"] < ratio["loihi2"] < ratio["wide"] < ratio["broad"]
    assert ratio["broad"] > 55


def test_every_node_follows_its_float_layer() -> None:
    network, dataset = make_network(CONFIG, seed=5), make_dataset(CONFIG)
    program = post_training_quantize(network, dataset, WIDE)
    tokens = dataset.train.tokens[:4, : dataset.train.lengths.min()].astype(float)
    sent = trace(program, tokens)
    normalized = (tokens - dataset.normalization.offset) / dataset.normalization.scale
    with torch.no_grad():
        h = network.encoder(torch.from_numpy(normalized).float()).mT
        for k, layer in enumerate(network.layers):
            h = layer(h)
            integers = sent[f"layer{k}.linear"]
            exact = h.mT.numpy()
            scale = (exact * integers).sum() / (integers**2).sum()
            assert signal_to_noise(exact, scale * integers) > 35


def largest_state(program: Program, split: Split) -> int:
    """Over all sequences of a split; padding is not part of a sequence."""
    u = program.quantize_input(split.tokens.astype(float))
    machine, largest = Native().load(program, len(u)), 0
    for t in range(u.shape[1]):
        machine.advance(u[:, t : t + 1])
        state, awake = machine.state, split.lengths > t
        for part in (*state.x_re.values(), *state.x_im.values()):
            largest = max(largest, int(np.abs(part[awake]).max(initial=0)))
    return largest


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
@pytest.mark.parametrize("seed", [7, 8])
def test_states_of_calibration_data_keep_the_headroom(arithmetic: Arithmetic, seed: int) -> None:
    network, dataset = make_network(CONFIG, seed), make_dataset(CONFIG)
    count = len(dataset.train)
    for bits in (0, 1, 3):
        options = Options(certified=False, headroom_bits=bits)
        program = post_training_quantize(network, dataset, arithmetic, options, sequences=count)
        # Rounding the exponent down loses less than one more bit in the channel nearest to it.
        share = largest_state(program, dataset.train) / arithmetic.state_max
        assert 2 ** -(bits + 1) < share <= 2**-bits * 1.01


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_a_proof_costs_few_bits_on_calibration_data(arithmetic: Arithmetic) -> None:
    network, dataset = make_network(CONFIG, seed=7), make_dataset(CONFIG)
    program = post_training_quantize(network, dataset, arithmetic, Options(certified=True))
    assert all(proved.may_saturate == 0 for proved in program.ranges)
    assert arithmetic.state_max // 8 < largest_state(program, dataset.train) < arithmetic.state_max


def test_batch_norm_is_folded_before_lowering() -> None:
    network = make_network(replace(CONFIG, norm=Norm.BATCH), seed=1)
    dataset = make_dataset(CONFIG)
    direct = post_training_quantize(network, dataset)
    assert direct == post_training_quantize(fold_batch_norm(network), dataset)


def test_the_same_input_gives_the_same_program() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    first = post_training_quantize(network, dataset, sequences=5)
    assert first.digest == post_training_quantize(network, dataset, sequences=5).digest
    assert first.digest != post_training_quantize(network, dataset, sequences=6).digest


def test_only_the_train_part_calibrates() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    other = make_dataset(CONFIG, seed=9)
    swapped = replace(dataset, validation=other.validation, test=other.test)
    assert post_training_quantize(network, dataset) == post_training_quantize(network, swapped)


def test_provenance_is_kept() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    program = post_training_quantize(network, dataset, provenance={"seed": 4})
    assert program.metadata.provenance["seed"] == 4
    assert program.metadata.provenance["permutation"] == "none"
    assert program.classes == dataset.classes


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_options_are_noted_where_they_are_not_the_usual(arithmetic: Arithmetic) -> None:
    """So that no program passes for another; those of the defaults keep their digests."""
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)

    def quantized(options: Options | None) -> Program:
        return post_training_quantize(network, dataset, arithmetic, options)

    usual = quantized(None)
    spelled = Options(certified=Options().certifies(arithmetic))
    assert usual == quantized(Options()) == quantized(spelled)
    assert set(usual.metadata.provenance) == {"calibration_sequences", "permutation", "score_scale"}
    opposite = not spelled.certified
    for options in (
        Options(fold_b=False),
        Options(certified=opposite),
        Options(observer=MeanSquaredError()),
        Options(headroom=1.5),
        Options(headroom_bits=2),
    ):
        assert quantized(options).metadata.provenance["options"] == repr(options)


def test_linear_mixers_send_signed_messages() -> None:
    config = replace(CONFIG, mixer=Mixer.LINEAR)
    network, dataset = make_network(config, seed=1), make_dataset(config)
    program = post_training_quantize(network, dataset)
    sent = trace(program, dataset.train.tokens[:3].astype(float))
    assert sent["layer0.linear"].min() < 0
    assert sent["layer0.s4d"].min() == 0
    assert all(node.descale.relu == isinstance(node, S4D) for node in program.nodes)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"nonlinearity": Nonlinearity.GELU}, "nonlinearity"),
        ({"mixer": Mixer.GLU}, "mixer"),
        ({"norm": Norm.LAYER}, "norm"),
    ],
)
def test_what_has_no_integer_form_is_refused(change: dict, name: str) -> None:
    config = replace(CONFIG, **change)
    network, dataset = make_network(config, seed=1), make_dataset(config)
    with pytest.raises(ConfigError, match=rf"model\.{name}: expected .*integer program"):
        post_training_quantize(network, dataset)
