"""Where a training begins: with random weights, or with the network of an earlier training."""

from __future__ import annotations

from dataclasses import replace

from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.train.checkpoint import Checkpoint
from ns4d.train.origins import START, require_named
from ns4d.train.recipe import Recipe


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
    require_named(START, recipe, start)
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
