"""Post-training quantization: a trained network in, an integer program out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ns4d.data import Dataset, Split
from ns4d.model import Network
from ns4d.numerics import LOIHI2, Arithmetic
from ns4d.program import InputQuantizer, Metadata, Program
from ns4d.program.metadata import Scalar
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.lower import choose_scales, lower
from ns4d.quantize.observe import observe
from ns4d.quantize.options import Options
from ns4d.quantize.scales import Scales
from ns4d.train.batches import SplitTensors

CALIBRATION_SEED = 0
SEQUENCES = 64  # that calibrate, if nobody says how many


@dataclass(frozen=True)
class Quantized:
    """A program with what it was made from.

    Args:
        folded: The network without batch norm.
        scales: Chosen for it.
        program: Built from both.
    """

    folded: Network
    scales: Scales
    program: Program


def post_training_quantize(
    network: Network,
    dataset: Dataset,
    arithmetic: Arithmetic = LOIHI2,
    options: Options | None = None,
    *,
    sequences: int = SEQUENCES,
    provenance: Mapping[str, Scalar] | None = None,
) -> Program:
    """Quantize without training.

    Args:
        network: The trained network.
        dataset: Its task; calibration data come from the train part.
        arithmetic: Widths and roundings of the program.
        options: How scales are chosen; the defaults of `Options` if None.
        sequences: How many sequences calibrate the scales.
        provenance: Where the network comes from; stored in the program, with `calibration_facts`
            and `noted_options`.

    Returns:
        A program whose accumulators are proved free of overflow, and its states of saturation
        if the options ask for that.

    Raises:
        ConfigError: If the network has parts that no integer node expresses.
        RangeError: If the states cannot be certified.
    """
    options, provenance = options or Options(), provenance or {}
    return quantize_keeping(network, dataset, arithmetic, options, sequences, provenance).program


def quantize_keeping(
    network: Network,
    dataset: Dataset,
    arithmetic: Arithmetic,
    options: Options,
    sequences: int,
    provenance: Mapping[str, Scalar],
) -> Quantized:
    """`post_training_quantize`, with what that throws away: for those who inspect a program.

    Args:
        network, dataset, arithmetic, options, sequences, provenance: As there.

    Raises:
        ConfigError: If the network has parts that no integer node expresses.
        RangeError: If the states cannot be certified.
    """
    folded = fold_batch_norm(network)
    scales = calibrate(folded, dataset, arithmetic, options, sequences)
    noted = calibration_facts(dataset, sequences) | noted_options(options, arithmetic)
    facts = {**provenance, **noted}
    return Quantized(folded, scales, build_program(folded, scales, arithmetic, dataset, facts))


def calibrate(
    folded: Network,
    dataset: Dataset,
    arithmetic: Arithmetic = LOIHI2,
    options: Options | None = None,
    sequences: int = SEQUENCES,
) -> Scales:
    """Choose the scales of a network from sequences of the train part.

    Args:
        folded: From `fold_batch_norm`.
        dataset, arithmetic, options, sequences: As in `post_training_quantize`.

    Raises:
        ConfigError: If the network has parts that no integer node expresses.
    """
    options = options or Options()
    tokens, lengths = calibration_tokens(dataset, sequences)
    ranges = observe(folded, tokens, lengths, options, arithmetic)
    return choose_scales(folded, ranges, arithmetic, options)


def build_program(
    folded: Network,
    scales: Scales,
    arithmetic: Arithmetic,
    dataset: Dataset,
    provenance: Mapping[str, Scalar],
) -> Program:
    """A program from a network and scales: `lower`, with the input quantizer of the task.

    Args:
        folded: From `fold_batch_norm`.
        scales: From `calibrate`, for this network or for an earlier state of it.
        arithmetic: Widths and roundings.
        dataset: The task: its normalization, its classes.
        provenance: Stored in the program, with the value of one score step.
    """
    nodes, readout = lower(folded, scales, arithmetic)
    normalization = dataset.normalization
    facts = {
        **provenance,
        "permutation": dataset.permutation,
        "score_scale": scales.score,
    }
    return Program(
        arithmetic,
        InputQuantizer(normalization.offset, normalization.scale * scales.token.scale),
        nodes,
        readout,
        Metadata(dataset.task, dataset.classes, facts),
    )


def calibration_facts(dataset: Dataset, sequences: int) -> dict[str, Scalar]:
    """What a program says about its calibration."""
    return {"calibration_sequences": min(sequences, len(dataset.train))}


def noted_options(options: Options | None, arithmetic: Arithmetic) -> dict[str, Scalar]:
    """What a program says about its options; those that change nothing go without saying.

    Args:
        options, arithmetic: As in `post_training_quantize`.

    Returns:
        Nothing for the defaults, whose programs keep their digests so; else the text of all.
    """
    usual, chosen = Options(), options or Options()
    if chosen.certifies(arithmetic) == usual.certifies(arithmetic):
        chosen = replace(chosen, certified=None)
    return {} if chosen == usual else {"options": repr(chosen)}


def calibration_split(dataset: Dataset, sequences: int) -> Split:
    """A fixed random choice of training sequences; all of them if there are fewer."""
    count = min(sequences, len(dataset.train))
    chosen = np.random.default_rng(CALIBRATION_SEED).permutation(len(dataset.train))[:count]
    return dataset.train.select(chosen)


def calibration_tokens(
    dataset: Dataset, sequences: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Normalized tokens of `calibration_split`, with their lengths; None if all are equal."""
    split = calibration_split(dataset, sequences)
    part = SplitTensors(split, dataset.normalization, torch.device("cpu"))
    tokens, _, lengths = part.batch(torch.arange(len(split)))
    return tokens, lengths
