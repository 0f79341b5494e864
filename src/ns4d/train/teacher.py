"""Distillation: a training that learns another network's answers beside the labels.

    loss = cross-entropy(labels, q) + w KL(p, q)      p teacher's probabilities, q the network's

Source    Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, arXiv:1503.02531;
          at temperature 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.train.checkpoint import Checkpoint
from ns4d.train.origins import TEACHER, require_named
from ns4d.train.recipe import Recipe


def build_teacher(
    recipe: Recipe, teacher: Checkpoint | None, data: str, device: torch.device
) -> Network | None:
    """The network that a recipe learns from, where it answers; None if it names none.

    Args:
        recipe: What is to be trained.
        teacher: The network.
        data: Digest of the data set.
        device: Where it answers, without dropout; nothing changes it.

    Raises:
        ConfigError: If it is not the one that the recipe names, or learnt from other data.
        ArtefactError: If its file holds other parameters than its own recipe says.
    """
    require_named(TEACHER, recipe, teacher)
    if teacher is None:
        return None
    if teacher.progress.data != data:
        raise ConfigError(
            str(teacher.path),
            expected=f"a network that learnt from the data of {recipe.task}, in their order",
            got=f"one of {teacher.recipe.task} (data {teacher.progress.data[:12]})",
            fix="Train the teacher on the same task, with the same permutation.",
        )
    return teacher.build_network().to(device).requires_grad_(False)


def divergence(logits: Float[Tensor, "b c"], wanted: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """Mean over the batch of KL(p, q).

    Args:
        logits: Of the network that learns, q.
        wanted: Of the teacher, p.
    """
    return functional.kl_div(
        logits.log_softmax(1), wanted.log_softmax(1), reduction="batchmean", log_target=True
    )
