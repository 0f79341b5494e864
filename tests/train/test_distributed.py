"""Several processes train as one: the same weights, one of them writes, all stop together."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ns4d.errors import ConfigError
from ns4d.train import train
from ns4d.train.distributed import Processes, join_processes
from ns4d.train.journal import read_journal
from train.processes import Nursery, Training
from train.runs import assert_same_run, epochs, latest
from train.tiny import EPOCHS, STEPS, tiny_dataset, tiny_recipe

CPU = torch.device("cpu")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_two(nursery: Nursery, folders: tuple[Path, Path], **order) -> list[Training]:
    """What `torchrun --nproc-per-node 2` sets up; `signals` are sent in the second process."""
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        # The machine's own name may resolve to nothing.
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
    }
    signals = order.pop("signals", [])
    return [
        nursery.start(
            folder,
            environment=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            signals=signals if rank else [],
            **order,
        )
        for rank, folder in enumerate(folders)
    ]


def finish(trainings: list[Training], status: int) -> list[str]:
    for training in trainings:
        assert training.wait() == status, training.text
    return [training.text for training in trainings]


def figures(folder: Path) -> list[float]:
    return [value for record in epochs(folder) for value in record.values() if value != "epoch"]


def test_two_processes_train_as_one(nursery, tmp_path):
    """To rounding: two half batches are added in another order. Only the first writes anything."""
    train(tiny_recipe(), tiny_dataset(), tmp_path / "alone", show=False)
    folders = tmp_path / "first", tmp_path / "second"
    order = {"recipe": "tiny_recipe", "line_seconds": -1.0}
    first, second = finish(start_two(nursery, folders, **order), 0)
    assert not (tmp_path / "second").exists()
    assert second == ""
    assert (first.count("validation loss"), first.count("samples/s")) == (EPOCHS, STEPS)
    one, two = latest(tmp_path / "alone"), latest(tmp_path / "first")
    torch.testing.assert_close(dict(two.network), dict(one.network), rtol=1e-5, atol=1e-5)
    assert two.progress.best_step == one.progress.best_step
    assert figures(tmp_path / "first") == pytest.approx(figures(tmp_path / "alone"), rel=1e-4)
    assert read_journal(tmp_path / "first")[0]["processes"] == 2


def test_an_interrupt_in_one_process_stops_both_and_they_go_on(nursery, tmp_path):
    """Bit for bit as without it, dropout, augmentation and running statistics included."""
    whole = tmp_path / "whole"
    finish(start_two(nursery, (whole, whole)), 0)
    halves = tmp_path / "halves", tmp_path / "halves"
    stopped = start_two(nursery, halves, signals=[("SIGINT", 7)], checkpoint_seconds=1e9)
    for text in finish(stopped, 1):
        assert text.count(f"expected {STEPS} steps, got an interrupt after step 7.") == 1
    assert latest(tmp_path / "halves").progress.step == 7
    finish(start_two(nursery, halves), 0)
    assert_same_run(tmp_path / "halves", whole)


def test_the_command_prints_its_summary_once(tmp_path):
    quick = ["schedule.epochs=1", "model.channels=4", "model.modes=2", "model.layers=1"]
    many = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command = ["ns4d", "train", "digits", *quick, "--threads", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", *many, *command, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["run"] == str(tmp_path)


def test_processes_draw_different_noise(nursery, tmp_path):
    """Each step of each process has random numbers of its own."""
    texts = finish(start_two(nursery, (tmp_path, tmp_path), print_seeds=True), 0)
    lines = [line for text in texts for line in text.splitlines() if line.startswith("seeds")]
    assert len(lines) == len(set(lines)) == 2 * STEPS


def test_a_batch_that_cannot_be_shared(nursery, tmp_path):
    folders = tmp_path / "first", tmp_path / "second"
    order = {"recipe": "tiny_recipe", "overrides": ["batch=7"]}
    for text in finish(start_two(nursery, folders, **order), 1):
        assert text == (
            "ConfigError: batch: expected a multiple of 2, the number of processes, got 7. "
            "Set batch=8.\n"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "batch", "share"), [(1, 7, 7), (2, 8, 4), (4, 64, 16)])
def test_a_batch_is_shared_evenly(count, batch, share):
    assert Processes(0, count, 0).share(batch) == share


def test_the_fix_is_the_next_larger_batch():
    with pytest.raises(ConfigError, match=r"a multiple of 3, .*, got 64\. Set batch=66\."):
        Processes(0, 3, 0).share(64)


def test_alone_nothing_is_set_up(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network = torch.nn.Linear(1, 1)
    with join_processes(CPU) as processes:
        assert processes == Processes(0, 1, 0)
        assert processes.first
        assert processes.wrap(network) is network
        assert processes.total([1.5, 2.0], CPU) == [1.5, 2.0]
        assert [processes.any(flag, CPU) for flag in (True, False)] == [True, False]
        assert not torch.distributed.is_initialized()
