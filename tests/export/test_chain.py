"""A program in real numbers: what remains of it when nothing is rounded, clipped or saturated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from float_walk import programs, walk
from ns4d.data import load_task
from ns4d.engines import Reference
from ns4d.errors import ConfigError
from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Recurrence, chain_of
from ns4d.program import Program, load

DIGITS = Path(__file__).resolve().parents[2] / "benchmarks/results/digits/loihi2.ns4d"


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_every_parameter_is_that_of_the_program(program: Program) -> None:
    for node, link in zip(program.nodes, chain_of(program).links, strict=True):
        gain = node.descale.multiplier / 2.0**node.descale.shift
        assert link.name == node.name
        assert (link.activation is Activation.RELU) == node.descale.relu
        if isinstance(link, Linear):
            np.testing.assert_array_equal(link.weight, gain[:, None] * node.weight)
            np.testing.assert_array_equal(link.bias, gain * node.bias)
        elif isinstance(link, Recurrence):
            np.testing.assert_array_equal(np.real(link.a), node.a_re / 2.0**node.a_shift)
            np.testing.assert_array_equal(np.imag(link.b).T, node.b_im.T / 2.0**node.b_shift)
            np.testing.assert_array_equal(np.real(link.c).T, node.c_re.T / 2.0**node.c_shift * gain)
            np.testing.assert_array_equal(link.d, node.d / 2.0**node.d_shift * gain)
        else:
            assert link.source == node.source
            np.testing.assert_array_equal(link.skip, gain * node.skip)


def test_a_trained_program_is_its_chain_but_for_rounding() -> None:
    program, digits = load(DIGITS), load_task("digits").test
    for k in range(3):
        tokens = digits.tokens[k].astype(float)
        exact = Reference().load(program, 1).advance(tokens[None])[0]
        real = walk(chain_of(program), tokens)
        scale = np.abs(real).max()
        assert scale > 1e5, "zeros would be close to anything"
        np.testing.assert_allclose(exact, real, rtol=0, atol=0.02 * scale)
        assert (exact != real).any()
        assert exact[-1].argmax() == real[-1].argmax()


def test_it_knows_its_sizes() -> None:
    program = programs()[0]
    chain = chain_of(program)
    assert chain.inputs == program.inputs
    assert [link.name for link in chain.recurrent] == [node.name for node in program.recurrent]
    assert (chain.task, chain.classes) == (program.metadata.task, program.classes)
    assert chain.program is program


def with_link(link: object) -> Chain:
    chain = chain_of(programs()[1])
    return replace(chain, links=(*chain.links, link))


@pytest.mark.parametrize("activation", [Activation.GELU, Activation.GLU])
def test_an_activation_that_a_format_lacks_is_named(activation: Activation) -> None:
    odd = Linear("odd", np.eye(2), np.zeros(2), activation)
    with pytest.raises(ConfigError, match=f"--to x, node 'odd': .* got {activation.value}"):
        with_link(odd).require("--to x", Activation.NONE, Activation.RELU)
    with_link(odd).require("--to x", *Activation)


def test_layer_normalization_is_named() -> None:
    odd = LayerNorm("odd", np.ones(2), np.zeros(2), 1e-5)
    with pytest.raises(ConfigError, match=r"node 'odd': .* got layer norm.*ONNX"):
        with_link(odd).require("--to x", *Activation)
