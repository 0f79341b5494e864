"""Nodes copy what they are given, check it, and cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from ns4d.errors import ConfigError, RangeError, ShapeError
from ns4d.program import Dense, Descale, InputQuantizer, Readout
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(0), inputs=2, channels=4, modes=3, layers=1)
DENSE, S4D_NODE = PROGRAM.nodes[0], PROGRAM.nodes[1]
ARRAYS = [
    (node, field.name)
    for node in (PROGRAM.input, DENSE, DENSE.descale, S4D_NODE, PROGRAM.readout)
    for field in fields(node)
    if isinstance(getattr(node, field.name), np.ndarray)
]
EACH_ARRAY = pytest.mark.parametrize(
    ("node", "field"), ARRAYS, ids=[f"{type(node).__name__}.{field}" for node, field in ARRAYS]
)


@EACH_ARRAY
def test_arrays_are_read_only_copies(node, field):
    given = getattr(node, field).copy()
    built = replace(node, **{field: given})
    kept = getattr(built, field)
    given[...] = 0
    np.testing.assert_array_equal(kept, getattr(node, field))
    with pytest.raises(ValueError, match="read-only"):
        kept[...] = 0
    with pytest.raises(FrozenInstanceError):
        setattr(built, field, given)


@EACH_ARRAY
def test_arrays_are_int64_or_float64_and_contiguous(node, field):
    array = getattr(node, field)
    narrow = np.float32 if array.dtype.kind == "f" else np.int32
    built = getattr(replace(node, **{field: np.asfortranarray(array.astype(narrow))}), field)
    assert built.dtype == (np.float64 if array.dtype.kind == "f" else np.int64)
    assert built.flags.c_contiguous


@EACH_ARRAY
def test_arrays_of_another_shape_or_type_are_refused(node, field):
    array = getattr(node, field)
    shorter = array[:0]
    for wrong in (array[..., None], shorter, array.astype(complex), array.astype(bool)):
        with pytest.raises(ShapeError, match=rf"{field}: expected an? \w+ array of shape \(.*, no"):
            replace(node, **{field: wrong})
    if array.dtype.kind == "i":
        with pytest.raises(ShapeError, match=rf"{field}: expected an integer array"):
            replace(node, **{field: array.astype(float)})


def test_arrays_that_disagree_are_refused():
    with pytest.raises(
        ShapeError,
        match=r"^node 'encoder' bias: expected an integer array of shape \(o=4\), no axis empty, "
        r"got int64 array of shape \(3,\)\. Build it with numpy and check its axes\.$",
    ):
        replace(DENSE, bias=DENSE.bias[:3])
    with pytest.raises(ShapeError, match=r"^node 'layer0\.ssm' c_im: .* of shape \(h=4, n=3\), no"):
        replace(S4D_NODE, c_im=S4D_NODE.c_im[:, :2])
    with pytest.raises(ShapeError, match=r"^input scale: expected a float array of shape \(i=2\)"):
        InputQuantizer(np.zeros(2), np.ones(3))
    with pytest.raises(
        ShapeError, match=r"^descale limit: expected an integer array of .* \(o=2\)"
    ):
        Descale(np.ones(2, int), 0, np.ones(3, int), relu=True)
    with pytest.raises(ShapeError, match=r"^readout bias: expected an integer array of .* \(o=3\)"):
        Readout(np.ones((3, 2), int), np.ones(2, int))


@pytest.mark.parametrize("node", [DENSE, S4D_NODE])
def test_a_descale_of_another_width_is_refused(node):
    narrow = Descale(np.ones(3, int), 0, np.ones(3, int), relu=True)
    with pytest.raises(
        ShapeError,
        match=rf"^node '{node.name}' descale: expected a Descale of 4 channels, got 3 channels\.",
    ):
        replace(node, descale=narrow)


@pytest.mark.parametrize("field", ["b_shift", "c_shift", "d_shift"])
@pytest.mark.parametrize("shift", [-1, 63])
def test_shifts_beyond_the_contract_are_refused(field, shift):
    shifts = getattr(S4D_NODE, field).copy()
    shifts[2] = shift
    with pytest.raises(
        RangeError,
        match=rf"^node 'layer0\.ssm' {field}, index \(2,\): expected 0 to 62, got {shift}\. "
        r"Shifts are 0 to 62; fold a larger factor into the coefficients\.$",
    ):
        replace(S4D_NODE, **{field: shifts})


@pytest.mark.parametrize("shift", [-1, 63, True])
def test_shared_shifts_beyond_the_contract_are_refused(shift):
    message = rf": expected an integer from 0 to 62, got {shift}\."
    with pytest.raises(RangeError, match=rf"^node 'layer0\.ssm' a_shift{message}"):
        replace(S4D_NODE, a_shift=shift)
    with pytest.raises(RangeError, match=rf"^descale shift{message}"):
        replace(DENSE.descale, shift=shift)


@pytest.mark.parametrize("field", ["multiplier", "limit"])
def test_negative_descaling_is_refused(field):
    with pytest.raises(
        RangeError, match=rf"^descale {field}, index \(1,\): expected 0 to \d+, got -1\."
    ):
        replace(DENSE.descale, **{field: np.array([1, -1, 1, 1])})


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e-320])
def test_scales_that_cannot_divide_are_refused(scale):
    with pytest.raises(
        RangeError, match=r"^input scale, index \(0,\): expected 2\.2\d+e-308 to 1\.7\d+e\+308, got"
    ):
        InputQuantizer(np.zeros(1), np.array([scale]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(
        RangeError, match=rf"^input offset, index \(1,\): expected a finite number, got {value}\."
    ):
        InputQuantizer(np.array([0.0, value]), np.ones(2))


@pytest.mark.parametrize("name", ["", "1st", "a b", "a/b", "input", "readout", "x" * 65, "ä"])
def test_names_that_cannot_stand_in_a_file_are_refused(name):
    with pytest.raises(ConfigError, match=r"^node name: expected a letter, then up to 63 letters"):
        Dense(name, DENSE.weight, DENSE.bias, DENSE.descale)


def test_unsigned_integers_beyond_int64_are_refused():
    with pytest.raises(RangeError, match=r"^readout bias: expected int64 values, got 18446744073"):
        Readout(np.ones((1, 1), int), np.array([2**64 - 1], dtype=np.uint64))


def test_sizes():
    assert (PROGRAM.input.inputs, DENSE.inputs, DENSE.outputs) == (2, 2, 4)
    assert (S4D_NODE.inputs, S4D_NODE.outputs, S4D_NODE.modes) == (4, 4, 3)
    assert (PROGRAM.readout.inputs, PROGRAM.readout.outputs) == (4, 3)


def test_one_drive_is_one_real_number_per_channel():
    rng = np.random.default_rng(0)
    for uniform in (True, False):
        node = random_program(rng, channels=3, modes=2, layers=1, uniform=uniform).recurrent[0]
        assert node.has_one_drive is uniform
    (alone,) = random_program(rng, channels=3, modes=1, layers=1).recurrent
    assert not alone.has_one_drive, "one mode, but its b is complex"
