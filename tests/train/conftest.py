"""Trainings shared by the tests of this folder, in this process or in others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ns4d.train import train
from train.processes import Nursery
from train.tiny import restless_recipe, tiny_dataset


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    opened = Nursery(tmp_path_factory.mktemp("output"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted training of `restless_recipe`. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    train(restless_recipe(), tiny_dataset(), folder, show=False)
    return folder
