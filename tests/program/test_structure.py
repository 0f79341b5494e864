"""Structure and tensors hold the whole program: taken apart, it can be put together again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.numerics import WIDE
from ns4d.program import (
    S4D,
    Add,
    Dense,
    Descale,
    InputQuantizer,
    Metadata,
    Program,
    Readout,
)
from ns4d.program.structure import KINDS, canonical_json, digest, put_together, take_apart
from program_strategies import programs, random_program


def parts_of(program):
    return program.arithmetic, program.input, program.nodes, program.readout, program.metadata


@settings(max_examples=25)
@given(data=st.data())
def test_it_goes_both_ways_through_json(data):
    program = data.draw(programs())
    structure, tensors = take_apart(parts_of(program))
    again = Program(*put_together(json.loads(json.dumps(structure)), tensors))
    assert again == program
    assert again.arithmetic == program.arithmetic
    assert again.metadata == program.metadata


def test_every_array_is_a_tensor():
    program = random_program(np.random.default_rng(0), layers=1)
    structure, tensors = take_apart(parts_of(program))
    assert json.loads(canonical_json(structure)) == structure
    node = program.nodes[1]
    arrays = {f.name for f in fields(node) if isinstance(getattr(node, f.name), np.ndarray)}
    assert {f"layer0.ssm/{name}" for name in arrays | {"multiplier", "limit"}} <= set(tensors)
    assert len(tensors) == 2 + 2 + 2 * 4 + len(arrays) + 2


def test_every_kind_of_node_has_a_name():
    assert set(KINDS.values()) == {Add, Dense, S4D}


def test_the_digest_is_what_the_text_says():
    program = random_program(np.random.default_rng(0), layers=1)
    structure, tensors = take_apart(parts_of(program))
    names = sorted(tensors)
    table = [[name, str(tensors[name].dtype), list(tensors[name].shape)] for name in names]
    text = json.dumps(
        {"structure": structure, "tensors": table}, sort_keys=True, separators=(",", ":")
    )
    content = text.encode("ascii") + b"".join(tensors[name].tobytes() for name in names)
    assert hashlib.sha256(content).hexdigest() == digest(parts_of(program)) == program.digest


def test_the_digest_is_pinned():
    # A change here means that every file ever written changes its meaning: raise VERSION.
    one = np.ones((1, 1), int)
    descale = Descale(3 * one[0], 4, 5 * one[0], relu=True)
    shifts = {f"{k}_shift": k_shift * one[0] for k_shift, k in enumerate("bcd")}
    coefficients = {
        k: n * one for n, k in enumerate(("a_re", "a_im", "b_re", "b_im", "c_re", "c_im"))
    }
    program = Program(
        WIDE,
        InputQuantizer(np.array([0.1]), np.array([0.3])),
        (
            Dense("encoder", -one, 300 * one[0], descale),
            S4D("ssm", **coefficients, d=one[0], a_shift=15, **shifts, descale=descale),
        ),
        Readout(2 * one, 70_000 * one[0]),
        Metadata("none", ("ä",), {"seed": 1, "rate": 0.1, "note": "none", "ok": True, "by": None}),
    )
    assert program.digest == "925c04695e9e5ebb54701d16c88c94ce705f2ed0e52872cfd713995d8b66444e"


def broken(change):
    structure, tensors = take_apart(parts_of(random_program(np.random.default_rng(0), layers=1)))
    change(structure, tensors)
    return structure, tensors


BROKEN = {
    "a tensor too many": lambda s, t: t.update(more=np.ones(1, int)),
    "a tensor missing": lambda s, t: t.pop("readout/bias"),
    "an entry too many": lambda s, t: s.update(more=1),
    "an entry missing": lambda s, t: s.pop("nodes"),
    "an unknown node": lambda s, t: s["nodes"][0].update(kind="conv"),
    "an unknown field": lambda s, t: s["nodes"][0].update(more=1),
    "a node that is a number": lambda s, t: s["nodes"].append(5),
    "an unknown rounding": lambda s, t: s["arithmetic"].update(product_rounding="up"),
    "an unknown width": lambda s, t: s["arithmetic"].update(spike_bits=4),
    "a name that is a list": lambda s, t: s["nodes"][0].update(name=["encoder"]),
    "no descale": lambda s, t: s["nodes"][0].pop("descale"),
    "a descale that is text": lambda s, t: s["nodes"][0].update(descale="none"),
    "classes missing": lambda s, t: s["metadata"].pop("classes"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_anything_else_is_refused(change):
    structure, tensors = broken(change)
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        put_together(structure, tensors)


@pytest.mark.parametrize("structure", [None, [], 5, "text", {}])
def test_any_json_at_all_is_refused(structure):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        put_together(structure, {})
