"""The training loop: one readable pass from a recipe to a trained network on disk.

A run is a folder: `metrics.jsonl` (record), `checkpoint.safetensors` (to go on from),
`best.safetensors` (best on the validation part; the later one on a tie). The test part is never
looked at.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ns4d.data import Dataset
from ns4d.environment import environment
from ns4d.errors import ConfigError, TrainingError
from ns4d.model import Network
from ns4d.train.allocator import keep_freed_memory
from ns4d.train.augment import Hook, dataset_hooks
from ns4d.train.batches import SplitTensors, epoch_order, step_seed
from ns4d.train.checkpoint import BEST, LATEST, Checkpoint, Progress, save_checkpoint
from ns4d.train.diagnose import non_finite_error
from ns4d.train.display import Display
from ns4d.train.distributed import Processes, join_processes
from ns4d.train.evaluate import Evaluation, evaluate_tensors
from ns4d.train.exported import ExportedTeacher
from ns4d.train.interrupt import Interrupt, interrupted
from ns4d.train.journal import Journal
from ns4d.train.optimizer import build_optimizer, set_rates
from ns4d.train.origins import Origin, Origins, find_origins
from ns4d.train.recipe import Recipe
from ns4d.train.resume import find_checkpoint
from ns4d.train.settings import to_plain
from ns4d.train.start import begin
from ns4d.train.step import Batch, TrainingStep, precision_of
from ns4d.train.teacher import build_teacher

SETTLE_STEPS = 50  # on CUDA; a step that waits for the device costs it a pause


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training left.

    Args:
        folder: The run's folder.
        progress: Final counts, with the best validation accuracy.
    """

    folder: Path
    progress: Progress


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    device: torch.device | None = None,
    start: Checkpoint | None = None,
    teacher: Origin | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint_seconds: float = 60.0,
    tensorboard: bool = False,
    show: bool = True,
) -> TrainingResult:
    """Train, or go on with a training that stopped for whatever reason.

    A run that is killed and started again ends with the weights of an uninterrupted one: bit for
    bit on the same CPU with the same number of threads.

    Args:
        recipe: What to do. A folder with a checkpoint of another recipe is refused.
        dataset: What to learn; its train part is learnt, its validation part selects.
        folder: Where the run is written.
        device: Where to compute; the CPU if None.
        start: The trained network that `recipe.start` names; not needed to go on.
        teacher: The one that `recipe.teacher` names; not needed to go on.
        hooks: Further augmentations of the raw tokens, after those of the recipe.
        checkpoint_seconds: Time between two checkpoints within an epoch.
        tensorboard: Also write TensorBoard event files.
        show: Whether to print progress.

    Returns:
        The folder and the final counts.

    Raises:
        ConfigError: If recipe, data and folder do not fit one another.
        TrainingError: If the loss is not finite, or on Ctrl-C (a checkpoint is saved first).
        ArtefactError: If a checkpoint cannot be read or written.
    """
    device = device or torch.device("cpu")
    _check(recipe, dataset)
    origins = find_origins(recipe, folder, start, teacher)
    keep_freed_memory()
    with (
        join_processes(device) as processes,
        closing(_Session(recipe, dataset, folder, device, origins, hooks, processes)) as session,
        session.journal(tensorboard) as journal,
        session.display(show) as display,
        Interrupt() as interrupt,
    ):
        session.run(journal, display, interrupt, checkpoint_seconds)
    return TrainingResult(folder, session.progress)


def _check(recipe: Recipe, dataset: Dataset) -> None:
    model = recipe.model
    wanted = (dataset.inputs, len(dataset.classes))
    if (model.inputs, model.classes) != wanted:
        raise ConfigError(
            "model",
            expected=f"inputs={wanted[0]} and classes={wanted[1]}, as in {dataset.task}",
            got=f"inputs={model.inputs} and classes={model.classes}",
            fix=f"Set model.inputs={wanted[0]} model.classes={wanted[1]}.",
        )
    order = recipe.permutation
    if order is not None and order.value != dataset.permutation:
        raise ConfigError(
            "permutation",
            expected=f"{dataset.permutation}, the order of the data",
            got=order.value,
            fix="Load the data in the order of the recipe: load_task(..., recipe.permutation).",
        )


class _Session:
    """One process's part of a run: network, optimizer, data, and where it stands."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        folder: Path,
        device: torch.device,
        origins: Origins,
        hooks: Sequence[Hook],
        processes: Processes,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.device, self.processes = recipe, folder, device, processes
        self.network = Network(recipe.model).to(device)
        graph = device.type == "cuda" and processes.count == 1
        self.optimizer = build_optimizer(self.network, recipe.optimizer, graph)
        self.train_part = SplitTensors(dataset.train, dataset.normalization, device)
        self.validation = SplitTensors(dataset.validation, dataset.normalization, device)
        self.hooks = [*dataset_hooks(recipe.augmentation, dataset, device), *hooks]
        self.batch = min(recipe.batch, len(self.train_part))
        self.share = processes.share(self.batch)
        self.per_epoch = len(self.train_part) // self.batch
        self.steps = self.per_epoch * recipe.schedule.epochs
        teacher = build_teacher(recipe, origins.teacher, dataset.digest, device)
        if isinstance(teacher, ExportedTeacher):
            tokens, _, lengths = self.train_part.batch(torch.arange(self.share, device=device))
            precision = precision_of(recipe, device)
            teacher.require_answers(tokens, lengths, recipe.model.classes, precision)
        self.progress = self._resume(dataset.digest, origins)
        self.settled = self.progress.step
        self.settle_steps = SETTLE_STEPS if device.type == "cuda" else 1
        self.order: tuple[int, Tensor] | None = None
        self.latest: Batch | None = None
        self.parallel: nn.Module = processes.wrap(self.network)
        self.training_step = TrainingStep(
            self.parallel, self.optimizer, recipe, device, graph, teacher
        )

    def close(self) -> None:
        """Free the wrapped network while its process group lives.

        Freed after it, it would take the group along while holding Python's lock, and wait for
        the group's thread, which may be waiting for the lock to free its last tensor.
        """
        self.parallel = self.network
        del self.training_step

    def _resume(self, data: str, origins: Origins) -> Progress:
        checkpoint = find_checkpoint(self.folder, self.recipe, data, self.per_epoch)
        if checkpoint is None:
            begin(self.network, self.recipe, origins.start)
            if self.processes.first:
                origins.keep(self.folder)
            return Progress(data=data)
        checkpoint.restore(self.network, self.optimizer)
        return checkpoint.progress

    def journal(self, tensorboard: bool) -> AbstractContextManager[Journal | None]:
        """The record of the run, which only the first process keeps."""
        if not self.processes.first:
            return nullcontext()
        return Journal(self.folder, self.progress.step, tensorboard)

    def display(self, show: bool) -> Display:
        """The progress display of this session; only the first process shows anything."""
        shown = show and self.processes.first
        return Display(self.steps, self.per_epoch, self.progress.step, shown)

    def run(
        self,
        journal: Journal | None,
        display: Display,
        interrupt: Interrupt,
        checkpoint_seconds: float,
    ) -> None:
        """Step until done; checkpoint in between."""
        if journal is not None and self.progress.step < self.steps:
            self._note_start(journal)
        began, saved = time.monotonic() - self.progress.seconds, time.monotonic()
        while self.progress.step < self.steps:
            self._step()
            ends_epoch = self.progress.step % self.per_epoch == 0
            if not ends_epoch and self.progress.step % self.settle_steps:
                continue
            self._settle()
            done = replace(self.progress, seconds=time.monotonic() - began)
            self.progress, seen = done, max(done.seen, 1)
            display.step(done.step, done.loss_sum / seen, done.correct / seen, self.batch)
            if ends_epoch:
                self._end_epoch(journal, display)
            elif time.monotonic() - saved > checkpoint_seconds:
                self._save(LATEST)
                saved = time.monotonic()
            stop = interrupt.requested and self.progress.step < self.steps
            if self.processes.any(stop, self.device):
                self._save(LATEST)
                raise interrupted(self.progress.step, self.steps, self.folder)

    def _step(self) -> None:
        self.latest = batch = self._draw(self.progress.step)
        self.network.train()
        set_rates(self.optimizer, self.recipe.schedule.factor(self.progress.step, self.steps))
        self.training_step(batch)
        self.progress = replace(self.progress, step=self.progress.step + 1)

    def _settle(self) -> None:
        """Bring the counts of the steps since the last time to where they can be read."""
        outcome, now = self.training_step.outcome(), self.progress
        if not outcome.finite:
            raise self._explain(self.settled + outcome.accepted)
        counts = [outcome.loss_sum, float(outcome.correct), float(outcome.seen)]
        loss_sum, correct, seen = self.processes.total(counts, self.device)
        everyone = replace(outcome, loss_sum=loss_sum, correct=int(correct), seen=int(seen))
        self.settled, self.progress = now.step, everyone.added_to(now)

    def _explain(self, step: int) -> TrainingError:
        latest = self.latest if step == self.progress.step - 1 else None
        batch = latest or self._draw(step)
        self.training_step.compute(batch)  # for its gradients; the parameters are frozen
        return non_finite_error(self.network, step, batch[0])

    def _draw(self, step: int) -> Batch:
        epoch, position = divmod(step, self.per_epoch)
        start = position * self.batch + self.processes.rank * self.share
        indices = self._order(epoch)[start : start + self.share]
        seed = step_seed(self.recipe.seed, step, self.processes.rank)
        torch.manual_seed(seed)
        return self.train_part.batch(indices, self.hooks, torch.Generator().manual_seed(seed))

    def _order(self, epoch: int) -> Tensor:
        """The order of an epoch on the device, sent there once."""
        if self.order is None or self.order[0] != epoch:
            order = epoch_order(len(self.train_part), self.recipe.seed, epoch)
            self.order = epoch, torch.tensor(order, device=self.device)
        return self.order[1]

    def _end_epoch(self, journal: Journal | None, display: Display) -> None:
        now = self.progress
        evaluation = evaluate_tensors(self.network, self.validation, 128)
        better = evaluation.accuracy >= now.best_accuracy
        self.progress = replace(
            now,
            loss_sum=0.0,
            correct=0,
            seen=0,
            best_accuracy=evaluation.accuracy if better else now.best_accuracy,
            best_step=now.step if better else now.best_step,
        )
        if journal is not None:
            loss, accuracy = now.loss_sum / now.seen, now.correct / now.seen
            self._record(journal, display, loss, accuracy, evaluation)
        if better:
            self._save(BEST)
        self._save(LATEST)

    def _record(
        self, journal: Journal, display: Display, loss: float, accuracy: float, held: Evaluation
    ) -> None:
        epoch = self.progress.step // self.per_epoch
        journal.write(
            {
                "kind": "epoch",
                "step": self.progress.step,
                "epoch": epoch,
                "train_loss": loss,
                "train_accuracy": accuracy,
                "validation_loss": held.loss,
                "validation_accuracy": held.accuracy,
                "rate": float(self.optimizer.param_groups[1]["lr"]),
                "seconds": self.progress.seconds,
            }
        )
        display.epoch(
            f"epoch {epoch}/{self.recipe.schedule.epochs}  train loss {loss:.4f} accuracy "
            f"{accuracy:.2%}  validation loss {held.loss:.4f} accuracy {held.accuracy:.2%}"
        )

    def _save(self, name: str) -> None:
        if self.processes.first:
            optimizer = self.optimizer if name == LATEST else None
            path = self.folder / name
            save_checkpoint(path, self.recipe, self.progress, self.network, optimizer)

    def _note_start(self, journal: Journal) -> None:
        journal.write(
            {
                "kind": "start",
                "step": self.progress.step,
                "recipe": to_plain(self.recipe),
                "parameters": self.network.parameter_count,
                "device": device_name(self.device),
                "threads": torch.get_num_threads(),
                "processes": self.processes.count,
                "torch": torch.__version__,
                "environment": environment(),
                "progress": asdict(self.progress),
            }
        )


def device_name(device: torch.device) -> str:
    """What computes, for journals."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
