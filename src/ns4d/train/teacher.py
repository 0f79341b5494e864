"""Distillation: a training that learns another network's answers beside the labels.

    loss = cross-entropy(labels, q) + w T² KL(p', q')     p teacher's probabilities, q the network's
    p' ∝ p^(1/T), q' ∝ q^(1/T)                            the same, at temperature T

Source    Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ns4d.errors import ConfigError
from ns4d.train.exported import ExportedNetwork
from ns4d.train.origins import TEACHER, Origin, require_named
from ns4d.train.recipe import Recipe


def build_teacher(
    recipe: Recipe, teacher: Origin | None, data: str, device: torch.device
) -> nn.Module | None:
    """The network that a recipe learns from, where it answers; None if it names none.

    Args:
        recipe: What is to be trained.
        teacher: The network. One that ns4d did not train may have learnt from any data.
        data: Digest of the data set.
        device: Where it answers, without dropout; nothing changes it.

    Raises:
        ConfigError: If it is not the one that the recipe names, or learnt from other data.
        ArtefactError: If its file holds other parameters than its own recipe says, or no network.
    """
    require_named(TEACHER, recipe, teacher)
    if teacher is None:
        return None
    if isinstance(teacher, ExportedNetwork):
        return teacher.build(device).requires_grad_(False)
    if teacher.progress.data != data:
        raise ConfigError(
            str(teacher.path),
            expected=f"a network that learnt from the data of {recipe.task}, in their order",
            got=f"one of {teacher.recipe.task} (data {teacher.progress.data[:12]})",
            fix="Train the teacher on the same task, with the same permutation.",
        )
    return teacher.build_network().to(device).requires_grad_(False)


def divergence(
    logits: Float[Tensor, "b c"], wanted: Float[Tensor, "b c"], temperature: float = 1.0
) -> Float[Tensor, ""]:
    """Mean over the batch of T² KL(p', q').

    Args:
        logits: Of the network that learns, q.
        wanted: Of the teacher, p.
        temperature: T; the higher, the more the unlikely classes count.
    """
    q, p = (logits / temperature).log_softmax(1), (wanted / temperature).log_softmax(1)
    return temperature**2 * functional.kl_div(q, p, reduction="batchmean", log_target=True)
