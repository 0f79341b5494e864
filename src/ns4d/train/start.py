"""Where a training begins: with random weights, or with the network of an earlier training.

A run that began with a network keeps that network's run in its folder `start`, which has such a
folder itself if that one began with a third, and so on to random weights.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.storage import write_atomically
from ns4d.train.checkpoint import BEST, Checkpoint
from ns4d.train.journal import NAME as JOURNAL
from ns4d.train.recipe import Recipe

START = "start"


def begin(network: Network, recipe: Recipe, start: Checkpoint | None) -> None:
    """Give a new network the weights that its recipe begins with.

    Args:
        network: Built from the recipe; random weights stay where it names no others.
        recipe: What is to be trained.
        start: The trained network, if there is one.

    Raises:
        ConfigError: If the recipe names another network than the given one, or one of another
            architecture.
        ArtefactError: If its file holds other parameters than its own recipe says.
    """
    given = None if start is None else start.digest
    if given != recipe.start:
        raise ConfigError(
            "start",
            expected=f"{_named(recipe.start)}, as the recipe says",
            got=_named(given),
            fix="Name the run of that network: --start RUN, or start=load_selected(run).",
        )
    if start is None:
        return
    if replace(start.recipe.model, dropout=recipe.model.dropout) != recipe.model:
        raise ConfigError(
            str(start.path),
            expected=f"a network as in the recipe: {recipe.model}",
            got=str(start.recipe.model),
            fix="Keep the architecture; only dropout may be another.",
        )
    start.restore_network(network)


def _named(digest: str | None) -> str:
    return "random weights" if digest is None else f"the network {digest[:12]}"


def keep_start(run: Path, start: Checkpoint) -> None:
    """Keep the network that a run begins with in its folder, so that its record is whole.

    Args:
        run: Folder of the run.
        start: The network. What its own folder keeps of its training comes along.
    """
    copy_selected(start.path, run / START)


def copy_selected(network: Path, run: Path) -> None:
    """Copy the network of a run with its journal and its beginnings; replaces what was there.

    Args:
        network: The checkpoint file of the network, in the folder of its run.
        run: The folder that gets them.
    """
    write_atomically(run / BEST, network.read_bytes())
    origin = network.parent
    shutil.rmtree(run / START, ignore_errors=True)
    if (origin / JOURNAL).exists():
        write_atomically(run / JOURNAL, (origin / JOURNAL).read_bytes())
    if (origin / START).exists():
        copy_selected(origin / START / BEST, run / START)
