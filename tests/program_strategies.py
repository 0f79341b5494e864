"""Hypothesis strategies for small programs of both profiles, legal by construction."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from ns4d.numerics import LOIHI2, PROFILES, WIDE, Arithmetic, ProductRounding
from ns4d.program import (
    S4D,
    Add,
    Dense,
    Descale,
    InputQuantizer,
    Metadata,
    Program,
    Readout,
    reduction_bound,
    state_bound,
)

# Widths other than the two profiles', with each rounding of both kinds.
NARROW = replace(
    LOIHI2, name="narrow", weight_bits=4, message_bits=6, coefficient_bits=8, state_bits=12
)
TINY_STATE = replace(WIDE, name="tiny-state", state_bits=12, message_bits=8)
ARITHMETICS = (*PROFILES.values(), NARROW, TINY_STATE)


def random_program(
    rng: np.random.Generator,
    arithmetic: Arithmetic = LOIHI2,
    inputs: int = 1,
    channels: int = 4,
    modes: int = 3,
    layers: int = 1,
    classes: int = 3,
    saturating: bool = False,
    residual: bool = False,
    uniform: bool = False,
    excess: int = 0,
) -> Program:
    """A program in the form of the paper: encoder, then layers of S4D with a dense layer each.

    Args:
        rng: Source of every number.
        arithmetic: The profile.
        inputs, channels, modes, layers, classes: Sizes.
        saturating: Input gains so large that states and messages clip.
        uniform: One real b per channel, as after folding B into C.
        excess: Bits by which the proven bound of the states exceeds their width, at most.
        residual: Whether the messages into each layer are added to those out of it.

    Returns:
        The program; its shifts are the smallest for which the certificate holds.
    """
    limit = np.full(inputs, arithmetic.message_max)
    nodes: list[Dense | S4D | Add] = [random_dense(rng, arithmetic, "encoder", channels, limit)]
    for k in range(layers):
        source = nodes[-1]
        limit = nodes[-1].descale.limit
        nodes.append(
            random_s4d(rng, arithmetic, f"layer{k}.ssm", modes, limit, saturating, uniform, excess)
        )
        limit = nodes[-1].descale.limit
        nodes.append(random_dense(rng, arithmetic, f"layer{k}.mix", channels, limit))
        if residual:
            nodes.append(random_add(rng, arithmetic, f"layer{k}.add", nodes[-1], source))
    weight, _ = _fitting_weight(rng, arithmetic, classes, nodes[-1].descale.limit)
    return Program(
        arithmetic,
        InputQuantizer(rng.normal(size=inputs), rng.uniform(0.001, 0.1, inputs)),
        tuple(nodes),
        Readout(weight, rng.integers(-100, 101, classes)),
        Metadata("random", tuple(f"class {k}" for k in range(classes)), {"seed": 0}),
    )


def random_dense(
    rng: np.random.Generator, arithmetic: Arithmetic, name: str, outputs: int, limit: np.ndarray
) -> Dense:
    """A linear layer whose accumulators are proved for the given input limit."""
    weight, room = _fitting_weight(rng, arithmetic, outputs, limit)
    # No larger than the weighted sum, so that the messages matter.
    most = np.minimum(room, np.abs(weight) @ limit) // 2
    bias = rng.integers(-most, most + 1)
    bound = np.abs(weight) @ limit + np.abs(bias)
    return Dense(name, weight, bias, random_descale(rng, arithmetic, bound))


def random_add(
    rng: np.random.Generator,
    arithmetic: Arithmetic,
    name: str,
    before: Dense | S4D | Add,
    source: Dense | S4D | Add,
) -> Add:
    """A residual connection whose sums are proved."""
    limits = before.descale.limit, source.descale.limit
    top = min(arithmetic.weight_max, int(arithmetic.accumulator_max // (2 * max(map(max, limits)))))
    weight, skip = rng.integers(-top, top + 1, (2, len(limits[0])))
    bound = np.abs(weight) * limits[0] + np.abs(skip) * limits[1]
    return Add(name, source.name, weight, skip, random_descale(rng, arithmetic, bound))


def random_s4d(
    rng: np.random.Generator,
    arithmetic: Arithmetic,
    name: str,
    modes: int,
    limit: np.ndarray,
    saturating: bool = False,
    uniform: bool = False,
    excess: int = 0,
) -> S4D:
    """A node of stable, oscillating modes whose reductions are proved for the input limit."""
    shape = (len(limit), modes)
    top = arithmetic.coefficient_max
    a_shift = arithmetic.coefficient_bits - 1
    radius, angle = rng.uniform(0.5, 1 - 4 / top, shape), rng.uniform(-math.pi, math.pi, shape)
    a_re, a_im = (np.trunc(top * radius * f(angle)).astype(np.int64) for f in (np.cos, np.sin))
    b_re, b_im, c_re, c_im = (rng.integers(-top, top + 1, shape) for _ in range(4))
    if uniform:
        b_re, b_im = np.repeat(b_re[:, :1], modes, axis=1), np.zeros_like(b_im)
    d = rng.integers(-top, top + 1, len(limit))
    a, b = (a_re, a_im), (b_re, b_im)
    b_shift = np.full(len(limit), 0 if saturating else _drive_shift(arithmetic, *a, *b, limit))
    b_shift = np.maximum(b_shift - excess, 0)
    states = state_bound(arithmetic, *a, *b, a_shift, b_shift, limit)
    shift = np.full(len(limit), 0)
    out = (states, c_re, c_im, d)
    while (
        reduction_bound(arithmetic, *out, shift, shift, limit) > arithmetic.accumulator_max
    ).any():
        shift = shift + 1
    d_shift = np.maximum(shift - rng.integers(0, 2, len(limit)), 0)
    if (
        reduction_bound(arithmetic, *out, shift, d_shift, limit) > arithmetic.accumulator_max
    ).any():
        d_shift = shift
    bound = reduction_bound(arithmetic, *out, shift, d_shift, limit)
    descale = random_descale(rng, arithmetic, bound)
    return S4D(name, *a, *b, c_re, c_im, d, a_shift, b_shift, shift, d_shift, descale)


def _drive_shift(
    arithmetic: Arithmetic,
    a_re: np.ndarray,
    a_im: np.ndarray,
    b_re: np.ndarray,
    b_im: np.ndarray,
    limit: np.ndarray,
) -> int:
    """The smallest b_shift for which no state saturates."""
    for shift in range(40):
        b_shift = np.full(len(limit), shift)
        a_shift = arithmetic.coefficient_bits - 1
        states = state_bound(arithmetic, a_re, a_im, b_re, b_im, a_shift, b_shift, limit)
        if (states < arithmetic.state_max).all():
            return shift
    return 40


def random_descale(rng: np.random.Generator, arithmetic: Arithmetic, bound: np.ndarray) -> Descale:
    """Maps accumulators of this bound onto messages, some of which clip at their limit."""
    outputs = len(bound)
    multiplier = rng.integers(
        arithmetic.multiplier_max // 2, arithmetic.multiplier_max + 1, outputs
    )
    largest = int((multiplier * bound).max())
    shift = max(largest.bit_length() - arithmetic.message_bits - int(rng.integers(-1, 5)), 0)
    limit = rng.integers(arithmetic.message_max // 2, arithmetic.message_max + 1, outputs)
    return Descale(multiplier, shift, limit, bool(rng.integers(0, 4) > 0))


def _fitting_weight(
    rng: np.random.Generator, arithmetic: Arithmetic, outputs: int, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and what they leave of the accumulator."""
    top = arithmetic.weight_max
    weight = rng.integers(-top, top + 1, (outputs, len(limit)))
    bound = np.abs(weight) @ limit
    while (bound > arithmetic.accumulator_max).any():
        weight = np.trunc(weight * 0.7).astype(np.int64)
        bound = np.abs(weight) @ limit
    return weight, arithmetic.accumulator_max - bound


@contextmanager
def random_unchanged() -> Iterator[None]:
    """beartype samples containers with `random`, which Hypothesis forbids inside a strategy."""
    before = random.getstate()
    try:
        yield
    finally:
        random.setstate(before)


@st.composite
def programs(draw: st.DrawFn, arithmetic: Arithmetic | None = None) -> Program:
    """Small programs of every shape, of both profiles and two narrower ones."""
    profile = draw(st.sampled_from(ARITHMETICS)) if arithmetic is None else arithmetic
    seed = draw(st.integers(0, 2**32 - 1))
    sizes = {
        "inputs": draw(st.integers(1, 3)),
        "channels": draw(st.integers(1, 5)),
        "modes": draw(st.integers(1, 4)),
        "layers": draw(st.integers(0, 2)),
        "classes": draw(st.integers(1, 4)),
    }
    kind = {"saturating": draw(st.booleans()), "residual": draw(st.booleans())}
    with random_unchanged():
        return random_program(np.random.default_rng(seed), profile, **sizes, **kind)


@st.composite
def messages(draw: st.DrawFn, program: Program, batch: int = 2, most: int = 20) -> np.ndarray:
    """(b, l, i) messages: random, all zero, all maximal, alternating between the extremes."""
    top = program.arithmetic.message_max
    length = draw(st.integers(1, most))
    shape = (batch, length, program.inputs)
    kind = draw(st.sampled_from(("random", "zero", "largest", "smallest", "alternating")))
    if kind == "random":
        return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(-top, top + 1, shape)
    if kind == "alternating":
        return np.broadcast_to(top * (-1) ** np.arange(length)[:, None], shape).copy()
    return np.full(shape, {"zero": 0, "largest": top, "smallest": -top}[kind])


assert {p.product_rounding for p in ARITHMETICS} == set(ProductRounding)
