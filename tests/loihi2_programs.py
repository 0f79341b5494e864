"""Programs and chips for the tests of the chip model: of any size, and as small as wished."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ns4d.loihi2.chip import LOIHI2_CHIP, UNLIMITED, Chip, System
from ns4d.loihi2.fact import Fact, Tag
from ns4d.numerics import LOIHI2, Arithmetic
from ns4d.program import S4D, Add, Dense, Descale, InputQuantizer, Metadata, Program, Readout


def shaped(
    channels: int,
    modes: int,
    layers: int = 1,
    inputs: int = 1,
    classes: int = 10,
    arithmetic: Arithmetic = LOIHI2,
    residual: bool = False,
) -> Program:
    """The paper's stack in any size, every weight 1: no synapse is left out."""
    nodes: list[Dense | S4D | Add] = [dense("encoder", channels, inputs, arithmetic)]
    for k in range(layers):
        source = nodes[-1].name
        nodes += [
            neurons(f"layer{k}.s4d", channels, modes, arithmetic),
            dense(f"layer{k}.linear", channels, channels, arithmetic),
        ]
        if residual:
            one = np.ones(channels, np.int64)
            nodes.append(Add(f"layer{k}.add", source, one, one, descale(channels, arithmetic)))
    return Program(
        arithmetic,
        InputQuantizer(np.zeros(inputs), np.ones(inputs)),
        tuple(nodes),
        Readout(np.ones((classes, channels), np.int64), np.zeros(classes, np.int64)),
        Metadata("shaped", tuple(f"class {k}" for k in range(classes))),
    )


def descale(channels: int, arithmetic: Arithmetic) -> Descale:
    one = np.ones(channels, np.int64)
    return Descale(one, 0, min(arithmetic.message_max, 1000) * one, relu=True)


def dense(name: str, outputs: int, inputs: int, arithmetic: Arithmetic) -> Dense:
    weight = np.ones((outputs, inputs), np.int64)
    return Dense(name, weight, np.ones(outputs, np.int64), descale(outputs, arithmetic))


def neurons(name: str, channels: int, modes: int, arithmetic: Arithmetic) -> S4D:
    shape, shift = (channels, modes), arithmetic.coefficient_bits - 2
    each = np.ones(channels, np.int64)
    half, one = np.full(shape, 1 << (shift - 1)), np.ones(shape, np.int64)
    return S4D(
        name, half, half // 2, one, 0 * one, one, one, each, shift, 0 * each, 2 * each, 0 * each,
        descale(channels, arithmetic),
    )  # fmt: skip


def fact(value: int | float) -> Fact:
    return Fact(value, "of a test", "made up", Tag.ASSUMED)


def with_limits(chip: Chip = LOIHI2_CHIP, chips: int = 1, **limits: int | float) -> System:
    """A system of a chip with other limits."""
    changed = {name: fact(value) for name, value in limits.items()}
    return System("test bench", chips, replace(chip, **changed), "made up")


def crowded(s4d_neurons: int, synops: int) -> System:
    """Takes every program, on cores that take on very little."""
    return with_limits(UNLIMITED.chip, s4d_neurons_per_core=s4d_neurons, synops_per_core=synops)
