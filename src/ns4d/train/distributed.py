"""Several processes, one training: what `torchrun` sets up, read in one place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed as dist
from torch import nn

from ns4d.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Args:
        rank: Its number, from 0.
        count: How many there are.
        local: Its number on this machine.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Sequences per process of a batch.

        Raises:
            ConfigError: If the batch does not divide evenly.
        """
        if batch % self.count:
            raise ConfigError(
                "batch",
                expected=f"a multiple of {self.count}, the number of processes",
                got=str(batch),
                fix=f"Set batch={-(-batch // self.count) * self.count}.",
            )
        return batch // self.count

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over the processes.

        Batch norm normalizes by the sequences of its own process; its running averages are those
        of the first.
        """
        return nn.parallel.DistributedDataParallel(network) if self.count > 1 else network

    def total(self, values: list[float], device: torch.device) -> list[float]:
        """Sum each value over the processes, so that all know the same."""
        if self.count == 1:
            return values
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(sums)
        return sums.tolist()

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process, so that all act alike."""
        return self.total([float(flag)], device)[0] > 0


def prints() -> bool:
    """Whether this process is the one that prints, also after its group has ended."""
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    return alone or int(os.environ.get("RANK", "0")) == 0


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Join the group that `torchrun` started; alone, a group of one without any set-up."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        torch.cuda.set_device(local)  # "cuda" means this one from here on
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count, local)
    finally:
        dist.destroy_process_group()
