"""What a run's folder holds: nothing yet, something to go on from, or another run."""

from __future__ import annotations

from pathlib import Path

from ns4d.errors import ConfigError
from ns4d.train.checkpoint import BEST, LATEST, Checkpoint, load_checkpoint
from ns4d.train.journal import read_journal
from ns4d.train.recipe import Recipe
from ns4d.train.settings import differences, to_plain

OTHER_FOLDER = "Choose another --out, or repeat the first command to go on with that run."


def find_checkpoint(folder: Path, recipe: Recipe, data: str, per_epoch: int) -> Checkpoint | None:
    """The checkpoint to go on from; None to begin.

    Args:
        folder: The run's folder, which may not exist yet.
        recipe: What is to be trained.
        data: Digest of the data set.
        per_epoch: Steps of an epoch.

    Raises:
        ConfigError: If the folder holds a run of another recipe or other data, or a finished
            network without the checkpoint to go on from: training would destroy either.
        ArtefactError: If a checkpoint cannot be read.
    """
    paths = (folder / BEST, folder / LATEST)
    best, latest = (load_checkpoint(path) if path.exists() else None for path in paths)
    for checkpoint in (best, latest):
        if checkpoint is not None:
            _require_same(folder, checkpoint, recipe, data)
    if latest is None and best is not None and _went_on(folder, best, recipe, per_epoch):
        raise ConfigError(
            str(folder),
            expected=f"the file {LATEST} to go on from",
            got=f"only {BEST}, the network that a run selected",
            fix="Choose another --out.",
        )
    return latest


def _went_on(folder: Path, best: Checkpoint, recipe: Recipe, per_epoch: int) -> bool:
    """Whether more was trained than is lost by a kill between a run's first two writes.

    That leaves the first epoch's network alone, of several epochs, none of them noted later.
    """
    step = best.progress.step
    later = any(record["step"] > step for record in read_journal(folder))
    return step > per_epoch or recipe.schedule.epochs == 1 or later


def _require_same(folder: Path, checkpoint: Checkpoint, recipe: Recipe, data: str) -> None:
    if checkpoint.recipe != recipe:
        raise ConfigError(
            str(folder),
            expected="an empty folder or a run of the same recipe",
            got=f"a run with {differences(*map(to_plain, (checkpoint.recipe, recipe)))}",
            fix=OTHER_FOLDER,
        )
    require_same_data(str(folder), checkpoint, data)


def require_same_data(where: str, checkpoint: Checkpoint, data: str) -> None:
    """Refuse a data set other than the one that a checkpoint was trained on.

    Raises:
        ConfigError: Naming both digests.
    """
    if checkpoint.progress.data != data:
        raise ConfigError(
            where,
            expected=f"the data that the run was trained on (digest {checkpoint.progress.data})",
            got=f"other data under the same name (digest {data})",
            fix="Bring the old data back, or train anew in another --out.",
        )
