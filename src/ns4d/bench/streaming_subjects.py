"""What the streaming benchmark runs: a network of one size, its programs, real tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64

from ns4d.data import Dataset, Normalization, Split, load_task
from ns4d.data.tasks import DATA_VARIABLE
from ns4d.engines import Reference
from ns4d.model import ModelConfig, Network
from ns4d.model.config import large, small
from ns4d.numerics import PROFILES, Arithmetic
from ns4d.program import Program
from ns4d.quantize import fold_batch_norm, post_training_quantize
from ns4d.quantize.options import Options
from ns4d.train import load_network

CALIBRATION_SEQUENCES = 16


@dataclass(frozen=True)
class Size:
    """A size of the paper with the task that it was made for.

    Args:
        name: `small` or `large`.
        model: The configuration.
        task: Its task; also the folder of a trained network below `benchmarks/results`.
        length: Tokens per sequence.
    """

    name: str
    model: ModelConfig
    task: str
    length: int


SIZES = (Size("small", small(), "smnist", 784), Size("large", large(), "scifar", 1024))


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with everything that its contests need.

    Args:
        size: Name of the size.
        weights: `random` or `trained`.
        data: Where the tokens come from.
        network: Float32, in evaluation mode, without batch normalization.
        tokens: Raw tokens; every contest draws from these sequences.
        normalized: The same as the float network wants them.
        programs: Label -> integer program.
    """

    size: str
    weights: str
    data: str
    network: Network
    tokens: Float[np.ndarray, "b l i"]
    normalized: Float[torch.Tensor, "b l i"]
    programs: Mapping[str, Program]

    @cached_property
    def scores(self) -> dict[str, Int64[np.ndarray, "b classes"]]:
        """Label -> scores after the whole of every sequence, as the definition says."""
        return {
            label: definition(program, self.tokens)[:, -1]
            for label, program in self.programs.items()
        }


def definition(
    program: Program, raw: Float[np.ndarray, "b l i"]
) -> Int64[np.ndarray, "b l classes"]:
    """The scores after every token as `Reference` computes them."""
    u = program.quantize_input(raw)
    return Reference().load(program, len(u)).advance(u)


def subjects(
    size: Size, dataset: Dataset, data: str, results: Path, sequences: int
) -> Iterator[Subject]:
    """The subjects of one size: random weights, then trained ones if a record has them.

    Args:
        size: Which.
        dataset: Its data, real or made up.
        data: What they are called in the record.
        results: Folder of the records.
        sequences: How many test sequences are drawn.
    """
    torch.manual_seed(0)
    yield build_subject(size.name, "random", data, Network(size.model), dataset, sequences)
    if (results / size.task / "best.safetensors").exists():
        network, _ = load_network(results / size.task)
        yield build_subject(size.name, "trained", data, network, dataset, sequences)


def build_subject(
    size: str, weights: str, data: str, network: Network, dataset: Dataset, sequences: int
) -> Subject:
    """Quantize a network for every variant; take test sequences, which select nothing here.

    Batch normalization is folded for the float contestants as for the programs.
    """
    network = fold_batch_norm(network)
    tokens = dataset.test.tokens[:sequences].astype(np.float64)
    scaled = (tokens - dataset.normalization.offset) / dataset.normalization.scale
    programs = {
        label: post_training_quantize(
            network, dataset, arithmetic, options, sequences=CALIBRATION_SEQUENCES
        )
        for label, (arithmetic, options) in variants().items()
    }
    normalized = torch.from_numpy(scaled).float()
    return Subject(size, weights, data, network, tokens, normalized, programs)


def variants() -> dict[str, tuple[Arithmetic, Options]]:
    """Label -> profile with options: the default form of B, and the other one."""
    usual = Options()
    other = replace(usual, fold_b=not usual.fold_b)
    form = "B in C" if other.fold_b else "B kept"
    return {
        label: (arithmetic, options)
        for name, arithmetic in PROFILES.items()
        for label, options in ((name, usual), (f"{name}, {form}", other))
    }


def load_data(size: Size, data_dir: Path | None) -> tuple[Dataset, str]:
    """The task's data where a folder with data sets is named, else random bytes.

    A benchmark downloads nothing.
    """
    if data_dir is not None or os.environ.get(DATA_VARIABLE):
        return load_task(size.task, data_dir), f"{size.task} test"
    return random_data(size.model, size.length), "random bytes"


def random_data(model: ModelConfig, length: int, count: int = 32) -> Dataset:
    """Bytes without meaning, of the right shape."""
    random = np.random.default_rng(0)

    def split() -> Split:
        tokens = random.integers(0, 256, (count, length, model.inputs), np.uint8)
        labels = random.integers(0, model.classes, count)
        return Split(tokens, labels, np.full(count, length))

    halves = np.full(model.inputs, 127.5)
    classes = tuple(f"class {k}" for k in range(model.classes))
    return Dataset("random", split(), split(), split(), Normalization(halves, halves), classes)
