"""The arrays that the Lava script reads: a `.npz` without pickles.

    links            JSON: per link its kind, name, activation, width, fields, source
    classes, task    JSON, text
    offset, scale    (i,) a raw token x enters as (x - offset) / scale
    <name>/<field>   the arrays of a link, as in `ns4d.export.chain`; `readout` is the last one

The same chain gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Link, Recurrence, Sum

EPOCH = (1980, 1, 1, 0, 0, 0)


def to_arrays(chain: Chain) -> dict[str, np.ndarray]:
    """What is stored, by name.

    Args:
        chain: What to express.

    Returns:
        The arrays.

    Raises:
        ConfigError: An activation that Lava's public processes do not have.
    """
    chain.require("--to lava", Activation.NONE, Activation.RELU)
    links, arrays = [], {"offset": chain.offset, "scale": chain.scale}
    for link in (*chain.links, chain.readout):
        own = _fields(link)
        arrays |= {f"{link.name}/{field}": array for field, array in own.items()}
        if link is not chain.readout:
            links.append(_described(link, own))
    texts = {"links": json.dumps(links), "classes": json.dumps(chain.classes), "task": chain.task}
    return arrays | {name: np.array(text) for name, text in texts.items()}


def to_bytes(chain: Chain) -> bytes:
    """The content of the file; `numpy.savez` would write the time into it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(to_arrays(chain).items()):
            entry = io.BytesIO()
            np.save(entry, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            archive.writestr(member, entry.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _described(link: Link, own: dict[str, np.ndarray]) -> dict[str, Any]:
    assert not isinstance(link, LayerNorm)
    kinds = {Linear: "linear", Recurrence: "recurrence", Sum: "sum"}
    described = {
        "kind": kinds[type(link)],
        "name": link.name,
        "activation": link.activation.value,
        "width": len(next(reversed(own.values()))),
        "fields": list(own),
    }
    return described | ({"source": link.source} if isinstance(link, Sum) else {})


def _fields(link: Link) -> dict[str, np.ndarray]:
    """The arrays of a link; the last one has one value per output."""
    values = {name: getattr(link, name) for name in link.__dataclass_fields__}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
