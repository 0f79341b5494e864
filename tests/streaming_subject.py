"""A network small enough to benchmark within a test, shared by the tests of streaming."""

from __future__ import annotations

from dataclasses import replace

import torch

from ns4d.bench.streaming import Plan
from ns4d.bench.streaming_subjects import Subject, build_subject, random_data
from ns4d.model import ModelConfig, Network, Norm

CONFIG = ModelConfig(inputs=2, classes=3, channels=6, modes=4, layers=2)
LENGTH = 24
PLAN = Plan(
    heat_rounds=1,
    rounds=1,
    long_rounds=2,
    sequences=2,
    blocks=2,
    streams=5,
    stream_tokens=3,
    batch=3,
    compiled=False,
)


def tiny_network(seed: int = 0, norm: Norm = Norm.NONE) -> Network:
    torch.manual_seed(seed)
    network = Network(replace(CONFIG, norm=norm))
    with torch.no_grad():
        network(torch.randn(4, LENGTH, CONFIG.inputs))  # batch normalization sees some statistics
    return network.eval()


def tiny_subject(norm: Norm = Norm.NONE) -> Subject:
    data, network = random_data(CONFIG, LENGTH, count=4), tiny_network(norm=norm)
    return build_subject("tiny", "random", "random bytes", network, data, PLAN.sequences)
