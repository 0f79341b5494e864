"""A pinned file is read only if its size and SHA-256 are the expected ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data.pinned import PinnedFile, command
from ns4d.errors import ConfigError, DataError

GOOD = "0" * 64


@pytest.fixture
def path(tmp_path: Path, pinned) -> Path:
    """A good copy of the small file."""
    copy = tmp_path / pinned().name
    copy.write_bytes(b"the content of a small data set")
    return copy


def test_a_good_copy_is_read(path: Path, pinned):
    assert pinned().read(path, "toy") == path.read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 30])
def test_a_truncated_copy_is_refused_by_its_size(path: Path, pinned, kept: int):
    path.write_bytes(path.read_bytes()[:kept])
    expected = rf"small\.bin: expected 31 bytes, got {kept} bytes\. Fetch small\.bin again"
    with pytest.raises(DataError, match=expected):
        pinned().read(path, "toy")


def test_a_longer_copy_is_refused(path: Path, pinned):
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(DataError, match="expected 31 bytes, got 32 bytes"):
        pinned().read(path, "toy")


@given(position=st.integers(0, 30), bit=st.integers(0, 7))
def test_every_bit_counts(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int):
    content = bytearray(b"the content of a small data set")
    file = PinnedFile("small.bin", "small", 31, hashlib.sha256(content).hexdigest())
    content[position] ^= 1 << bit
    copy = tmp_path_factory.mktemp("altered") / "small.bin"
    copy.write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(DataError, match=f"expected SHA-256 {file.sha256}, got {found}"):
        file.read(copy, "toy")


def test_the_message_names_mirrors_and_command(path: Path, pinned):
    path.write_bytes(bytes(31))
    mirrors = ("http://one/", "http://two/x/")
    fix = (
        r"Fetch small\.bin again from http://one/small\.bin or http://two/x/small\.bin, "
        r"then run `ns4d train toy --data-dir FOLDER`\."
    )
    with pytest.raises(DataError, match=fix):
        pinned(mirrors=mirrors).read(path, "toy")


def test_without_a_mirror_it_says_so(path: Path, pinned):
    path.write_bytes(bytes(31))
    with pytest.raises(DataError, match="again from its source, then run"):
        pinned().read(path, "toy")


def test_the_command_names_the_task():
    assert command("scifar") == "`ns4d train scifar --data-dir FOLDER`"


@pytest.mark.parametrize("bad", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_a_checksum_has_64_digits(bad: str):
    with pytest.raises(ConfigError, match=r"x\.gz, sha256: expected 64 hexadecimal digits"):
        PinnedFile("x.gz", "x", 1, bad)


@pytest.mark.parametrize("bad", [0, -1])
def test_a_size_is_positive(bad: int):
    with pytest.raises(ConfigError, match=rf"x\.gz, size: expected at least 1 byte, got {bad}"):
        PinnedFile("x.gz", "x", bad, GOOD)


def test_a_mirror_ends_in_a_slash():
    with pytest.raises(ConfigError, match="expected addresses that end in a slash, got 'http://a'"):
        PinnedFile("x.gz", "x", 1, GOOD, ("http://b/", "http://a"))
