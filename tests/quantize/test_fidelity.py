"""Float against integer, node by node: a damaged node stands out."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from ns4d.model import ModelConfig
from ns4d.numerics import LOIHI2, WIDE
from ns4d.quantize import build_program, calibrate, fold_batch_norm
from ns4d.quantize.fidelity import fidelity, message_units, worst_node
from quantize_networks import make_dataset, make_network

CONFIG = ModelConfig(inputs=2, classes=3, channels=8, modes=4, layers=2)
NETWORK = fold_batch_norm(make_network(CONFIG, seed=3))
DATASET = make_dataset(CONFIG)
SCALES = calibrate(NETWORK, DATASET, LOIHI2)
PROGRAM = build_program(NETWORK, SCALES, LOIHI2, DATASET, {})


def test_every_node_is_named_in_order() -> None:
    found = fidelity(NETWORK, SCALES, PROGRAM, DATASET.train)
    names = [node.name for node in found]
    assert names == ["input", *(node.name for node in PROGRAM.nodes), "readout"]
    assert found[0].drop_db == 0
    for before, node in itertools.pairwise(found):
        assert node.drop_db == pytest.approx(before.snr_db - node.snr_db)
    assert all(node.snr_db > 20 for node in found)


def test_more_bits_raise_every_ratio() -> None:
    scales = calibrate(NETWORK, DATASET, WIDE)
    wide = build_program(NETWORK, scales, WIDE, DATASET, {})
    fine = fidelity(NETWORK, scales, wide, DATASET.train)
    coarse = fidelity(NETWORK, SCALES, PROGRAM, DATASET.train)
    # Further on the weights limit both: these have eight bits in either profile.
    assert fine[0].snr_db > coarse[0].snr_db + 20
    assert fine[1].snr_db > coarse[1].snr_db


@pytest.mark.parametrize("index", range(5))
def test_a_damaged_node_is_the_worst(index: int) -> None:
    nodes = list(PROGRAM.nodes)
    descale = nodes[index].descale
    halved = replace(descale, multiplier=descale.multiplier // 2)
    nodes[index] = replace(nodes[index], descale=halved)
    damaged = replace(PROGRAM, nodes=tuple(nodes))
    found = fidelity(NETWORK, SCALES, damaged, DATASET.train)
    assert worst_node(found).name == nodes[index].name


def test_padding_does_not_count() -> None:
    split = DATASET.train
    tokens = split.tokens.copy()
    for row, length in zip(tokens, split.lengths, strict=True):
        row[length:] = 255
    padded = replace(split, tokens=tokens)
    clean = fidelity(NETWORK, SCALES, PROGRAM, split)
    dirty = fidelity(NETWORK, SCALES, PROGRAM, padded)
    ratios = np.array([[n.snr_db for n in nodes] for nodes in (clean, dirty)])
    np.testing.assert_allclose(*ratios, atol=0.01)


def test_units_are_those_of_the_scales() -> None:
    units = message_units(SCALES)
    assert units["input"] == SCALES.token.scale
    assert units["layer1.linear"] == SCALES.last.scale
