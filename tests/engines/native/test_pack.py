"""Plans: functions of the program alone, aligned, complete; parameters stand where kernels look."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from native_edges import CHANNELS, EACH, MODES, SUMS, inputs, neuron, require_equal
from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.engines.native.kernels import KERNELS, address
from ns4d.engines.native.pack import pack
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import S4D, Add, Dense, Program
from program_strategies import random_program

KINDS = {
    "loihi2": (LOIHI2, {"uniform": True}),
    "clamped": (LOIHI2, {"uniform": True, "excess": 2}),
    "per mode": (LOIHI2, {"residual": True}),
    "wide": (WIDE, {"uniform": True}),
    "wide per mode": (WIDE, {"residual": True}),
    "saturating": (WIDE, {"saturating": True}),
}
S4D_PATHS = {p.SINGLE, p.SINGLE_CLAMPED, p.SINGLE_MODES, p.SINGLE_MODES_CLAMPED, p.WORD}
S4D_PATHS |= {p.WORD_MODES, p.SHORT}


def of_kind(name: str, seed: int = 0) -> Program:
    arithmetic, kind = KINDS[name]
    return random_program(np.random.default_rng(seed), arithmetic, 2, 11, 5, 2, 9, **kind)


@pytest.fixture(params=KINDS)
def program(request):
    return of_kind(request.param)


def fingerprint(plan: p.Plan) -> str:
    """Of everything in a plan but the addresses, which are this process's."""
    table = plan.nodes[:, : p.TOKEN].tobytes()
    sizes = f"{plan.state_bytes} {plan.scores} {plan.width}".encode()
    return hashlib.sha256(table + plan.parameters.tobytes() + sizes).hexdigest()


def test_a_plan_does_not_depend_on_what_was_packed_before():
    alone = {name: fingerprint(pack(of_kind(name))) for name in KINDS}
    assert len(set(alone.values())) == len(KINDS)
    backwards = {name: fingerprint(pack(of_kind(name))) for name in reversed(KINDS)}
    assert backwards == alone


def test_a_plan_does_not_depend_on_the_process():
    folder = Path(__file__).parent
    code = (
        f"import sys; sys.path[:0] = [{str(folder)!r}, {str(folder.parents[1])!r}]\n"
        "from test_pack import fingerprint, of_kind, pack\n"
        "print(*(fingerprint(pack(of_kind(name))) for name in ('wide', 'clamped')))"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.split() == [fingerprint(pack(of_kind(k))) for k in ("wide", "clamped")]


def test_a_plan_is_packed_once_per_program():
    one, equal = of_kind("wide"), of_kind("wide")
    assert Native(1).load(one, 1).plan is Native(2).load(one, 3).plan
    assert fingerprint(pack(one)) == fingerprint(pack(equal))


def test_a_plan_shares_nothing_with_its_program(program):
    before = program.digest
    plan = pack(program)
    plan.parameters[:] = 255
    plan.nodes[:] = -1
    assert program.digest == before
    assert fingerprint(pack(program)) == fingerprint(pack(program))


def test_everything_starts_at_a_cache_line(program):
    plan = pack(program)
    assert plan.parameters.ctypes.data % 64 == 0
    for column in (p.WEIGHTS, p.DESCALE, p.STATE):
        assert not (plan.nodes[:, column] % 64).any()
    assert plan.state_bytes % 64 == 0
    assert plan.scores % 64 == 0


def test_states_of_a_stream_start_at_a_cache_line_too():
    # Plain states are not packed in lines: three of 16 bytes, then the scores.
    arithmetic, kind = KINDS["saturating"]
    program = random_program(np.random.default_rng(0), arithmetic, 1, 3, 1, 2, 3, **kind)
    plan = pack(program)
    assert p.PLAIN_SUM in plan.paths
    assert not (plan.nodes[:, p.STATE] % 64).any()
    machine = Native(1).load(program, 3)
    assert [row.ctypes.data % 64 for row in machine._states] == [0, 0, 0]


def test_parts_do_not_overlap(program):
    plan = pack(program)
    starts = np.sort(np.concatenate([plan.nodes[:, p.WEIGHTS], plan.nodes[:, p.DESCALE]]))
    assert len(np.unique(starts)) == 2 * len(plan.nodes)
    assert starts[0] == 0
    assert starts[-1] < len(plan.parameters)
    recurrent = plan.nodes[plan.nodes[:, p.MODES] > 0]
    ends = [*recurrent[1:, p.STATE], plan.scores]
    for row, end in zip(recurrent, ends, strict=True):
        assert row[p.STATE] + 16 * row[p.OUTPUTS] * row[p.MODES] <= end or row[p.OP] in S4D_PATHS
        if row[p.OP] in S4D_PATHS:
            assert row[p.STATE] + 64 * row[p.BLOCKS] * row[p.MODES] == end


def test_the_table_says_what_the_program_is(program):
    plan = pack(program)
    nodes = [*program.nodes, program.readout]
    assert [int(k) for k in plan.nodes[:, p.INPUTS]] == [node.inputs for node in nodes]
    assert [int(k) for k in plan.nodes[:, p.OUTPUTS]] == [node.outputs for node in nodes]
    modes = [node.modes if isinstance(node, S4D) else 0 for node in nodes]
    assert [int(k) for k in plan.nodes[:, p.MODES]] == modes
    assert (plan.nodes[:, p.BLOCKS] == -(-plan.nodes[:, p.OUTPUTS] // 8)).all()
    assert plan.width % 8 == 0
    assert plan.width >= max(node.outputs for node in nodes[:-1])


def test_an_add_names_the_row_of_its_source():
    program = of_kind("per mode")
    plan = pack(program)
    names = ["input", *(node.name for node in program.nodes)]
    adds = [(k, node) for k, node in enumerate(program.nodes) if isinstance(node, Add)]
    assert len(adds) == 2
    for k, node in adds:
        assert plan.paths[k] == p.PLAIN_ADD
        # Row 0 of the messages is the input, so the source's stands one after its own.
        assert names[plan.nodes[k, p.SOURCE]] == node.source


def test_every_path_has_kernels_of_its_own():
    tokens = {path: address(path, chunks=False) for path in KERNELS}
    chunks = {path: address(path, chunks=True) for path in KERNELS}
    assert len(set(tokens.values())) == len(KERNELS)
    assert len(set(chunks.values())) == len(KERNELS)
    for path in S4D_PATHS:
        assert chunks[path] != tokens[path]
    assert {address(path, chunks=False) for path in KERNELS} == set(tokens.values())


def test_the_table_holds_the_addresses_of_its_paths(program):
    plan = pack(program)
    for row in plan.nodes:
        path = int(row[p.OP])
        assert row[p.TOKEN] == address(path, chunks=False)
        # Random programs of both profiles stay within 2^53, so chunks are allowed everywhere.
        wanted = path in S4D_PATHS
        assert row[p.CHUNK] == address(path, chunks=wanted)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 65])
def test_padded(count):
    for to in (1, 4, 8, 64):
        size = p.padded(count, to)
        assert size % to == 0
        assert count <= size < count + to


@pytest.mark.parametrize("shape", [(1,), (63,), (64,), (3, 64), (5, 7)])
def test_aligned_bytes(shape):
    kept = [p.aligned_bytes(*shape) for _ in range(5)]
    for room in kept:
        assert room.shape == shape
        assert room.ctypes.data % 64 == 0
        assert not room.any()
        room[:] = 255


def head_and_modes(program: Program, head: int, mode: int) -> tuple[np.ndarray, np.ndarray]:
    """The second block of eight channels: bytes of its head, bytes of each mode."""
    plan = pack(program)
    row = plan.nodes[1]
    size = head + MODES * mode
    start = int(row[p.WEIGHTS]) + size
    block = plan.parameters[start : start + size]
    return block[:head], block[head:].reshape(MODES, mode)


ODD = {"a": 20_001 + 9_003j, "b": 32767, "c": 3000 - 7j, "d": -31, "limit": 500}


@pytest.mark.parametrize("uniform", [True, False])
def test_single_precision_parameters_are_exact(uniform):
    program = neuron(EACH, **ODD, shifts=(15, 3, 14, 5), uniform=uniform)
    head, modes = head_and_modes(program, 64, 128 if uniform else 192)
    node = program.nodes[1]
    assert isinstance(node, S4D)
    drive, direct = head.view("<f4").reshape(2, 8)
    wanted = (node.a_re, node.a_im, node.c_re, node.c_im, node.b_re, node.b_im)
    shifts = (15, 15, 14, 14, 3, 3)
    rows = modes.view("<f4").reshape(MODES, -1, 8)
    for k in range(rows.shape[1]):
        # Channel 8 is the first of the second block; the other seven do not exist.
        np.testing.assert_array_equal(rows[:, k, 0], wanted[k][8] * 2.0 ** -shifts[k])
        assert not rows[:, k, 1:].any()
    assert drive[0] == node.b_re[8, 0] / 8
    assert direct[0] == -31 / 32
    assert not drive[1:].any()
    assert not direct[1:].any()


def test_pairs_of_short_parameters():
    program = neuron(SUMS, **ODD, shifts=(15, 3, 14, 5))
    assert pack(program).paths[1] == p.SHORT
    head, modes = head_and_modes(program, 384, 96)
    node = program.nodes[1]
    assert isinstance(node, S4D)
    rows = head[:256].view("<i4").reshape(8, 8)
    # The drive, its shift, its remainder, what brings that to a_shift; then the sum's shifts.
    assert rows[:, 0].tolist() == [32767, 3, 7, 12, 15, 1, 2**14, 0]
    assert not rows[:, 1:].any()
    unit_out, direct = head[256:].view("<f8").reshape(2, 8)
    assert unit_out[0] == 2.0**-14
    assert direct[0] == -31 / 32
    assert not direct[1:].any()
    pairs = modes.view("<i2").reshape(MODES, 3, 8, 2)
    wanted = ((node.a_re, -node.a_im), (node.a_im, node.a_re), (node.c_re, -node.c_im))
    for k, (first, second) in enumerate(wanted):
        np.testing.assert_array_equal(pairs[:, k, 0, 0], first[8])
        np.testing.assert_array_equal(pairs[:, k, 0, 1], second[8])
    assert not pairs[:, :, 1:].any()


def test_pairs_of_weights():
    program = of_kind("wide")
    node, plan = program.nodes[0], pack(program)
    assert isinstance(node, Dense)
    assert plan.paths[0] == p.PAIRS
    start = int(plan.nodes[0, p.WEIGHTS])
    assert plan.parameters[start : start + 44].view("<i4").tolist() == list(node.bias)
    # Two inputs are one pair; eleven outputs take a group of four blocks.
    weights = plan.parameters[start + 128 : start + 256].view("<i2").reshape(32, 2)
    np.testing.assert_array_equal(weights[:11], node.weight)
    assert not weights[11:].any()


def test_limits_of_missing_channels_are_zero():
    plan = pack(neuron(EACH, **ODD, shifts=(15, 3, 14, 5), multiplier=77, shift=9))
    start = int(plan.nodes[1, p.DESCALE])
    rows = plan.parameters[start : start + 512].view("<f8").reshape(2, 4, 8)
    gain, half, low, high = rows.transpose(1, 0, 2).reshape(4, 16)
    assert (gain[:CHANNELS] == 77 / 512).all()
    assert not half.any()
    assert (high[:CHANNELS] == EACH.message_max).all()
    assert (low[:CHANNELS] == -EACH.message_max).all()
    for row in (gain, low, high):
        assert not row[CHANNELS:].any()


@pytest.mark.parametrize("field", ["b_re", "c_im", "d", "a_re", "d_shift"])
def test_every_parameter_reaches_the_plan(field):
    program = of_kind("wide per mode")
    node = program.nodes[1]
    assert field in {entry.name for entry in fields(node)}
    changed = np.array(getattr(node, field))
    changed.flat[-1] += 1 if changed.flat[-1] <= 0 else -1
    nodes = list(program.nodes)
    nodes[1] = replace(node, **{field: changed})
    other = replace(program, nodes=tuple(nodes))
    assert fingerprint(pack(other)) != fingerprint(pack(program))


def test_more_modes_than_digits_can_count_take_words():
    # Sums of 16-bit digits hold 2^15 of them in 32 bits.
    kind = {**ODD, "shifts": (15, 3, 14, 5), "channels": 1}
    few, many = (neuron(SUMS, **kind, modes=modes) for modes in (2**15 - 1, 2**15))
    assert [pack(few).paths[1], pack(many).paths[1]] == [p.SHORT, p.WORD]
    for program in (few, many):
        require_equal(program, inputs(program, length=4, streams=2))
