"""Post-training quantization: a trained network in, an integer program out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ns4d.data import Dataset
from ns4d.model import Network
from ns4d.numerics import LOIHI2, Arithmetic
from ns4d.program import InputQuantizer, Metadata, Program
from ns4d.program.metadata import Scalar
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.lower import Lowering
from ns4d.quantize.observe import observe
from ns4d.train.batches import SplitTensors

CALIBRATION_SEED = 0


def post_training_quantize(
    network: Network,
    dataset: Dataset,
    arithmetic: Arithmetic = LOIHI2,
    *,
    sequences: int = 64,
    provenance: Mapping[str, Scalar] | None = None,
) -> Program:
    """Quantize without training.

    Args:
        network: The trained network.
        dataset: Its task; calibration data come from the train part.
        arithmetic: Widths and roundings of the program.
        sequences: How many sequences calibrate the scales.
        provenance: Where the network comes from; stored in the program.

    Returns:
        A program whose accumulators are proved free of overflow; its states saturate.

    Raises:
        ConfigError: If the network has parts that no integer node expresses.
    """
    folded = fold_batch_norm(network)
    ranges = observe(folded, *_calibration_tokens(dataset, sequences))
    lowering = Lowering(folded, ranges, arithmetic)
    nodes, sent = lowering.nodes()
    readout, score_scale = lowering.readout(sent)
    normalization = dataset.normalization
    return Program(
        arithmetic,
        InputQuantizer(normalization.offset, normalization.scale * lowering.token_scale),
        nodes,
        readout,
        Metadata(
            dataset.task,
            dataset.classes,
            {
                **(provenance or {}),
                "permutation": dataset.permutation,
                "calibration_sequences": ranges.sequences,
                "score_scale": score_scale,
            },
        ),
    )


def _calibration_tokens(
    dataset: Dataset, sequences: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Normalized tokens of a fixed random choice of training sequences, with their lengths."""
    count = min(sequences, len(dataset.train))
    chosen = np.random.default_rng(CALIBRATION_SEED).permutation(len(dataset.train))[:count]
    part = SplitTensors(dataset.train.select(chosen), dataset.normalization, torch.device("cpu"))
    tokens, _, lengths = part.batch(torch.arange(count))
    return tokens, lengths
