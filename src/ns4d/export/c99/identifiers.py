"""Names of nodes as identifiers of C, all different."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# C99 tells internal names apart by their first 63 characters; suffixes such as `_channels` follow.
LONGEST = 40


def identifiers(names: Iterable[str]) -> Mapping[str, str]:
    """Node name -> identifier: what C does not allow becomes `_`; a number keeps them apart.

    >>> identifiers(["layer0.s4d", "layer0-s4d"])
    {'layer0.s4d': 'layer0_s4d', 'layer0-s4d': 'layer0_s4d_2'}
    """
    found: dict[str, str] = {}
    taken: set[str] = {"readout"}
    for name in names:
        base = candidate = re.sub("[^A-Za-z0-9]", "_", name)[:LONGEST]
        count = 1
        while candidate in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate)
        found[name] = candidate
    return found
