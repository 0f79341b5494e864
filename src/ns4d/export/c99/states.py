"""The state that the caller's struct holds, read from memory.

Fields lie as every C compiler lays them out whose integers are aligned to their size: on 32-bit
cores as on this machine. Scores in the struct have their bias inside, a state's r has not.
"""

from __future__ import annotations

import numpy as np

from ns4d.engines.state import State
from ns4d.export.c99.unit import Unit


def layout(unit: Unit) -> np.dtype:
    """The struct of the header."""
    fields: list[tuple] = [("tokens", "<i8")]
    fields += [("score", f"<i{unit.score.size_bytes}", (len(unit.program.classes),))]
    for states in unit.states_in_order:
        part = f"<i{states.kind.size_bytes}"
        fields.append((states.field, [("re", part), ("im", part)], (states.count,)))
    return np.dtype(fields, align=True)


def read_states(unit: Unit, structs: np.ndarray) -> State:
    """The state of all streams, one struct each.

    Args:
        unit: The model.
        structs: (b,) of `layout`.
    """
    x_re, x_im = {}, {}
    for node in unit.program.recurrent:
        x = structs[f"x_{unit.identifiers[node.name]}"]
        shape = (len(structs), *node.a_re.shape)
        x_re[node.name] = x["re"].astype(np.int64).reshape(shape)
        x_im[node.name] = x["im"].astype(np.int64).reshape(shape)
    seen = tokens_seen(structs)
    r = structs["score"].astype(np.int64) - seen * unit.program.readout.bias
    return State(x_re, x_im, r, seen)


def tokens_seen(structs: np.ndarray) -> int:
    """How many tokens led to these structs, the same for all."""
    return int(structs["tokens"][0]) if len(structs) else 0


def write_states(unit: Unit, state: State) -> np.ndarray:
    """The inverse: (b,) of `layout`.

    Args:
        unit: The model.
        state: One that has been checked for its program.
    """
    structs = np.zeros(state.batch, layout(unit))
    for node in unit.program.recurrent:
        x = structs[f"x_{unit.identifiers[node.name]}"]
        x["re"] = state.x_re[node.name].reshape(state.batch, -1)
        x["im"] = state.x_im[node.name].reshape(state.batch, -1)
    structs["tokens"] = state.tokens_seen
    structs["score"] = state.r + state.tokens_seen * unit.program.readout.bias
    return structs
