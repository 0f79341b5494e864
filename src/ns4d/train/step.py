"""One step of training: forward, loss, backward, clipping, update; on CUDA, a graph of them.

A step of a small network is hundreds of short kernels, which a GPU runs faster than Python can
ask for them. A CUDA graph asks once for all. It also means that nothing may wait for the GPU
within a step, so counts stay on the device, and so does the check of loss and gradient: from the
first step that is not finite, no parameter changes any more, until someone asks (`outcome`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from ns4d.train.checkpoint import Progress
from ns4d.train.recipe import Recipe
from ns4d.train.teacher import divergence

Batch = tuple[Tensor, Tensor, Tensor | None]
WARM_UP = 3  # steps outside the graph, in which libraries make their plans


@dataclass(frozen=True)
class Outcome:
    """What the steps since the last question came to.

    Args:
        loss_sum: Sum of the losses of their sequences.
        correct: Right decisions among them.
        seen: Number of them.
        accepted: Steps before the first whose loss or gradient was not finite.
        finite: Whether there was none such.
    """

    loss_sum: float
    correct: int
    seen: int
    accepted: int
    finite: bool

    def added_to(self, progress: Progress) -> Progress:
        """The counts of an epoch with these."""
        return replace(
            progress,
            loss_sum=progress.loss_sum + self.loss_sum,
            correct=progress.correct + self.correct,
            seen=progress.seen + self.seen,
        )


class TrainingStep:
    """Trains a network by one batch at a time.

    Args:
        network: What is called with tokens and lengths; may wrap the network of the optimizer.
        optimizer: Made by `build_optimizer` for the same device.
        recipe: Clipping, label smoothing, precision.
        device: Where everything is.
        graph: Whether to replay a CUDA graph; all batches then have the shape of the first.
        teacher: Whose answers are learnt beside the labels.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        device: torch.device,
        graph: bool,
        teacher: nn.Module | None = None,
    ) -> None:
        self._network, self._optimizer, self._recipe = network, optimizer, recipe
        self._teacher = teacher
        self._parameters = list(network.parameters())
        self._failed = torch.zeros((), device=device)
        # loss, correct, seen, accepted steps; float64 counts exactly up to 2^53
        self._counts = torch.zeros(4, dtype=torch.float64, device=device)
        # Fused optimizers skip a step where this is 1: the protocol of torch.amp.GradScaler.
        optimizer.found_inf = self._failed  # type: ignore[attr-defined]
        self._device, self._graph = device, graph
        self._replay: Callable[[Batch], None] | None = None

    def __call__(self, batch: Batch) -> None:
        """Do one step; on CUDA, ask for it."""
        if not self._graph:
            self.compute(batch)
            return
        if self._replay is None:
            self._replay = self._capture(batch)
        self._replay(batch)

    def compute(self, batch: Batch) -> None:
        """The step itself, operation by operation."""
        tokens, labels, lengths = batch
        recipe = self._recipe
        with precision_of(recipe, self._device):
            logits = self._network(tokens, lengths)
        logits = logits.float()
        loss = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        if self._teacher is not None:
            with torch.no_grad(), precision_of(recipe, self._device):
                wanted = self._teacher(tokens, lengths)
            distance = divergence(logits, wanted.float(), recipe.temperature)
            loss = loss + recipe.distillation * distance
        self.learn(loss, logits, labels)

    def learn(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """What follows the loss, whatever it is made of: backward, clipping, update, counts.

        Args:
            loss: Mean over the sequences of the batch.
            logits: What decides.
            labels: The right answers.
        """
        self._optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        finite = torch.isfinite(norm) & torch.isfinite(loss.detach())
        self._failed.copy_(torch.maximum(self._failed, (~finite).to(self._failed.dtype)))
        # A norm that is not finite would make every gradient so, and hide the first.
        norm = torch.nan_to_num(norm, nan=0.0, posinf=0.0)
        nn.utils.clip_grads_with_norm_(self._parameters, self._recipe.optimizer.clip, norm)
        self._optimizer.step()
        self._count(loss.detach(), (logits.argmax(1) == labels).sum(), len(labels))

    def outcome(self) -> Outcome:
        """Wait for the device, and start counting anew."""
        loss_sum, correct, seen, accepted = self._counts.tolist()
        finite = not bool(self._failed)
        self._counts.zero_()
        return Outcome(loss_sum, int(correct), int(seen), int(accepted), finite)

    def _count(self, loss: Tensor, correct: Tensor, size: int) -> None:
        one = torch.ones_like(loss, dtype=torch.float64)
        counts = torch.stack([loss.double() * size, correct.double(), one * size, one])
        finite = torch.nan_to_num(counts, nan=0.0, posinf=0.0, neginf=0.0)
        self._counts.add_(finite * (1 - self._failed))

    def _capture(self, example: Batch) -> Callable[[Batch], None]:
        """Record the step as a graph over buffers of its own; changes no parameter."""
        buffers = _copy(example)
        kept = [(buffer, buffer.clone()) for buffer in self._network.buffers()]
        self._failed.fill_(1.0)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.compute(buffers)
        torch.cuda.current_stream().wait_stream(stream)
        self._optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.compute(buffers)
        self._failed.zero_()
        for buffer, before in kept:
            buffer.copy_(before)

        def replay(batch: Batch) -> None:
            for buffer, given in zip(buffers, batch, strict=True):
                if buffer is not None and given is not None:
                    buffer.copy_(given, non_blocking=True)
            graph.replay()

        return replay


def precision_of(recipe: Recipe, device: torch.device) -> torch.autocast:
    """In which networks answer during a training: that which learns, and its teacher."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16)


def _copy(batch: Batch) -> Batch:
    tokens, labels, lengths = batch
    return tokens.clone(), labels.clone(), None if lengths is None else lengths.clone()
