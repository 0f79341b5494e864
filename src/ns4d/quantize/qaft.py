"""Quantization-aware fine-tuning: a training whose forward pass is the integer program.

At every step the float parameters are lowered with the scales chosen at the start, the program
answers the batch, and the float network behind it receives the gradient (`forward`, `fake`).

A run is a folder as in `ns4d.train.loop`, with `qaft.json` beside it. `best.safetensors` is the
network whose program was best on the validation part. The test part is never looked at.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ns4d.data import Dataset
from ns4d.engines import Engine
from ns4d.environment import environment
from ns4d.errors import ConfigError, RangeError
from ns4d.model import Network
from ns4d.program import Program
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.forward import Answer, answer, program_accuracy
from ns4d.quantize.ptq import build_program, calibrate
from ns4d.quantize.qaft_folder import claim_folder
from ns4d.quantize.qaft_recipe import QaftRecipe
from ns4d.train.allocator import keep_freed_memory
from ns4d.train.augment import dataset_hooks
from ns4d.train.batches import SplitTensors, epoch_order, step_seed
from ns4d.train.checkpoint import (
    BEST,
    LATEST,
    Progress,
    load_checkpoint,
    network_digest,
    save_checkpoint,
)
from ns4d.train.diagnose import first_non_finite, non_finite_error
from ns4d.train.display import Display
from ns4d.train.evaluate import evaluate_tensors
from ns4d.train.interrupt import Interrupt, interrupted
from ns4d.train.journal import Journal
from ns4d.train.loop import device_name
from ns4d.train.optimizer import build_optimizer, set_rates
from ns4d.train.resume import find_checkpoint
from ns4d.train.step import TrainingStep
from ns4d.train.teacher import divergence

REMEDY = "Lower --rate (a tenth is a good start), and fine-tune again."


@dataclass(frozen=True)
class QaftResult:
    """What a finished fine-tuning left, with accuracies on the validation part.

    Args:
        program: The program of the selected network.
        progress: Final counts.
        float_accuracy: Of the float network that it started from.
        start_accuracy: Of the program before the first step, with the scales of QAFT.
    """

    program: Program
    progress: Progress
    float_accuracy: float
    start_accuracy: float

    @property
    def accuracy(self) -> float:
        """Of the selected program."""
        return self.progress.best_accuracy


def quantization_aware_fine_tune(
    network: Network,
    dataset: Dataset,
    recipe: QaftRecipe,
    folder: Path,
    *,
    device: torch.device | None = None,
    engine: Engine | None = None,
    checkpoint_seconds: float = 60.0,
    show: bool = True,
) -> QaftResult:
    """Fine-tune, or go on with a fine-tuning that stopped for whatever reason.

    Args:
        network: The float network, which is not changed.
        dataset: Its task; the train part is learnt, the validation part selects.
        recipe: What to do.
        folder: Where the run is written.
        device: Where to compute; the CPU if None.
        engine: What runs the program on the CPU; the default engine if None. No engine changes
            a result.
        checkpoint_seconds: Time between two checkpoints within an epoch.
        show: Whether to print progress.

    Returns:
        The selected program, with the accuracies that led to it.

    Raises:
        ConfigError: If network, recipe, data and folder do not fit one another.
        TrainingError: If the loss is not finite, or on Ctrl-C (a checkpoint is saved first).
        ArtefactError: If a checkpoint cannot be read or written.
    """
    _require_origin(network, recipe)
    claim_folder(folder, recipe)
    keep_freed_memory()
    session = _Session(network, dataset, recipe, folder, device or torch.device("cpu"), engine)
    with (
        Journal(folder, session.progress.step) as journal,
        Display(session.steps, session.per_epoch, session.progress.step, show) as display,
        Interrupt() as interrupt,
    ):
        return session.run(journal, display, interrupt, checkpoint_seconds)


def _require_origin(network: Network, recipe: QaftRecipe) -> None:
    digest = network_digest(network)
    if digest != recipe.origin:
        raise ConfigError(
            "qaft.origin",
            expected=f"the network of the recipe (digest {recipe.origin[:12]})",
            got=f"another one (digest {digest[:12]})",
            fix="Build the recipe with qaft_recipe from this network.",
        )


class _Session:
    """A run: network, teacher, scales, optimizer, data, and where it stands."""

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        recipe: QaftRecipe,
        folder: Path,
        device: torch.device,
        engine: Engine | None,
    ) -> None:
        self.dataset, self.recipe, self.folder = dataset, recipe, folder
        self.device, self.engine = device, engine
        folded = fold_batch_norm(network)
        # One bit of the accumulator is left to what training adds to the parameters.
        room = replace(recipe.arithmetic, accumulator_bits=recipe.arithmetic.accumulator_bits - 1)
        self.scales = calibrate(folded, dataset, room, recipe.options, recipe.sequences)
        self.teacher = folded.to(device).requires_grad_(False)
        self.network = fold_batch_norm(network).to(device)
        self.optimizer = build_optimizer(self.network, recipe.training.optimizer)
        self.train_part = SplitTensors(dataset.train, dataset.normalization, device)
        self.hooks = dataset_hooks(recipe.training.augmentation, dataset, device)
        self.batch = min(recipe.training.batch, len(self.train_part))
        self.per_epoch = len(self.train_part) // self.batch
        self.steps = self.per_epoch * recipe.training.schedule.epochs
        self.progress = self._resume()
        self.training_step = TrainingStep(
            self.network, self.optimizer, recipe.training, device, graph=False
        )

    def _resume(self) -> Progress:
        data = self.dataset.digest
        checkpoint = find_checkpoint(self.folder, self.recipe.training, data, self.per_epoch)
        if checkpoint is None:
            return Progress(data=data)
        checkpoint.restore(self.network, self.optimizer)
        return checkpoint.progress

    def run(
        self, journal: Journal, display: Display, interrupt: Interrupt, checkpoint_seconds: float
    ) -> QaftResult:
        """Step until done; checkpoint in between."""
        start = self._start(journal)
        began, saved = time.monotonic() - self.progress.seconds, time.monotonic()
        while self.progress.step < self.steps:
            self._step()
            done = self.progress = replace(self.progress, seconds=time.monotonic() - began)
            display.step(done.step, done.loss_sum / done.seen, done.correct / done.seen, self.batch)
            if done.step % self.per_epoch == 0:
                self._end_epoch(journal, display)
            elif time.monotonic() - saved > checkpoint_seconds:
                self._save(LATEST)
                saved = time.monotonic()
            if interrupt.requested and self.progress.step < self.steps:
                self._save(LATEST)
                raise interrupted(self.progress.step, self.steps, self.folder)
        return self._result(start)

    def _start(self, journal: Journal) -> dict[str, Any]:
        """Accuracies before the first step: measured once, then read from the journal."""
        for record in journal.records:
            if record["kind"] == "start":
                return record
        held = SplitTensors(self.dataset.validation, self.dataset.normalization, self.device)
        record = {
            "kind": "start",
            "step": 0,
            "recipe": self.recipe.plain(),
            "device": device_name(self.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "environment": environment(),
            "float_accuracy": evaluate_tensors(self.teacher, held, 128).accuracy,
            "start_accuracy": self._accuracy(self.teacher),
            "progress": asdict(self.progress),
        }
        journal.write(record)
        return record

    def _step(self) -> None:
        step, training = self.progress.step, self.recipe.training
        epoch, position = divmod(step, self.per_epoch)
        order = epoch_order(len(self.train_part), training.seed, epoch)
        chosen = order[position * self.batch : (position + 1) * self.batch]
        indices = torch.tensor(chosen, device=self.device)
        random = torch.Generator().manual_seed(step_seed(training.seed, step, 0))
        raw, labels, lengths = self.train_part.raw(indices, self.hooks, random)
        found = self.answer(raw, lengths)
        loss = self._loss(found.logits, labels, raw, lengths)
        set_rates(self.optimizer, training.schedule.factor(step, self.steps))
        self.training_step.learn(loss, found.logits, labels)
        outcome = self.training_step.outcome()
        if not outcome.finite:
            tokens = self.train_part.normalize(raw)
            raise non_finite_error(self.network, step, tokens, REMEDY)
        self.progress = outcome.added_to(replace(self.progress, step=step + 1))

    def answer(self, raw: Tensor, lengths: Tensor | None) -> Answer:
        """The program of the present parameters, on raw sequences."""
        program = self._program(self.network)
        # Integers would be taken for messages, raw bytes are not: make them real numbers.
        u = torch.from_numpy(program.quantize_input(raw.double().cpu().numpy())).to(self.device)
        return answer(self.network, program, self.scales, u, lengths, self.engine)

    def _program(self, network: Network) -> Program:
        try:
            return build_program(network, self.scales, self.recipe.arithmetic, self.dataset, {})
        except RangeError as error:  # parameters that ran away have no integers
            first = torch.zeros(1, dtype=torch.int64, device=self.device)
            raw, _, _ = self.train_part.raw(first, self.hooks, torch.Generator())
            tokens = self.train_part.normalize(raw)
            if first_non_finite(network, tokens) is None:
                raise
            raise non_finite_error(network, self.progress.step, tokens, REMEDY) from error

    def _accuracy(self, network: Network) -> float:
        held, program = self.dataset.validation, self._program(network)
        return program_accuracy(program, held, self.device, self.engine)

    def _loss(self, logits: Tensor, labels: Tensor, raw: Tensor, lengths: Tensor | None) -> Tensor:
        smoothing = self.recipe.training.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        if self.recipe.distillation == 0:
            return loss
        with torch.no_grad():
            wanted = self.teacher(self.train_part.normalize(raw), lengths)
        return loss + self.recipe.distillation * divergence(logits, wanted)

    def _end_epoch(self, journal: Journal, display: Display) -> None:
        now, accuracy = self.progress, self._accuracy(self.network)
        better = accuracy >= now.best_accuracy
        best, step = (accuracy, now.step) if better else (now.best_accuracy, now.best_step)
        self.progress = replace(
            now, loss_sum=0.0, correct=0, seen=0, best_accuracy=best, best_step=step
        )
        record = {
            "kind": "epoch",
            "step": now.step,
            "epoch": now.step // self.per_epoch,
            "train_loss": now.loss_sum / now.seen,
            "train_accuracy": now.correct / now.seen,
            "validation_accuracy": accuracy,
            "rate": self.optimizer.param_groups[1]["lr"],
            "seconds": now.seconds,
        }
        journal.write(record)
        display.epoch(
            f"epoch {record['epoch']}/{self.recipe.training.schedule.epochs}  train loss "
            f"{record['train_loss']:.4f} accuracy {record['train_accuracy']:.2%}  validation "
            f"accuracy {accuracy:.2%} (integers)"
        )
        if better:
            self._save(BEST)
        self._save(LATEST)

    def _save(self, name: str) -> None:
        optimizer = self.optimizer if name == LATEST else None
        path, training = self.folder / name, self.recipe.training
        save_checkpoint(path, training, self.progress, self.network, optimizer)

    def _result(self, start: dict[str, Any]) -> QaftResult:
        best = load_checkpoint(self.folder / BEST).build_network()
        facts = {
            "network": self.recipe.origin,
            "tuned_network": network_digest(best),
            "seed": self.recipe.training.seed,
            "calibration_sequences": min(self.recipe.sequences, len(self.dataset.train)),
            "qaft": json.dumps(self.recipe.plain(), sort_keys=True),
        }
        program = build_program(best, self.scales, self.recipe.arithmetic, self.dataset, facts)
        return QaftResult(program, self.progress, start["float_accuracy"], start["start_accuracy"])
