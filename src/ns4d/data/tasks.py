"""The table of tasks, one row each.

A new task is one file with a function `load(data_dir)` returning a Dataset, plus one row here.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import final

from ns4d.data import digits, psmnist, scifar, smnist
from ns4d.data.dataset import Dataset
from ns4d.data.own import load_own
from ns4d.data.permutation import Permutation
from ns4d.data.reorder import reorder
from ns4d.errors import ConfigError

DATA_VARIABLE = "NS4D_DATA"
OWN_SUFFIX = ".npz"


@final
@dataclass(frozen=True)
class Task:
    """One row of the table.

    Args:
        name: What the user types.
        summary: One line for lists.
        load: Reads the task from a data folder; None downloads to the per-user cache.
        bundled: Whether it needs neither a folder nor a download.
    """

    name: str
    summary: str
    load: Callable[[Path | None], Dataset]
    bundled: bool = False


_ROWS = (
    Task("digits", "8x8 digits of scikit-learn, 64 x 1, no download", digits.load, bundled=True),
    Task("smnist", "sequential MNIST, 784 x 1", smnist.load),
    Task("psmnist", "permuted sequential MNIST, 784 x 1", psmnist.load),
    Task("scifar", "sequential CIFAR-10 in colour, 1024 x 3", scifar.load),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ROWS})


def load_task(
    name: str | Path,
    data_dir: Path | str | None = None,
    permutation: Permutation | None = None,
) -> Dataset:
    """Load a task by name, or the user's own sequences by path.

    Args:
        name: A name in TASKS, or the path of a .npz file.
        data_dir: The folder with the files of the task. None means the folder in the
            environment variable NS4D_DATA, and without that a download to the per-user cache.
        permutation: The order of the tokens; None leaves the order of the task.

    Raises:
        ConfigError: The name is unknown, or the folder does not exist.
        DataError: A file is missing, truncated or altered.
    """
    if str(name).endswith(OWN_SUFFIX):
        dataset = load_own(Path(name))
    else:
        task = _find(str(name))
        dataset = task.load(None if task.bundled else _data_folder(data_dir))
    return dataset if permutation is None else reorder(dataset, permutation)


def _find(name: str) -> Task:
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(name.lower(), TASKS, n=1)
    raise ConfigError(
        "task",
        expected=f"one of {', '.join(TASKS)}, or the path of a .npz file",
        got=repr(name),
        fix=f"Did you mean {near[0]!r}?"
        if near
        else f"Start with `ns4d train {next(iter(TASKS))}`.",
    )


def _data_folder(data_dir: Path | str | None) -> Path | None:
    origin, given = "--data-dir", data_dir
    if given is None:
        origin, given = DATA_VARIABLE, os.environ.get(DATA_VARIABLE) or None
    if given is None:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"{origin} {given}",
            expected="a folder with data sets",
            got="a file" if folder.exists() else "no such folder",
            fix=f"Name one that exists, or leave {origin} out to download to the per-user cache.",
        )
    return folder
