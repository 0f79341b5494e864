"""Batches: which sequences at which step.

Everything random is a function of (seed, epoch) or (seed, step), so a resumed training sees
exactly what the uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ns4d.data import Normalization, Split
from ns4d.train.augment import Hook


class SplitTensors:
    """A split on a device: raw tokens as stored, normalized batch by batch."""

    def __init__(self, split: Split, normalization: Normalization, device: torch.device) -> None:
        # PyTorch warns of arrays that it cannot write to; arrays read from files may be such.
        writable = np.require(split.tokens, requirements="W")
        self.tokens: Shaped[Tensor, "b l i"] = torch.from_numpy(writable).to(device)
        self.labels: Int[Tensor, " b"] = torch.from_numpy(split.labels).to(device)
        equal = bool((split.lengths == split.tokens.shape[1]).all())
        self.lengths = None if equal else torch.from_numpy(split.lengths).to(device)
        self._offset = torch.from_numpy(normalization.offset).float().to(device)
        self._scale = torch.from_numpy(normalization.scale).float().to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(
        self, indices: Tensor, hooks: Sequence[Hook] = (), generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "b l i"], Int[Tensor, " b"], Int[Tensor, " b"] | None]:
        """The normalized tokens, labels and lengths (None if all are equal) at the indices.

        Hooks see and return raw tokens; they draw from the generator, which lives on the CPU.
        """
        raw, labels, lengths = self.raw(indices, hooks, generator)
        return self.normalize(raw), labels, lengths

    def raw(
        self, indices: Tensor, hooks: Sequence[Hook] = (), generator: torch.Generator | None = None
    ) -> tuple[Shaped[Tensor, "b l i"], Int[Tensor, " b"], Int[Tensor, " b"] | None]:
        """As `batch`, with the tokens as stored: what a program quantizes by itself."""
        raw = self.tokens[indices]
        for hook in hooks:
            raw = hook(raw, generator or torch.default_generator)
        lengths = None if self.lengths is None else self.lengths[indices]
        return raw, self.labels[indices], lengths

    def normalize(self, raw: Shaped[Tensor, "b l i"]) -> Float[Tensor, "b l i"]:
        """Stored values as the network's tokens."""
        return (raw.to(torch.float32) - self._offset) / self._scale

    def in_order(self, size: int) -> Iterator[Tensor]:
        """The indices of all sequences, in order, in pieces of at most `size`."""
        return iter(torch.arange(len(self), device=self.labels.device).split(size))


@lru_cache(maxsize=1)
def epoch_order(count: int, seed: int, epoch: int) -> Int[np.ndarray, " b"]:
    """A permutation of the sequences, determined by the seed and the epoch.

    Every step asks for it, so the last one is kept; it is read-only.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    order.setflags(write=False)
    return order


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed for everything random within one step of one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
