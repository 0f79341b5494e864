"""Files: what is saved comes back; what was harmed in any way is refused with a reason."""

from __future__ import annotations

import errno
import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

from ns4d.errors import ArtefactError
from ns4d.program import file as program_file
from ns4d.program import load, save, to_text
from ns4d.program.file import decode, encode
from program_strategies import messages, programs, random_program

PROGRAM = random_program(np.random.default_rng(11), inputs=2, channels=3, modes=2, layers=1)
CONTENT = encode(PROGRAM)
HEADER_END = 8 + struct.unpack("<Q", CONTENT[:8])[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.ns4d"


@settings(max_examples=25)
@given(data=st.data())
def test_what_is_saved_comes_back(tmp_path_factory, data):
    program = data.draw(programs())
    path = tmp_path_factory.mktemp("programs") / "model.ns4d"
    save(program, path)
    again = load(str(path))
    assert again == program
    assert to_text(again) == to_text(program)
    u = data.draw(messages(program, most=5))
    np.testing.assert_array_equal(again.run(u), program.run(u))


def test_the_same_program_gives_the_same_file():
    twin = random_program(np.random.default_rng(11), inputs=2, channels=3, modes=2, layers=1)
    assert encode(twin) == CONTENT


def test_text_that_looks_like_a_blank_checksum_does_no_harm(path):
    metadata = replace(PROGRAM.metadata, task="0" * 64, provenance={"0" * 64: "0" * 64})
    save(replace(PROGRAM, metadata=metadata), path)
    assert load(path).metadata.task == "0" * 64


def test_any_safetensors_reader_can_open_it(path):
    save(PROGRAM, path)
    with safetensors.safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["ns4d"])
        weight = file.get_tensor("encoder/weight")
        np.testing.assert_array_equal(weight, PROGRAM.nodes[0].weight)
        assert weight.dtype == np.int8
        assert file.get_tensor("layer0.ssm/a_re").dtype == np.int16
        assert file.get_tensor("input/scale").dtype == np.float64
    assert header["format"] == "ns4d-program"
    assert header["digest"] == PROGRAM.digest


@pytest.mark.parametrize("value", [127, -128, 128, -129, 2**15, -(2**15) - 1, 2**31, -(2**31) - 1])
def test_integers_take_the_smallest_type(value):
    array = np.array([value, 0])
    stored = program_file._smallest(array)
    np.testing.assert_array_equal(stored, array)
    fits = [t for t in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(t).min <= value]
    assert stored.dtype == next(t for t in fits if value <= np.iinfo(t).max)


def refused(path, content, pattern=""):
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=pattern) as caught:
        load(path)
    assert str(path) in caught.value.where


def test_every_kind_of_harm_is_found(path):
    """More than 600 flips, cuts, swaps, insertions and repetitions, at seeded places."""
    rng = np.random.default_rng(0)
    harmed = 0
    for _ in range(130):
        k, n = sorted(rng.integers(0, len(CONTENT), 2))
        bit = 1 << int(rng.integers(8))
        flipped = bytearray(CONTENT)
        flipped[k] ^= bit
        swapped = bytearray(CONTENT)
        swapped[k], swapped[n] = swapped[n], swapped[k]
        cut, without = CONTENT[:k], CONTENT[:k] + CONTENT[n:]
        longer = CONTENT[:n] + CONTENT[k:n] + CONTENT[n:]
        for content in (bytes(flipped), bytes(swapped), cut, without, longer):
            if content == CONTENT:
                continue
            harmed += 1
            with pytest.raises(ArtefactError):
                decode(path, content)
    assert harmed > 600
    assert decode(path, CONTENT) == PROGRAM


def test_every_byte_of_the_frame_counts(path):
    places = [*range(16), *range(HEADER_END - 24, HEADER_END + 8), len(CONTENT) - 1]
    for k in places:
        for value in (0, 32, 48, 125, 255):
            harmed = bytearray(CONTENT)
            harmed[k] = value
            if harmed != CONTENT:
                with pytest.raises(ArtefactError):
                    decode(path, bytes(harmed))


def test_a_missing_file(path):
    with pytest.raises(ArtefactError, match=r"model\.ns4d: expected a file, got nothing\. Get the"):
        load(path)


def test_a_folder(tmp_path):
    with pytest.raises(
        ArtefactError, match=r": expected a file, got no regular file\. Get the file"
    ):
        load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_hang(path):
    os.mkfifo(path)
    with pytest.raises(ArtefactError, match=r": expected a file, got no regular file"):
        load(path)


def test_an_unreadable_file(path, monkeypatch):
    save(PROGRAM, path)

    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(ArtefactError, match=r": expected a readable file, got Permission denied"):
        load(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", CONTENT[:8], CONTENT[:200], b"\x89PNG\r\n\x1a\n" * 9]
)
def test_short_files(path, content):
    refused(path, content, r": expected a safetensors file, got \d+ bytes without its header\.")


def test_an_absurd_header_length(path):
    for size in (0, 1, 2**40, 2**63, 2**64 - 1):
        refused(path, struct.pack("<Q", size) + CONTENT[8:], r"expected a safetensors file, got")


def test_an_absurd_size_is_not_read(path, monkeypatch):
    save(PROGRAM, path)
    monkeypatch.setattr(program_file, "BYTES_MAX", 100)
    with pytest.raises(ArtefactError, match=r": expected at most 100 bytes, got \d+\."):
        load(path)


@pytest.mark.parametrize(
    "metadata", [None, {"format": "pt"}, {"ns4d": "x"}, {"ns4d": "[" * 99_999}]
)
def test_a_foreign_safetensors_file(path, metadata):
    content = to_bytes({"weight": np.zeros(3)}, metadata=metadata)
    refused(path, content, r": expected a safetensors file with an 'ns4d' entry, got a header with")


def rewritten(change, tensors=None):
    """The file with another header, its checksum correct: what only a program could write."""
    header = json.loads(CONTENT[8:HEADER_END])
    entry = json.loads(header["__metadata__"]["ns4d"])
    entry["checksum"] = "0" * 64
    change(entry)
    held = safetensors.numpy.load(CONTENT) if tensors is None else tensors
    blank = to_bytes(held, metadata={"ns4d": json.dumps(entry)})
    return blank.replace(b"0" * 64, program_file._checksum(blank).encode(), 1)


def test_rewriting_without_a_change_is_accepted(path):
    assert decode(path, rewritten(lambda entry: None)) == PROGRAM


def test_a_newer_version(path):
    refused(
        path,
        rewritten(lambda entry: entry.update(version=2)),
        r": expected version 1 or older, got version 2\. A newer ns4d wrote it: install that ver",
    )


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, None, True])
def test_an_impossible_version(path, version):
    content = rewritten(lambda entry: entry.update(version=version))
    refused(path, content, r": expected format ns4d-program, got 'ns4d-program', version")


def test_another_format(path):
    content = rewritten(lambda entry: entry.update(format="ns4d-checkpoint"))
    refused(path, content, r": expected format ns4d-program, got 'ns4d-checkpoint', version 1\.")


def test_an_altered_byte_names_both_checksums(path):
    harmed = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    refused(path, harmed, r": expected checksum [0-9a-f]{64}, got [0-9a-f]{64}: the file was alte")


def test_a_missing_checksum(path):
    refused(path, rewritten(lambda entry: entry.pop("checksum")), r": expected a sha256 checksum")
    refused(path, rewritten(lambda entry: entry.update(checksum="ü")), r"expected a sha256 checks")


def test_a_program_of_another_digest(path):
    content = rewritten(lambda entry: entry.update(digest="1" * 64))
    refused(path, content, rf": expected digest 1{{64}}, got {PROGRAM.digest}\.")


def set_shift(entry):
    entry["program"]["nodes"][0]["descale"]["shift"] = 99


def nest(entry):
    deep: list = []
    for _ in range(500):
        deep = [deep]
    entry["program"]["nodes"] = deep


ILLEGAL = {
    "an illegal shift": (set_shift, "RangeError: descale shift"),
    "no structure": (lambda entry: entry.update(program=None), "TypeError"),
    "another structure": (lambda entry: entry.update(program=[1, 2]), "TypeError"),
    "an unknown node": (lambda entry: entry["program"]["nodes"][0].update(kind="x"), "KeyError"),
    "a profile too wide": (
        lambda entry: entry["program"]["arithmetic"].update(state_bits=10**9),
        "ConfigError: Arithmetic.state_bits",
    ),
    "a huge integer": (lambda entry: entry["program"]["nodes"][1].update(a_shift=10**400), ""),
    "deep nesting": (nest, ""),
}


@pytest.mark.parametrize(("change", "reason"), ILLEGAL.values(), ids=ILLEGAL)
def test_a_structure_that_is_no_program(path, change, reason):
    refused(path, rewritten(change), rf": expected a legal program, got \w*{reason}")


def test_tensors_that_are_no_program(path):
    tensors = safetensors.numpy.load(CONTENT)
    wrong = {
        "another shape": {**tensors, "encoder/bias": np.zeros((3, 3), np.int8)},
        "an absurd shape": {**tensors, "encoder/bias": np.zeros((0, 2**40), np.int8)},
        "another type": {**tensors, "encoder/bias": np.zeros(3, np.float32)},
        "floats": {**tensors, "encoder/bias": np.zeros(3)},
        "too many": {**tensors, "more": np.zeros(3, np.int8)},
        "too wide": {**tensors, "encoder/weight": np.full((3, 2), 1000, np.int16)},
        "overflow": {**tensors, "encoder/bias": np.full(3, 2**23 - 1, np.int32)},
        "no numbers": {**tensors, "input/scale": np.full(2, np.nan)},
        "one missing": {k: v for k, v in tensors.items() if k != "readout/bias"},
    }
    for held in wrong.values():
        refused(path, rewritten(lambda entry: None, held), r": expected a legal program, got \w+")


def test_saving_replaces_a_file_at_once_or_not_at_all(path, monkeypatch):
    save(PROGRAM, path)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    other = random_program(np.random.default_rng(12))
    with pytest.raises(ArtefactError, match=r"model\.ns4d: .*No space left on device"):
        save(other, path)
    assert list(path.parent.iterdir()) == [path]
    assert load(path) == PROGRAM
