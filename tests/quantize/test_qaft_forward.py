"""QAFT's forward pass is the lowered program: every logit, bit by bit, and it has a gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ns4d.data import Dataset
from ns4d.engines import Machine, Reference
from ns4d.model import ModelConfig, Network
from ns4d.model.config import large, small
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Program
from ns4d.quantize.fake import logits_of
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.forward import Answer, answer, program_accuracy
from ns4d.quantize.options import Options
from ns4d.quantize.ptq import build_program, calibrate
from ns4d.quantize.scales import Scales
from ns4d.quantize.widths import with_widths
from quantize_networks import arithmetics, make_dataset, make_network, plans

NARROW = with_widths(LOIHI2, weight_bits=4, coefficient_bits=8, message_bits=6)
# The widest that a profile may be: what is left of rounding is far below a float32's.
PRECISE = replace(
    WIDE,
    name="precise",
    weight_bits=16,
    message_bits=20,
    coefficient_bits=24,
    multiplier_bits=24,
    accumulator_bits=40,
)


def lowered(
    network: Network, dataset: Dataset, arithmetic: Arithmetic, options: Options | None = None
) -> tuple[Network, Scales, Program]:
    """A network whose parameters have moved since its scales were chosen, and its program."""
    folded = fold_batch_norm(network)
    scales = calibrate(folded, dataset, arithmetic, options, sequences=4)
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return folded, scales, build_program(folded, scales, arithmetic, dataset, {})


def answered(
    network: Network, scales: Scales, program: Program, dataset: Dataset, engine=None
) -> Answer:
    split = dataset.test
    u = torch.from_numpy(program.quantize_input(split.tokens.astype(np.float64)))
    return answer(network, program, scales, u, torch.tensor(split.lengths), engine)


def differences(found: Answer, scales: Scales, program: Program, dataset: Dataset) -> list[str]:
    """How an answer departs from the program, run by the reference, and streamed by the default."""
    split, wrong = dataset.test, []
    tokens = split.tokens.astype(np.float64)
    scores = program.run(tokens, split.lengths, Reference())
    if not np.array_equal(found.scores.numpy(), scores):
        wrong.append("scores of Program.run")
    stream = program.stream()
    after = [stream.step(token) for token in tokens[0, : split.lengths[0]]][-1]
    if not np.array_equal(found.scores[0].numpy(), after):
        wrong.append("scores of the stream")
    score = program.metadata.provenance["score_scale"]
    logits = (scores * score / split.lengths[:, None]).astype(np.float32)
    if not np.array_equal(found.logits.detach().numpy(), logits):
        wrong.append("logits")
    right = (found.logits.argmax(1).numpy() == split.labels).mean()
    if right != program_accuracy(program, split, torch.device("cpu"), batch=2):
        wrong.append("accuracy")
    return wrong


@settings(max_examples=25)
@given(plans, arithmetics, st.booleans(), st.booleans())
def test_every_logit_is_the_programs(plan, arithmetic, fold_b, residual):
    plan = replace(plan, config=replace(plan.config, residual=residual))
    dataset = make_dataset(plan.config, plan.seed, count=4, length=16)
    network, scales, program = lowered(plan.build(), dataset, arithmetic, Options(fold_b=fold_b))
    found = answered(network, scales, program, dataset)
    assert differences(found, scales, program, dataset) == []


TASKS = {"smnist": (small(), 784), "psmnist": (small(), 784), "scifar": (large(), 1024)}


def of_task(task: str, length: int, count: int) -> tuple[ModelConfig, Dataset]:
    """The network of a task with made data; pixels in the order of a permutation for psmnist."""
    config, _ = TASKS[task]
    dataset = make_dataset(config, 1, count=count, length=length)
    if task == "psmnist":
        order = np.random.default_rng(0).permutation(length)
        test = replace(dataset.test, tokens=dataset.test.tokens[:, order])
        dataset = replace(dataset, test=test, permutation="bit-reversal")
    return config, dataset


@pytest.mark.parametrize("arithmetic", [NARROW, LOIHI2, WIDE], ids=lambda a: a.name)
@pytest.mark.parametrize("task", TASKS)
def test_every_logit_is_the_programs_at_the_width_of_each_task(task, arithmetic):
    config, dataset = of_task(task, length=12, count=2)
    network, scales, program = lowered(make_network(config, 0), dataset, arithmetic)
    found = answered(network, scales, program, dataset)
    assert differences(found, scales, program, dataset) == []


@pytest.mark.parametrize("task", TASKS)
def test_every_logit_is_the_programs_at_the_length_of_each_task(task):
    _, length = TASKS[task]
    config, dataset = of_task(task, length, count=1)
    one = replace(dataset, test=dataset.test.select(np.arange(1)))
    network, scales, program = lowered(make_network(config, 0), one, NARROW)
    found = answered(network, scales, program, one)
    assert differences(found, scales, program, one) == []


@final
class OffByOne:
    """The reference engine, with one message of one node larger by one."""

    name, batch = "off by one", 8

    def load(self, program: Program, streams: int) -> Machine:
        return Reference().load(program, streams)

    def trace(self, program: Program, u: np.ndarray) -> dict[str, np.ndarray]:
        sent = Reference().trace(program, u)
        sent[program.nodes[-1].name][0, 3, 0] += 1
        return sent


def test_a_planted_off_by_one_is_seen():
    """The comparison above can fail: one unit in one message of thousands."""
    config, dataset = of_task("smnist", length=12, count=2)
    network, scales, program = lowered(make_network(config, 0), dataset, NARROW)
    found = answered(network, scales, program, dataset, OffByOne())
    assert differences(found, scales, program, dataset)[:3] == [
        "scores of Program.run",
        "scores of the stream",
        "logits",
    ]


def gradients(network: Network, logits: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    network.zero_grad()
    functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def gradient_error(
    config: ModelConfig, seed: int, arithmetic: Arithmetic, fold_b: bool = False
) -> float:
    """How far the gradient is from that of the float network, relative to its length."""
    dataset = make_dataset(config, seed, count=8, length=40)
    network = fold_batch_norm(make_network(config, seed))
    split = dataset.train
    scales = calibrate(network, dataset, arithmetic, Options(fold_b=fold_b), sequences=64)
    program = build_program(network, scales, arithmetic, dataset, {})
    # Half as loud as what calibrates, so that no message is at its limit.
    tokens, lengths = (split.tokens + 128.0) / 2, torch.tensor(split.lengths)
    u = torch.from_numpy(program.quantize_input(tokens))
    found = gradients(
        network, answer(network, program, scales, u, lengths, Reference()).logits, split.labels
    )
    normal = (tokens - dataset.normalization.offset) / dataset.normalization.scale
    exact = network(torch.from_numpy(normal).float(), lengths)
    wanted = gradients(network, exact, split.labels)
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("fold_b", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_approaches_that_of_the_float_network(seed, fold_b, residual):
    """With many bits nothing is left of rounding; with few, something is."""
    config = ModelConfig(
        inputs=2, classes=3, channels=6, modes=4, layers=2, step_max=0.5, residual=residual
    )
    assert gradient_error(config, seed, PRECISE, fold_b) < 2e-4
    assert gradient_error(config, seed, NARROW, fold_b) > 1e-2


@pytest.mark.parametrize("residual", [False, True])
def test_every_parameter_receives_a_gradient(residual):
    config = ModelConfig(
        inputs=1, classes=3, channels=6, modes=4, layers=2, step_max=0.5, residual=residual
    )
    dataset = make_dataset(config, 0, count=8, length=40)
    network, scales, program = lowered(make_network(config, 0), dataset, NARROW)
    answered(network, scales, program, dataset).logits.square().sum().backward()
    silent = [k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_logits_are_doubles_of_scores():
    """A score beyond 2^24 keeps its last bit."""
    scores = torch.tensor([[2**40 + 1, -(2**40)]])
    assert logits_of(scores, 0.5, torch.tensor([4])).tolist() == [[2**37 + 0.125, -(2**37)]]
