"""Streaming a split: the same scores as one stream at a time, and honest counts."""

from __future__ import annotations

import numpy as np
import pytest

from ns4d.data import Split
from ns4d.model import ModelConfig
from ns4d.quantize import agreement, post_training_quantize, stream_split
from quantize_networks import make_dataset, make_network

CONFIG = ModelConfig(inputs=2, classes=3, channels=4, modes=3, layers=1)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_batches_give_the_scores_of_single_streams(batch: int) -> None:
    dataset = make_dataset(CONFIG, count=15)
    program = post_training_quantize(make_network(CONFIG, seed=0), dataset)
    split = dataset.test
    scores = stream_split(program, split, batch=batch)
    stream = program.stream()
    for row, tokens, length in zip(scores, split.tokens, split.lengths, strict=True):
        stream.reset()
        for token in tokens[:length].astype(float):
            last = stream.step(token)
        assert (row == last).all()


def test_progress_reaches_the_end() -> None:
    dataset = make_dataset(CONFIG, count=15)
    program = post_training_quantize(make_network(CONFIG, seed=0), dataset)
    seen: list[tuple[int, int]] = []
    stream_split(program, dataset.test, batch=4, progress=lambda *pair: seen.append(pair))
    assert [done for done, _ in seen] == [4, 8, 12, 16, 17]
    assert {total for _, total in seen} == {17}


def test_agreement_counts() -> None:
    split = Split(np.zeros((4, 5, 1), np.uint8), np.array([0, 1, 1, 0]), np.array([5, 4, 3, 2]))
    logits = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
    scores = np.array([[9, 0], [0, 9], [0, 9], [0, 9]])
    counts = agreement(logits, scores, split)
    assert (counts.sequences, counts.tokens) == (4, 14)
    assert (counts.float_correct, counts.integer_correct, counts.equal) == (2, 3, 3)
    assert (counts.float_accuracy, counts.integer_accuracy, counts.agreement) == (0.5, 0.75, 0.75)
