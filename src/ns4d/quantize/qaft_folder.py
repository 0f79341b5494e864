"""The folder of a fine-tuning: whose it is, which program came out of it.

It is a run as in `ns4d.train.loop`, with the recipe in `qaft.json` beside the checkpoints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ns4d.errors import ArtefactError, ConfigError
from ns4d.program import Program
from ns4d.quantize.qaft_recipe import QaftRecipe
from ns4d.storage import write_atomically
from ns4d.train.checkpoint import BEST, LATEST, load_checkpoint
from ns4d.train.journal import NAME as JOURNAL
from ns4d.train.recipe import Recipe
from ns4d.train.resume import OTHER_FOLDER
from ns4d.train.settings import differences, from_plain, to_plain

RECIPE = "qaft.json"


def claim_folder(folder: Path, recipe: QaftRecipe) -> None:
    """Note the recipe in a run's folder; refuse the folder of another one.

    A fine-tuning that came to no checkpoint, as when its rate was too high, gives way.

    Raises:
        ConfigError: If it holds a fine-tuning with another recipe, or a run of another kind.
        ArtefactError: If what it holds of one cannot be read, or nothing can be written.
    """
    path, plain = folder / RECIPE, recipe.plain()
    found = noted_recipe(path.read_bytes(), str(path)) if path.exists() else None
    if found == plain:
        return
    # Of a fine-tuning a checkpoint counts; a training that has none yet has its journal.
    kept = (BEST, LATEST, JOURNAL) if found is None else (BEST, LATEST)
    if any((folder / name).exists() for name in kept):
        raise ConfigError(
            str(folder),
            expected="an empty folder or a fine-tuning with the same recipe",
            got="another run" if found is None else f"one with {differences(found, plain)}",
            fix=OTHER_FOLDER,
        )
    (folder / JOURNAL).unlink(missing_ok=True)
    write_atomically(path, (json.dumps(plain, indent=1) + "\n").encode())


def noted_recipe(text: str | bytes, where: str) -> dict[str, Any]:
    """The recipe that a folder or a program notes; settings younger than the note as defaults.

    Args:
        text: From `QaftRecipe.plain`, as JSON.
        where: Its place, for errors.

    Raises:
        ArtefactError: If the text is none.
    """
    try:
        plain = json.loads(text)
        return plain | {"training": to_plain(from_plain(Recipe, plain["training"]))}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, ConfigError) as error:
        raise ArtefactError(
            where,
            expected="the recipe of a fine-tuning, in JSON",
            got=f"{type(error).__name__}: {error}",
            fix="Bring the file back, or fine-tune anew with another --out.",
        ) from error


def folder_of(program: Program, path: Path, run: Path) -> Path:
    """Where a program was fine-tuned: the folder that selected its network.

    Args:
        program: The fine-tuned program.
        path: Its file; the folder of that name is looked at first, then those beside it.
        run: The run that it came from; its folders are looked at last.

    Raises:
        ArtefactError: None of them has that network.
    """
    wanted = program.metadata.provenance["tuned_network"]
    beside = [each.parent for place in (path.parent, run) for each in place.glob(f"*/{BEST}")]
    for folder in (path.with_suffix(""), *sorted(beside)):
        if _selected(folder) == wanted:
            return folder
    raise ArtefactError(
        str(path.with_suffix("")),
        expected="the folder in which the program was fine-tuned, with its network",
        got=f"no network {str(wanted)[:12]}, there or beside it",
        fix="Bring that folder back; the figures are correct without it.",
    )


def _selected(folder: Path) -> str | None:
    try:
        return load_checkpoint(folder / BEST).digest
    except ArtefactError:  # nothing, or nothing whole: not what is looked for
        return None
