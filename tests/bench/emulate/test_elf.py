"""ELF files: read to what was written, or to an error."""

from __future__ import annotations

import struct

import pytest

from ns4d.bench.emulate.elf import HEADER, SECTION, SEGMENT, SYMBOL, Segment, read_elf
from ns4d.errors import ArtefactError

TEXT, DATA, BSS = b"\x01\x02\x03\x04", b"\x05\x06", 40


def written() -> bytes:
    """A file with a code section, a data section, zeros, two symbols, by the standard."""
    names = b"\0start\0table\0"
    symbols = SYMBOL.pack(0, 0, 0, 0, 0, 0)
    symbols += SYMBOL.pack(1, 0x8000, 4, 0, 0, 1) + SYMBOL.pack(7, 0x2000_0000, 2, 0, 0, 2)
    body, places = b"", {}
    for name, content in (("text", TEXT), ("data", DATA), ("symbols", symbols), ("names", names)):
        places[name] = HEADER.size + len(body)
        body += content
    segments_at = HEADER.size + len(body)
    segments = SEGMENT.pack(1, places["text"], 0x8000, 0x8000, len(TEXT), len(TEXT), 5, 4)
    segments += SEGMENT.pack(4, 0, 0, 0, 99, 99, 4, 4)  # a note: not loaded
    segments += SEGMENT.pack(1, places["data"], 0x2000_0000, 0x8004, len(DATA), BSS, 6, 4)
    sections_at = segments_at + len(segments)
    sections = SECTION.pack(*[0] * 10)
    for kind, flags, name, size, link in (
        (1, 2 | 4, "text", len(TEXT), 0),
        (1, 2 | 1, "data", len(DATA), 0),
        (2, 0, "symbols", len(symbols), 4),
        (3, 0, "names", len(names), 0),
    ):
        sections += SECTION.pack(0, kind, flags, 0, places[name], size, link, 0, 4, 16)
    identity = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = HEADER.pack(
        identity, 2, 40, 1, 0x8000, segments_at, sections_at, 0, HEADER.size, 32, 3, 40, 5, 0
    )
    return header + body + segments + sections


def test_segments_symbols_and_sizes():
    elf = read_elf("made", written())
    assert elf.segments == (
        Segment(0x8000, TEXT, len(TEXT)),
        Segment(0x2000_0000, DATA, BSS),
    )
    assert elf.symbols == {"": 0, "start": 0x8000, "table": 0x2000_0000}
    assert (elf.constant_bytes, elf.variable_bytes) == (len(TEXT), len(DATA))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MZ" + bytes(60),
        written()[:20],
        b"\x7fELF\x02\x01" + bytes(60),
        b"\x7fELF\x01\x02" + bytes(60),
    ],
    ids=["empty", "another format", "truncated", "64 bits", "big-endian"],
)
def test_anything_else_is_refused(data):
    with pytest.raises(ArtefactError, match="given: expected a 32-bit little-endian ELF file"):
        read_elf("given", data)


def test_the_layouts_are_those_of_the_standard():
    assert (HEADER.size, SECTION.size, SEGMENT.size, SYMBOL.size) == (52, 40, 32, 16)
    assert struct.calcsize("<I") == 4
