"""Compare what two trainings left on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ns4d.train import Recipe, train
from ns4d.train.checkpoint import BEST, LATEST, Checkpoint, load_checkpoint
from ns4d.train.journal import epochs_of, read_journal
from ns4d.train.origins import Origin
from train.tiny import tiny_dataset


class Stopped(Exception):
    """What ends a training in the middle."""


def train_until(steps: int, recipe: Recipe, folder: Path, **origins: Origin) -> None:
    """Train, and stop without a word after so many steps; each has left a checkpoint."""
    calls = 0

    def stop(tokens: Tensor, _: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > steps:
            raise Stopped
        return tokens

    settings: Any = {"hooks": [stop], "checkpoint_seconds": 0.0, "show": False}
    with pytest.raises(Stopped):
        train(recipe, tiny_dataset(), folder, **origins, **settings)


def latest(folder: Path) -> Checkpoint:
    return load_checkpoint(folder / LATEST)


def epochs(folder: Path) -> list[dict[str, Any]]:
    """The records of the epochs, without the only figure that may differ: the time."""
    records = epochs_of(read_journal(folder))
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def assert_same_tensors(left: Any, right: Any) -> None:
    assert left.keys() == right.keys()
    differing = [name for name in left if not torch.equal(left[name], right[name])]
    assert not differing


def assert_same_checkpoint(left: Path, right: Path) -> None:
    """Equal bit by bit, the time aside."""
    one, other = load_checkpoint(left), load_checkpoint(right)
    assert one.recipe == other.recipe
    assert replace(one.progress, seconds=0.0) == replace(other.progress, seconds=0.0)
    assert_same_tensors(one.network, other.network)
    assert_same_tensors(one.optimizer, other.optimizer)


def assert_same_run(left: Path, right: Path) -> None:
    assert_same_checkpoint(left / LATEST, right / LATEST)
    assert_same_checkpoint(left / BEST, right / BEST)
    assert epochs(left) == epochs(right)
    assert epochs(left), "no records would equal no records"
