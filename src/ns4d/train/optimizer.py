"""The optimizer of a recipe: which parameter gets which rate."""

from __future__ import annotations

import torch
from torch import nn

from ns4d.train.recipe import Optimizer

SSM_PARAMETERS = ("log_decay", "frequency", "b", "log_step")


def build_optimizer(
    network: nn.Module, settings: Optimizer, graph: bool = False
) -> torch.optim.AdamW:
    """AdamW over two groups: A, B and the step of every SSM, and everything else.

    The SSM's parameters enter through exponentials and powers up to the sequence length, so they
    need a smaller rate, and decay would pull them towards values that mean something else.

    Args:
        network: The network.
        settings: Rates and decay.
        graph: Whether its steps are replayed by a CUDA graph.

    Returns:
        An optimizer whose groups carry their peak rate as `peak`.
    """
    ssm, rest = [], []
    for name, parameter in network.named_parameters():
        is_ssm = ".ssm." in name and name.rsplit(".", 1)[-1] in SSM_PARAMETERS
        (ssm if is_ssm else rest).append(parameter)
    groups = [
        {"params": ssm, "peak": settings.ssm_rate, "weight_decay": 0.0},
        {"params": rest, "peak": settings.rate, "weight_decay": settings.decay},
    ]
    for group in groups if graph else ():
        # A graph reads the rate from where it was when captured: from a tensor.
        group["lr"] = torch.tensor(group["peak"], device=rest[0].device)
    return torch.optim.AdamW(groups, lr=settings.rate, fused=True, capturable=graph)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to its peak times the schedule's factor."""
    for group in optimizer.param_groups:
        rate = group["peak"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
