"""What every test gets: one thread, fixed seeds, repeatable Hypothesis, the folder of data sets."""

from __future__ import annotations

import os

# Before torch or NumPy loads: their thread pools read it once. One thread keeps sums in one order
# and leaves the other cores to the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # it measures the machine, not the test
)
settings.load_profile("repeatable")


# Begun first where tests run in parallel, so that no worker is left alone with one of them.
LONG = ("test_demo.py", "test_qaft.py", "test_training_step.py", "test_endurance.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long before all others; the order is the same otherwise."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """Each test starts from the same random state with one thread, whatever ran before it."""
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets: NS4D_DATA, or shared/data beside the repository."""
    named = os.environ.get("NS4D_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if named and not folder.is_dir():
        pytest.fail(f"NS4D_DATA names {folder}, which is not a folder; correct or unset it")
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}; set NS4D_DATA to the folder that has them")
    return folder
