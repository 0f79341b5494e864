"""Training on a GPU: everything random included, resumed, and read where there is none."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from ns4d.errors import TrainingError
from ns4d.model import Network, Norm
from ns4d.train import evaluate, load_network, train
from ns4d.train.optimizer import build_optimizer
from ns4d.train.step import TrainingStep
from train.runs import epochs, latest
from train.tiny import restless_recipe, tiny_dataset, tiny_model, tiny_recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CUDA = torch.device("cuda")


@pytest.mark.parametrize("bfloat16", [False, True])
def test_an_interrupted_training_goes_on(tmp_path, bfloat16):
    """The same to rounding: the GPU may add in another order. It stops at the epoch's end."""
    calls = []

    def interrupt_once(tokens, generator):
        calls.append(tokens.device.type)
        if len(calls) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return tokens

    recipe, dataset = restless_recipe(bfloat16=bfloat16), tiny_dataset()
    train(recipe, dataset, tmp_path / "whole", device=CUDA, show=False)
    with pytest.raises(TrainingError, match="got an interrupt after step 10"):
        train(recipe, dataset, tmp_path / "cut", device=CUDA, hooks=[interrupt_once], show=False)
    assert set(calls) == {"cuda"}
    train(recipe, dataset, tmp_path / "cut", device=CUDA, show=False)
    whole, cut = latest(tmp_path / "whole").network, latest(tmp_path / "cut").network
    torch.testing.assert_close(dict(cut), dict(whole), rtol=1e-2, atol=1e-3)
    assert len(epochs(tmp_path / "cut")) == len(epochs(tmp_path / "whole"))


def test_its_network_is_read_on_the_cpu(tmp_path):
    dataset = tiny_dataset()
    train(restless_recipe(), dataset, tmp_path, device=CUDA, show=False)
    network, _ = load_network(tmp_path)
    here = evaluate(network, dataset.test, dataset.normalization)
    there = evaluate(network.to(CUDA), dataset.test, dataset.normalization, device=CUDA)
    assert here.logits == pytest.approx(there.logits, abs=1e-3)


@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_graph_does_what_its_operations_do(dropout, taught):
    """Equal losses and parameters, replayed or asked for one by one."""
    recipe = tiny_recipe(model=tiny_model(dropout=dropout, norm=Norm.BATCH))
    torch.manual_seed(1)
    teacher = Network(recipe.model).to(CUDA).eval() if taught else None
    results = []
    for graph in (False, True):
        torch.manual_seed(0)
        network = Network(recipe.model).to(CUDA)
        optimizer = build_optimizer(network, recipe.optimizer, graph)
        step = TrainingStep(network, optimizer, recipe, CUDA, graph, teacher)
        tokens = torch.randn(30, 8, 16, 1, generator=torch.Generator().manual_seed(1)).to(CUDA)
        for k in range(30):
            torch.manual_seed(k)
            step((tokens[k], torch.arange(8, device=CUDA) % 3, None))
        results.append((step.outcome(), network.state_dict()))
    (eager, one), (graphed, other) = results
    assert graphed.loss_sum == pytest.approx(eager.loss_sum, rel=1e-4)
    torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)
