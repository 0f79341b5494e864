"""Fold batch normalization into the linear map before it, for inference.

γ (W z + β - μ) / σ + η  =  (γ/σ) W z  +  (γ/σ) (β - μ) + η
"""

from __future__ import annotations

import copy
import dataclasses

import torch

from ns4d.model import ModelConfig, Network, Norm


@torch.no_grad()
def fold_batch_norm(network: Network) -> Network:
    """An equal network in evaluation mode without batch normalization; the input is untouched.

    Args:
        network: Any network; one without batch normalization is only copied.

    Returns:
        A copy whose outputs equal those of `network.eval()` up to float rounding.
    """
    folded = copy.deepcopy(network).eval()
    if network.config.norm is not Norm.BATCH:
        return folded
    config: ModelConfig = dataclasses.replace(network.config, norm=Norm.NONE)
    folded.config = config
    for layer in folded.stack:
        norm = layer.batch_norm
        assert norm is not None and norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layer.linear.weight.mul_(gain[:, None])
        layer.linear.bias.sub_(norm.running_mean).mul_(gain).add_(norm.bias)
        layer.batch_norm, layer.config = None, config
    return folded
