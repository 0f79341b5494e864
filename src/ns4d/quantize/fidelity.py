"""Float against integer, node by node: where precision is lost.

    snr   10 log10( Σ v² / Σ (v - m s)² )  dB     v the float network's value, m s the message   (1)
    drop  snr of the node's input - snr of the node                                              (2)

Both networks see the same tokens, each in its own way through all nodes, so (1) holds all errors up
to the node and (2) is what the node itself adds. A node that clips or rounds too much stands out
by its drop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from ns4d.data import Split
from ns4d.engines import Engine, trace
from ns4d.model import Network
from ns4d.model.layer import MIXERS, NONLINEARITIES, mix_channels
from ns4d.program import Program
from ns4d.quantize.dense import double
from ns4d.quantize.scales import Scales

# What is reported where no error is seen at all.
EXACT_DB = 200.0


@dataclass(frozen=True)
class NodeFidelity:
    """One node.

    Args:
        name: The node; 'input' for the quantized tokens, 'readout' for the scores.
        snr_db: (1).
        drop_db: (2); 0 for the input.
    """

    name: str
    snr_db: float
    drop_db: float


def fidelity(
    folded: Network,
    scales: Scales,
    program: Program,
    split: Split,
    engine: Engine | None = None,
) -> tuple[NodeFidelity, ...]:
    """Compare a program with the network it was lowered from.

    Args:
        folded: From `fold_batch_norm`.
        scales: With which it was lowered.
        program: The result.
        split: Raw sequences; padding does not count.
        engine: What runs the program; the default engine if None.

    Returns:
        The input, the nodes in order, the read-out.
    """
    tokens = split.tokens.astype(np.float64)
    valid = np.arange(tokens.shape[1]) < split.lengths[:, None]
    exact = float_messages(folded, tokens_to_float(program, scales, tokens))
    units = message_units(scales)
    sent = trace(program, tokens, engine) | {"input": program.quantize_input(tokens)}
    found, before = [], 0.0
    for name, values in exact.items():
        ratio = _snr(values, sent[name] * units[name], valid)
        found.append(NodeFidelity(name, ratio, before - ratio if found else 0.0))
        before = ratio
    last = list(exact)[-1]
    ends = split.lengths[:, None]
    scores = program.run(tokens, split.lengths, engine) * scales.score / ends
    total = (exact[last] * valid[..., None]).sum(1) / ends
    logits = total @ double(folded.decoder.weight).T + double(folded.decoder.bias)
    ratio = _snr(logits, scores, np.ones(len(logits), bool))
    return (*found, NodeFidelity("readout", ratio, before - ratio))


def worst_node(nodes: tuple[NodeFidelity, ...]) -> NodeFidelity:
    """The node with the largest drop; the first one at a tie."""
    return max(nodes[1:], key=lambda node: node.drop_db)


def tokens_to_float(
    program: Program, scales: Scales, tokens: Float[np.ndarray, "b l i"]
) -> Float[np.ndarray, "b l i"]:
    """Normalized tokens, without the rounding of the input quantizer."""
    unit = program.input.scale / scales.token.scale
    return (tokens - program.input.offset) / unit


@torch.no_grad()
def float_messages(
    folded: Network, tokens: Float[np.ndarray, "b l i"]
) -> dict[str, Float[np.ndarray, "b l _"]]:
    """What the float network computes where a program has a node, by the node's name."""
    u = torch.from_numpy(tokens).to(folded.encoder.weight.dtype).mT
    h = mix_channels(folded.encoder, u)
    values = {"input": tokens, "encoder": _last(h)}
    for index, layer in enumerate(folded.stack):
        z = NONLINEARITIES[layer.config.nonlinearity](layer.ssm(h))
        m = MIXERS[layer.config.mixer](mix_channels(layer.linear, z))
        values[f"layer{index}.s4d"], values[f"layer{index}.linear"] = _last(z), _last(m)
        h = m + h if layer.config.residual else m
        if layer.config.residual:
            values[f"layer{index}.add"] = _last(h)
    return values


def message_units(scales: Scales) -> dict[str, float]:
    """The value of one step of each node's messages, by its name."""
    units = {"input": scales.token.scale, "encoder": scales.encoder.sent.scale}
    for index, layer in enumerate(scales.layers):
        units[f"layer{index}.s4d"] = layer.neuron.sent.scale
        units[f"layer{index}.linear"] = layer.linear.sent.scale
        if layer.add is not None:
            units[f"layer{index}.add"] = layer.add.scale
    return units


def _snr(
    exact: Float[np.ndarray, "..."],
    found: Float[np.ndarray, "..."],
    valid: Bool[np.ndarray, "..."],
) -> float:
    signal = (exact[valid] ** 2).sum()
    noise = ((exact - found)[valid] ** 2).sum()
    if noise == 0:
        return EXACT_DB
    return float(10 * np.log10(signal / noise)) if signal > 0 else -EXACT_DB


def _last(values: torch.Tensor) -> Float[np.ndarray, "b l _"]:
    return values.mT.double().numpy()
