"""The forward pass of QAFT: the program's own integers, with the float network's gradient behind.

program   lowered from the present parameters by `ns4d.quantize.ptq.build_program`
messages  of every node, by an engine on the CPU, by `recurrence` on other devices
logits    the program's scores, with the gradient of `fake`
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ns4d.data import Split
from ns4d.engines import Engine
from ns4d.engines.default import default_engine
from ns4d.model import Network
from ns4d.program import Dense, Node, Program, Readout
from ns4d.program.nodes import Add
from ns4d.quantize.fake import (
    Sent,
    sent_by,
    straight_add,
    straight_dense,
    straight_neuron,
    straight_readout,
)
from ns4d.quantize.fidelity import message_units
from ns4d.quantize.recurrence import trace_tensors
from ns4d.quantize.scales import Scales


@dataclass(frozen=True, eq=False)
class Answer:
    """What the program says to a batch.

    Args:
        logits: Scores times the value of their step, over the tokens; they carry the gradient.
        scores: Those of `Program.run`.
    """

    logits: Float[Tensor, "b classes"]
    scores: Int64[Tensor, "b classes"]


def answer(
    network: Network,
    program: Program,
    scales: Scales,
    u: Int64[Tensor, "b l i"],
    lengths: Int64[Tensor, " b"] | None = None,
    engine: Engine | None = None,
) -> Answer:
    """Run a program as the forward pass of the network that it was lowered from.

    Args:
        network: Batch normalization folded; its parameters receive the gradient.
        program: Lowered from it, with these scales.
        scales: What the integers stand for.
        u: Messages from the program's input quantizer, on the network's device.
        lengths: Valid tokens per sequence; all of them if None.
        engine: What computes on the CPU; the default engine if None.

    Returns:
        Logits and scores.
    """
    ends = torch.full((len(u),), u.shape[1], device=u.device) if lengths is None else lengths
    messages = trace_messages(program, u, engine)
    dtype = network.encoder.weight.dtype
    before = Sent(scales.token.scale, u.mT.to(dtype) * scales.token.scale)
    sent: dict[str, Sent] = {}
    units = message_units(scales)
    for node in program.nodes:
        after = sent_by(node.descale, units[node.name], messages[node.name], dtype)
        values = _straight(network, node, before, sent, after)
        before = sent[node.name] = Sent(after.step, values)
    scores = readout_scores(program.readout, messages[program.nodes[-1].name], ends)
    logits = straight_readout(program.readout, network.decoder, before, scales.score, scores, ends)
    return Answer(logits, scores)


def trace_messages(
    program: Program, u: Int64[Tensor, "b l i"], engine: Engine | None = None
) -> dict[str, Int64[Tensor, "b l _"]]:
    """What every node sends: by an engine on the CPU, by `trace_tensors` elsewhere.

    Args:
        program: What to run.
        u: Messages that have been admitted.
        engine: What computes on the CPU; the default engine if None.
    """
    if u.device.type != "cpu":
        return trace_tensors(program, u)
    sent = (engine or default_engine()).trace(program, u.numpy())
    return {name: torch.from_numpy(m) for name, m in sent.items()}


def readout_scores(
    node: Readout, m: Int64[Tensor, "b l i"], lengths: Int64[Tensor, " b"]
) -> Int64[Tensor, "b classes"]:
    """(6) after the last token of each sequence.

    Args:
        node: The read-out.
        m: The messages that enter it.
        lengths: T of each sequence.
    """
    valid = torch.arange(m.shape[1], device=m.device) < lengths[:, None]
    total = (m * valid[..., None]).sum(1)
    weight, bias = (torch.tensor(part, device=m.device) for part in (node.weight, node.bias))
    # Not a matrix product: CUDA has none for int64.
    return (weight * total[:, None]).sum(-1) + bias * lengths[:, None]


def program_accuracy(
    program: Program,
    split: Split,
    device: torch.device,
    engine: Engine | None = None,
    batch: int = 64,
) -> float:
    """Fraction of the sequences of a split that a program decides rightly.

    Args:
        program: What to run.
        split: Raw sequences.
        device: Where to compute.
        engine: What computes on the CPU; the default engine if None.
        batch: Sequences at a time.
    """
    correct = 0
    for start in range(0, len(split), batch):
        part = slice(start, start + batch)
        u = program.quantize_input(split.tokens[part].astype(np.float64))
        messages = trace_messages(program, torch.from_numpy(u).to(device), engine)
        lengths = torch.tensor(split.lengths[part], device=device)
        scores = readout_scores(program.readout, messages[program.nodes[-1].name], lengths)
        correct += int((scores.cpu().numpy().argmax(1) == split.labels[part]).sum())
    return correct / len(split)


def _straight(
    network: Network, node: Node, before: Sent, sent: dict[str, Sent], after: Sent
) -> Float[Tensor, "b o l"]:
    if isinstance(node, Add):
        return straight_add(node, before, sent[node.source], after)
    layer, _, _ = node.name.partition(".")
    if isinstance(node, Dense):
        linear = network.encoder if layer == "encoder" else _layer(network, layer).linear
        return straight_dense(node, linear, before, after)
    return straight_neuron(node, _layer(network, layer).ssm, before, after)


def _layer(network: Network, name: str):
    return network.stack[int(name.removeprefix("layer"))]
