"""The data of a program's task, in the order of tokens that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ns4d.choice import choose
from ns4d.program import Program

if TYPE_CHECKING:
    from ns4d.data import Dataset


def data_of(program: Program, data_dir: Path | None = None) -> Dataset:
    """Load the data set that a program's metadata name.

    Args:
        program: Its task is a name or the path of a `.npz`; its provenance may name an order.
        data_dir: As in `ns4d.data.load_task`.

    Raises:
        ConfigError: Unknown task or order.
        DataError: The data are missing or altered.
    """
    from ns4d.data import Permutation, load_task

    name = program.metadata.provenance.get("permutation")
    orders = {order.value: order for order in Permutation}
    fix = "Quantize the network again with this version."
    order = None if name is None else choose("the program's permutation", orders, str(name), fix)
    return load_task(program.metadata.task, data_dir, order)
