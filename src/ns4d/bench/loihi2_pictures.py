"""All pictures of a simulated run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ns4d.bench.loihi2_chip_picture import chip_picture
from ns4d.bench.loihi2_delay_picture import delay_picture
from ns4d.bench.loihi2_sensitivity_picture import sensitivity_picture
from ns4d.bench.loihi2_split_picture import split_picture
from ns4d.bench.loihi2_timeline_picture import timeline_picture
from ns4d.bench.report import Picture
from ns4d.loihi2.comparison import Row
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.estimate import Estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.what_if import Outcome
from ns4d.loihi2.work import Work
from ns4d.storage import write_atomically

LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
CAPTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "chip": (
            "The cores",
            "Cores in the order of their numbers, not a floor plan. A cell is filled as far as its "
            "core is busy for one token, relative to the fullest.",
        ),
        "timeline": (
            "The first tokens in both modes",
            "A box is a stage at work on the token of that number; a step lasts until the fullest "
            "core is done.",
        ),
        "split": (
            "Where time and energy of a token go",
            "Simulated; the bracket at the end is what the calibration leaves open.",
        ),
        "delay": (
            "Energy against delay",
            "Published figures are those of the large network on sCIFAR (arXiv 2409.15022).",
        ),
        "sensitivity": (
            "One property at a time",
            "Expected work on synthetic networks; the dotted line is the network asked about.",
        ),
    }
)


def pictures_of(
    work: Work,
    estimates: Mapping[Mode, Estimate],
    rows: Sequence[Row],
    cores_per_chip: int,
    outcomes: Sequence[Outcome] = (),
) -> dict[str, str]:
    """Name -> SVG element.

    Args:
        work: Of the run.
        estimates: Of both modes.
        rows: Systems to compare.
        cores_per_chip: Of the placement.
        outcomes: From `what_if`, if it was asked.
    """
    found = {
        "chip": chip_picture(work, COSTS, cores_per_chip),
        "timeline": timeline_picture(work, COSTS),
        "split": split_picture([estimates[mode] for mode in Mode]),
        "delay": delay_picture(rows),
    }
    if outcomes:
        found["sensitivity"] = sensitivity_picture(outcomes)
    return {name: slim(svg) for name, svg in found.items()}


def slim(svg: str) -> str:
    """The same picture with two digits behind the point and without indentation."""
    shorter = LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", svg)
    return re.sub(r"\n\s+", "\n", shorter)


def captioned(pictures: Mapping[str, str]) -> tuple[Picture, ...]:
    """For a report."""
    return tuple(
        Picture(CAPTIONS[name][0], svg, CAPTIONS[name][1]) for name, svg in pictures.items()
    )


def write_pictures(pictures: Mapping[str, str], folder: Path, prefix: str = "") -> list[Path]:
    """Write each as a file of its own.

    Args:
        pictures: From `pictures_of`.
        folder: Made if it is not there.
        prefix: Of the names of the files.

    Returns:
        Their paths.

    Raises:
        ArtefactError: A file cannot be written.
    """
    paths = []
    for name, svg in pictures.items():
        path = folder / f"{prefix}{name}.svg"
        write_atomically(path, f'<?xml version="1.0" encoding="utf-8"?>\n{svg}'.encode())
        paths.append(path)
    return paths
