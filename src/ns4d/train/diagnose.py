"""Find where a training went non-finite: which layer, in which direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ns4d.errors import TrainingError

REMEDY = (
    "Lower optimizer.rate and optimizer.ssm_rate (half is a good start) or optimizer.clip, and "
    "train again; the last checkpoint is intact."
)


def non_finite_error(
    network: nn.Module, step: int, tokens: Tensor, remedy: str = REMEDY
) -> TrainingError:
    """Explain a non-finite loss or gradient.

    Looks in the order in which trouble spreads: parameters, activations of a forward pass over
    the same tokens, gradients.

    Args:
        network: The network as it stood at the step.
        step: Step at which the loss or the gradient was found to be non-finite.
        tokens: The batch of that step.
        remedy: What to do.

    Returns:
        The error to raise.
    """
    place = first_non_finite(network, tokens) or _first_bad_gradient(network) or "the loss"
    return TrainingError(
        f"step {step}",
        expected="a finite loss and gradient",
        got=f"NaN or infinity, first in {place}",
        fix=remedy,
    )


def first_non_finite(network: nn.Module, tokens: Tensor) -> str | None:
    """The first parameter, or else activation over these tokens, that is not finite; if any."""
    return _first_bad_parameter(network) or _first_bad_activation(network, tokens)


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _first_bad_parameter(network: nn.Module) -> str | None:
    for name, parameter in network.named_parameters():
        if not _finite(parameter):
            return f"the parameter {name}"
    return None


def _first_bad_gradient(network: nn.Module) -> str | None:
    # From the end: gradients carry the trouble towards the encoder.
    for name, parameter in reversed(list(network.named_parameters())):
        if parameter.grad is not None and not _finite(parameter.grad):
            return f"the gradient of {name}"
    return None


@torch.no_grad()
def _first_bad_activation(network: nn.Module, tokens: Tensor) -> str | None:
    if not _finite(tokens):
        return "the input tokens"
    bad: list[str] = []

    def note(place: str, value: object) -> None:
        if isinstance(value, Tensor) and not _finite(value):
            bad.append(place)

    def watch(name: str, module: nn.Module) -> None:
        handles.append(
            module.register_forward_pre_hook(lambda _, inputs: note(f"input of {name}", inputs[0]))
        )
        handles.append(
            module.register_forward_hook(lambda _, __, output: note(f"output of {name}", output))
        )

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name, module in network.named_modules():
        if name:
            watch(name, module)
    network(tokens)
    for handle in handles:
        handle.remove()
    return f"the {bad[0]}" if bad else None
