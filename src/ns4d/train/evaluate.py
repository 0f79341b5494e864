"""Accuracy of the float network on a whole split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn import functional

from ns4d.data import Normalization, Split
from ns4d.model import Network
from ns4d.train.batches import SplitTensors


@dataclass(frozen=True)
class Evaluation:
    """The network's answers to every sequence of a split.

    Args:
        logits: One row per sequence, in the split's order.
        labels: The right answers.
        loss: Mean cross-entropy, nats.
    """

    logits: Float[np.ndarray, "b classes"]
    labels: Int[np.ndarray, " b"]
    loss: float

    @property
    def decisions(self) -> Int[np.ndarray, " b"]:
        """The class with the largest logit, per sequence."""
        return self.logits.argmax(1)

    @property
    def correct(self) -> int:
        """Number of right decisions."""
        return int((self.decisions == self.labels).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of right decisions."""
        return self.correct / len(self.labels)


def evaluate(
    network: Network,
    split: Split,
    normalization: Normalization,
    batch: int = 128,
    device: torch.device | None = None,
) -> Evaluation:
    """Classify every sequence of a split by convolution.

    Args:
        network: The network; its mode (training or not) is restored afterwards.
        split: Raw sequences.
        normalization: How raw values become tokens.
        batch: Sequences at a time.
        device: Where the network is; the CPU if None.

    Returns:
        All logits, and what follows from them.
    """
    return evaluate_tensors(
        network, SplitTensors(split, normalization, device or torch.device("cpu")), batch
    )


@torch.no_grad()
def evaluate_tensors(network: Network, split: SplitTensors, batch: int) -> Evaluation:
    """As `evaluate`, for a split that is already on the device."""
    was_training = network.training
    network.eval()
    logits = []
    for indices in split.in_order(batch):
        tokens, _, lengths = split.batch(indices)
        logits.append(network(tokens, lengths))
    network.train(was_training)
    table = torch.cat(logits)
    loss = functional.cross_entropy(table, split.labels).item()
    return Evaluation(table.cpu().numpy(), split.labels.cpu().numpy(), loss)
