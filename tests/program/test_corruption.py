"""Corrupted files, many at random: a clear error each, never a crash, a hang or a wrong answer.

Plain corruption meets the checksum. An attacker, or a writer with a bug, seals what he wrote: then
checksum and digest are right, and the checks behind them have to tell a program from nonsense.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ns4d.errors import ArtefactError
from ns4d.program import file as program_file
from ns4d.program.file import decode, encode
from ns4d.program.structure import digest, put_together
from program_strategies import random_program

PROGRAM = random_program(
    np.random.default_rng(11), inputs=2, channels=3, modes=2, layers=1, residual=True
)
CONTENT = encode(PROGRAM)
HEADER_END = 8 + struct.unpack("<Q", CONTENT[:8])[0]
PATH = Path("corrupt.ns4d")
RUNS, SEALED = 1000, 300

Rng = np.random.Generator


def outcome(content: bytes) -> ArtefactError | None:
    """The error, which is short and names the file; None for a legal program that runs."""
    try:
        program = decode(PATH, content)
    except ArtefactError as error:
        assert error.where == "corrupt.ns4d"
        assert len(str(error)) < 800, "an error is for reading"
        return error
    assert decode(PATH, encode(program)) == program
    top = program.arithmetic.message_max
    u = np.full((1, 3, program.inputs), top) * np.array([0, 1, -1])[None, :, None]
    assert np.abs(program.run(u)).max() < 2**62
    return None


def flip_bit(rng: Rng, content: bytes) -> bytes:
    harmed = bytearray(content)
    harmed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(harmed)


def change_byte(rng: Rng, content: bytes) -> bytes:
    harmed = bytearray(content)
    harmed[rng.integers(len(content))] = int(rng.integers(256))
    return bytes(harmed)


def cut(rng: Rng, content: bytes) -> bytes:
    return content[: rng.integers(len(content))]


def cut_out(rng: Rng, content: bytes) -> bytes:
    k, n = sorted(rng.integers(0, len(content), 2))
    return content[:k] + content[n:]


def swap_ranges(rng: Rng, content: bytes) -> bytes:
    a, b, c, d = sorted(rng.integers(0, len(content), 4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def insert(rng: Rng, content: bytes) -> bytes:
    k = int(rng.integers(len(content)))
    return content[:k] + rng.bytes(int(rng.integers(1, 64))) + content[k:]


def duplicate(rng: Rng, content: bytes) -> bytes:
    k, n = sorted(rng.integers(0, len(content), 2))
    return content[:n] + content[k:n] + content[n:]


def claim_another_header(rng: Rng, content: bytes) -> bytes:
    size = int(rng.integers(0, 2**63)) >> int(rng.integers(63))
    return struct.pack("<Q", size) + content[8:]


HARMS = (
    *(flip_bit, change_byte, cut, cut_out, swap_ranges),
    *(insert, duplicate, claim_another_header),
)


@pytest.mark.parametrize("harm", HARMS)
def test_no_plain_corruption_is_read(harm: Callable[[Rng, bytes], bytes]) -> None:
    rng = np.random.default_rng(HARMS.index(harm))
    harmed = [harm(rng, CONTENT) for _ in range(RUNS // len(HARMS) + 50)]
    harmed = [content for content in harmed if content != CONTENT]
    assert len(harmed) >= RUNS // len(HARMS)
    for content in harmed:
        assert outcome(content) is not None


NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 62, 63, 127, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64),
    *(10**30, -(10**300), 10**4000, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "0" * 64, "input", "encoder", "\ud800", "é" * 999, "F64", "BF16", "I8", "../x"),
    *([], {}, [0, 0], [2**62, 2**62], [-1, 4], [0, 2**60], [[[]]], {"a": {}}, "[" * 9999),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    entries = list(value.items() if isinstance(value, dict) else enumerate(value))
    below = [
        place for _, child in entries if isinstance(child, dict | list) for place in places(child)
    ]
    return [*((value, key) for key, _ in entries), *below]


def change_json(rng: Rng, value: Any) -> None:
    """One mistake somewhere: another value, an entry too few, too many, or in another's place."""
    everywhere = places(value)
    container, key = everywhere[rng.integers(len(everywhere))]
    kind = rng.integers(6)
    if kind <= 2:
        container[key] = NASTY[rng.integers(len(NASTY))]
    elif kind == 3:
        del container[key]
    elif kind == 4:
        other, second = everywhere[rng.integers(len(everywhere))]
        # A copy, so that nothing contains itself.
        moved = json.loads(json.dumps([container[key], other[second]]))
        container[key], other[second] = moved[1], moved[0]
    elif isinstance(container, list):
        container.append(container[key])
    else:
        container[f"{key}2"] = container[key]


def taken_apart() -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The safetensors header, the entry `ns4d` in it, the bytes of the tensors."""
    header = json.loads(CONTENT[8:HEADER_END])
    return header, json.loads(header["__metadata__"]["ns4d"]), CONTENT[HEADER_END:]


def sealed(header: dict[str, Any], entry: Any, data: bytes) -> bytes:
    """A file of these parts whose checksum is right, and whose digest is if there is one."""
    with suppress(Exception):
        tensors = program_file._tensors(assembled(header, entry, data))
        entry["digest"] = digest(put_together(entry["program"], tensors))
    with suppress(TypeError):
        entry["checksum"] = "0" * 64
    blank = assembled(header, entry, data)
    checksum = hashlib.sha256(blank).hexdigest()
    return blank.replace(b"0" * 64, checksum.encode(), 1)


def assembled(header: dict[str, Any], entry: Any, data: bytes) -> bytes:
    with suppress(KeyError, TypeError):
        header["__metadata__"]["ns4d"] = json.dumps(entry)
    text = json.dumps(header, ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def test_sealing_gives_a_legal_file() -> None:
    assert decode(PATH, sealed(*taken_apart())) == PROGRAM


def test_no_sealed_nonsense_in_the_structure_is_read() -> None:
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(SEALED):
        header, entry, data = taken_apart()
        change_json(rng, entry)
        errors.append(outcome(sealed(header, entry, data)))
    legal = errors.count(None)
    # Another task name, another provenance: a legal program, another digest.
    assert 0 < legal < SEALED // 4
    messages = {re.sub(r"\W.*", "", e.got) for e in errors if e is not None}
    assert messages >= {"RangeError", "ShapeError", "KeyError", "TypeError"}


def test_no_sealed_nonsense_in_the_table_of_tensors_is_read() -> None:
    """Names, types, shapes, offsets."""
    rng = np.random.default_rng(2)
    legal = 0
    for _ in range(SEALED):
        header, entry, data = taken_apart()
        change_json(rng, header)
        legal += outcome(sealed(header, entry, data)) is None
    # Two tensors of one type and shape may change places, a number may be replaced by itself.
    assert legal < SEALED // 4


def test_sealed_changes_of_the_tensors_are_legal_or_refused() -> None:
    rng = np.random.default_rng(3)
    legal = 0
    for k in range(SEALED):
        header, entry, data = taken_apart()
        harm = (flip_bit, change_byte, cut, insert, swap_ranges)[k % 5]
        legal += outcome(sealed(header, entry, harm(rng, data))) is None
    # A weight of another value is a program; a bias too large or a NaN as scale is none.
    assert SEALED // 10 < legal < SEALED


@pytest.mark.parametrize("depth", [10, 120, 1000, 100_000])
def test_nesting_of_any_depth(depth: int) -> None:
    header, entry, data = taken_apart()
    marked = sealed(header, {**entry, "program": "HERE"}, data)
    for escaped, nest in (("[", "]"), ('{"a":', "}")):
        deep = escaped.replace('"', '\\"') * depth + "1" + nest * depth
        text = marked[8 : 8 + struct.unpack("<Q", marked[:8])[0]]
        text = text.replace(b'\\"HERE\\"', deep.encode())
        assert outcome(struct.pack("<Q", len(text)) + text + data) is not None
        whole = (escaped * depth + "1" + nest * depth).encode()
        assert outcome(struct.pack("<Q", len(whole)) + whole + data) is not None


def peak_while_loading(content: bytes) -> int:
    with suppress(ArtefactError):
        decode(PATH, content)
    tracemalloc.start()
    try:
        with suppress(ArtefactError):
            decode(PATH, content)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def large() -> bytes:
    rng = np.random.default_rng(0)
    return encode(random_program(rng, inputs=3, channels=96, modes=32, layers=2))


def test_loading_takes_a_small_multiple_of_the_file() -> None:
    # An int8 becomes an int64, and moduli are Python integers: about fifteen times in all.
    content = large()
    assert peak_while_loading(content) < 25 * len(content)
    assert peak_while_loading(content[:-1]) < 4 * len(content)


@pytest.mark.parametrize(
    "claim",
    [
        {"shape": [2**40]},
        {"shape": [2**20, 2**20]},
        {"shape": [2**63, 2]},
        {"shape": [0, 2**60], "data_offsets": [0, 0]},
        {"data_offsets": [0, 2**40]},
        {"data_offsets": [2**62, 2**62 + 3]},
        {"shape": [2**40], "data_offsets": [0, 2**40]},
    ],
)
def test_a_claim_allocates_nothing(claim: dict[str, Any]) -> None:
    for name in ("encoder/bias", "layer0.ssm/a_re", "input/scale"):
        header, entry, data = taken_apart()
        header[name].update(claim)
        content = sealed(header, entry, data)
        assert outcome(content) is not None
        assert peak_while_loading(content) < 20 * len(content) + 100_000


def test_a_header_of_claims_allocates_nothing() -> None:
    for size in (2**31, 2**40, 2**63, 2**64 - 1):
        content = struct.pack("<Q", size) + CONTENT[8:]
        assert outcome(content) is not None
        assert peak_while_loading(content) < 100_000
