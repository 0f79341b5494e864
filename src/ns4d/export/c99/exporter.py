"""`ns4d export --to c`: from a program to a folder of C."""

from __future__ import annotations

import re

from ns4d.export.base import Export, Fact, Request
from ns4d.export.c99.example import example_files
from ns4d.export.c99.files import model_files
from ns4d.export.c99.fit import Change, Room, needs, require_fit
from ns4d.export.c99.parts import Part, part_of
from ns4d.export.c99.sensor import Sensor
from ns4d.export.c99.size import size_of
from ns4d.export.c99.unit import Unit
from ns4d.program import Program

# C99 tells public names apart by 31 characters; `_step` comes after the prefix.
LONGEST_NAME = 24


def export_program(program: Program, request: Request) -> Export:
    """The C of a program, refused where it does not fit the part that is named.

    Args:
        program: What to export.
        request: Name, part or sizes, tokens of the test vector, longest sequence, raw integers.

    Raises:
        ConfigError: An unknown part, or one that cannot hold the program; no range of a sensor.
        RangeError: An illegal token, or a length that is not proved.
        ShapeError: Tokens of another shape.
    """
    sensor = None if request.sensor is None else Sensor(*request.sensor)
    unit = Unit(program, request.name or prefix_of(program.metadata.task), request.length, sensor)
    part = None if request.part is None else part_of(request.part)
    room = _room(request, part)
    require_fit(unit, room)
    files = {**model_files(unit), **example_files(unit, request.tokens)}
    return Export(files, _facts(unit, room))


def prefix_of(task: str) -> str:
    """A prefix from the name of a task.

    >>> prefix_of("sMNIST, 28x28"), prefix_of("8x8")
    ('smnist_28x28', 'model_8x8')
    """
    words = re.sub("[^a-z0-9]+", "_", task.lower()).strip("_")
    named = words if words[:1].isalpha() else f"model_{words}".strip("_")
    return named[:LONGEST_NAME].strip("_")


def _room(request: Request, part: Part | None) -> Room:
    flash = (
        request.flash_bytes if part is None or request.flash_bytes is not None else part.flash_bytes
    )
    ram = request.ram_bytes if part is None or request.ram_bytes is not None else part.ram_bytes
    return Room(request.part or "the sizes given", flash, ram)


def _facts(unit: Unit, room: Room) -> dict[str, Fact]:
    size = size_of(unit)
    flash, ram = needs(unit, Change())
    limits = {"flash_limit_bytes": room.flash_bytes, "ram_limit_bytes": room.ram_bytes}
    return {
        "name": unit.name,
        "digest": unit.program.digest,
        "constants_bytes": size.constants_bytes,
        "code_bytes_at_most": size.code_bytes,
        "state_bytes": size.ram_bytes,
        "stack_bytes_at_most": size.stack_bytes,
        "flash_bytes": flash,
        "ram_bytes": ram,
        "multiplications_per_token": size.multiplications,
        "additions_per_token": size.additions,
        "score_type": unit.score.name,
        "tokens_max": unit.tokens_max,
        **{name: size for name, size in limits.items() if size is not None},
    }
