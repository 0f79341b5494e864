"""Reads 32-bit little-endian ELF files: what a linker made, what is in an object file.

Source    Tool Interface Standard, Executable and Linking Format 1.2: layouts of the headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ns4d.errors import ArtefactError

HEADER = struct.Struct("<16s2H5I6H")
SECTION, SEGMENT, SYMBOL = struct.Struct("<10I"), struct.Struct("<8I"), struct.Struct("<3I2BH")
LOAD, SYMBOLS = 1, 2
WRITABLE, ALLOCATED = 1, 2


@dataclass(frozen=True)
class Segment:
    """A part of memory.

    Args:
        address: Where it is loaded.
        content: Its bytes.
        size_bytes: Its size in memory; what `content` lacks is zero.
    """

    address: int
    content: bytes
    size_bytes: int


@dataclass(frozen=True)
class Elf:
    """A file.

    Args:
        segments: What is loaded, of a linked program.
        symbols: Name -> address.
        constant_bytes: Code with constants of all sections that a program keeps in memory.
        variable_bytes: Sections that can be written.
    """

    segments: tuple[Segment, ...]
    symbols: Mapping[str, int]
    constant_bytes: int
    variable_bytes: int


def read_elf(where: str, data: bytes) -> Elf:
    """Read a file that is in memory.

    Args:
        where: Its name, for the error.
        data: All of it.

    Raises:
        ArtefactError: No ELF file of this kind.
    """
    if len(data) < HEADER.size or data[:6] != b"\x7fELF\x01\x01":
        raise ArtefactError(
            where,
            expected="a 32-bit little-endian ELF file",
            got=repr(data[:6]),
            fix="Build it with the toolchain of the target.",
        )
    fields = HEADER.unpack_from(data)
    segment_at, section_at, segments, sections = fields[5], fields[6], fields[10], fields[12]
    loaded = (SEGMENT.unpack_from(data, segment_at + SEGMENT.size * k) for k in range(segments))
    table = [SECTION.unpack_from(data, section_at + SECTION.size * k) for k in range(sections)]
    kept = [section for section in table if section[2] & ALLOCATED]
    return Elf(
        tuple(Segment(s[2], data[s[1] : s[1] + s[4]], s[5]) for s in loaded if s[0] == LOAD),
        dict(_symbols(data, table)),
        sum(section[5] for section in kept if not section[2] & WRITABLE),
        sum(section[5] for section in kept if section[2] & WRITABLE),
    )


def _symbols(data: bytes, table: list[tuple[int, ...]]) -> Iterator[tuple[str, int]]:
    for section in table:
        if section[1] != SYMBOLS:
            continue
        names = table[section[6]][4]
        for at in range(section[4], section[4] + section[5], SYMBOL.size):
            name, address, *_ = SYMBOL.unpack_from(data, at)
            start = names + name
            yield data[start : data.index(b"\0", start)].decode("ascii"), address
