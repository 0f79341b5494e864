"""A training that is stopped, by whatever, and started again ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from ns4d.errors import ArtefactError, ConfigError
from ns4d.train import override, train
from ns4d.train.checkpoint import BEST, LATEST, load_checkpoint
from ns4d.train.journal import read_journal
from train.altered import alter
from train.processes import Training
from train.runs import assert_same_run, latest
from train.tiny import STEPS, STEPS_PER_EPOCH, restless_recipe, tiny_dataset


def go_on(folder: Path) -> None:
    train(restless_recipe(), tiny_dataset(), folder, show=False)


def test_a_training_repeats_itself(finished, tmp_path):
    go_on(tmp_path)
    assert_same_run(tmp_path, finished)


@pytest.mark.parametrize(
    ("at", "checkpoint_seconds", "saved"),
    [
        pytest.param(1, 0.0, None, id="before the first checkpoint"),
        pytest.param(4, 0.0, 3, id="within an epoch"),
        pytest.param(STEPS_PER_EPOCH, 0.0, STEPS_PER_EPOCH - 1, id="at the last step of an epoch"),
        pytest.param(STEPS_PER_EPOCH + 1, 0.0, STEPS_PER_EPOCH, id="right after an epoch"),
        pytest.param(STEPS_PER_EPOCH + 4, 1e9, STEPS_PER_EPOCH, id="long after the checkpoint"),
        pytest.param(STEPS, 0.0, STEPS - 1, id="at the last step of all"),
    ],
)
def test_killed_and_resumed_is_uninterrupted(
    nursery, finished, tmp_path, at, checkpoint_seconds, saved
):
    order = {"signals": [("SIGKILL", at)], "checkpoint_seconds": checkpoint_seconds}
    assert nursery.start(tmp_path, **order).wait() == -signal.SIGKILL
    assert (tmp_path / LATEST).exists() == (saved is not None)
    if saved is not None:
        assert latest(tmp_path).progress.step == saved
    go_on(tmp_path)
    assert_same_run(tmp_path, finished)


def await_checkpoint(training: Training, path: Path) -> None:
    """Until the file is replaced, or nobody is left to replace it."""
    before = stamp(path)
    while stamp(path) == before and training.running:
        time.sleep(0.001)


def stamp(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def test_killed_at_random_moments_it_still_arrives(nursery, finished, tmp_path):
    """Each life saves once or twice and is killed some time later, also while it writes."""
    chance, kills = random.Random(0), 0
    while True:
        training = nursery.start(tmp_path)
        for _ in range(chance.choice((1, 1, 2))):
            await_checkpoint(training, tmp_path / LATEST)
        time.sleep(chance.uniform(0, 0.02))
        training.signal(signal.SIGKILL)
        status = training.wait()
        for path in tmp_path.glob("*.safetensors"):
            load_checkpoint(path)
        if status == 0:
            break
        assert status == -signal.SIGKILL, training.text
        kills += 1
    assert kills > 0
    assert_same_run(tmp_path, finished)


def test_the_time_of_all_lives_is_added_up(nursery, finished, tmp_path):
    assert nursery.start(tmp_path, signals=[("SIGKILL", 7)]).wait() == -signal.SIGKILL
    path = tmp_path / LATEST
    alter(path, path, lambda header, _: header["progress"].update(seconds=1000.0))
    go_on(tmp_path)
    assert 1000 < latest(tmp_path).progress.seconds == read_journal(tmp_path)[-1]["seconds"]
    assert_same_run(tmp_path, finished)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted_it_says_how_to_go_on(nursery, finished, tmp_path, name):
    """The step in progress is finished first. Its own checkpoint interval never comes."""
    order = {"signals": [(name, 7)], "checkpoint_seconds": 1e9}
    training = nursery.start(tmp_path, **order)
    assert training.wait() == 1
    assert training.text.endswith(
        f"TrainingError: {tmp_path}: expected {STEPS} steps, got an interrupt after step 7. "
        "Everything is saved; repeat the same command to go on.\n"
    )
    assert latest(tmp_path).progress.step == 7
    go_on(tmp_path)
    assert_same_run(tmp_path, finished)


def test_an_interrupt_at_the_last_step_is_a_finished_training(nursery, finished, tmp_path):
    training = nursery.start(tmp_path, signals=[("SIGINT", STEPS)])
    assert training.wait() == 0, training.text
    assert_same_run(tmp_path, finished)


def test_the_second_interrupt_stops_at_once(nursery, tmp_path):
    training = nursery.start(tmp_path, signals=[("SIGINT", 7), ("SIGINT", 7)])
    assert training.wait() == 70
    assert "KeyboardInterrupt" in training.text
    assert latest(tmp_path).progress.step == 6


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e9], ids=["in an epoch", "after an epoch"])
def test_a_full_disk_leaves_the_checkpoint_before(nursery, finished, tmp_path, checkpoint_seconds):
    """After an epoch, the record and the smaller best.safetensors are written before it fails."""
    assert nursery.start(tmp_path, signals=[("SIGKILL", 4)]).wait() == -signal.SIGKILL
    before = (tmp_path / LATEST).read_bytes()
    full = {"file_bytes": len(before) - 1, "checkpoint_seconds": checkpoint_seconds}
    training = nursery.start(tmp_path, **full)
    assert training.wait() == 1
    assert f"ArtefactError: {tmp_path / LATEST}: expected to write" in training.text
    assert "what was there before is unchanged" in training.text
    assert (tmp_path / LATEST).read_bytes() == before
    assert (tmp_path / BEST).exists() == bool(checkpoint_seconds)
    go_on(tmp_path)
    assert_same_run(tmp_path, finished)


def test_a_finished_training_is_left_alone(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / LATEST).read_bytes()
    result = train(restless_recipe(), tiny_dataset(), tmp_path, show=False)
    assert result.progress == latest(finished).progress
    assert (tmp_path / LATEST).read_bytes() == before
    assert_same_run(tmp_path, finished)


def test_another_recipe_is_refused_by_its_differences(finished):
    other = override(restless_recipe(), ["schedule.epochs=4", "model.dropout=0", "seed=1"])
    with pytest.raises(ConfigError) as caught:
        train(other, tiny_dataset(), finished, show=False)
    assert str(caught.value) == (
        f"{finished}: expected an empty folder or a run of the same recipe, got a run with "
        "model.dropout=0.2 (now 0.0), schedule.epochs=3 (now 4), seed=3 (now 1). "
        "Choose another --out, or repeat the first command to go on with that run."
    )


def test_the_network_alone_is_nothing_to_go_on_from(finished, tmp_path):
    """A copy of best.safetensors under the other name would train on without moments."""
    shutil.copy(finished / BEST, tmp_path / LATEST)
    with pytest.raises(ArtefactError, match="an optimizer state that does not fit its network"):
        go_on(tmp_path)
