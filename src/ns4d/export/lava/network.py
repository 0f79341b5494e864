"""A streaming classifier built from Lava's public processes.

    python network.py tokens.npy scores.npy

Stand-alone: it needs NumPy, Lava (lava-nc 0.10, Python 3.10) and parameters.npz beside it. It runs
the float models of the processes. tokens.npy is (l, i), raw values; scores.npy becomes
(l, classes), the scores after every token.

    linear       Dense with the weights; the bias is a Dense from a source of ones
    recurrence   Sparse of ones, kron(I, 1), to the modes; S4d; Sparse of ones back to the channels.
                 S4d gives 2 Re(c x), so half of c goes in. d·u is one mode more: a = 0, b = 1
    sum          Sparse of one weight per channel from either side
    ReLU         Delta, SigmaDelta with ReLU, Sigma: differences in, differences out, added up again
    scores       Sigma, which adds up what the read-out says of every token

Each Dense and Sparse takes one time step. What meets must have taken the same number of steps, so
the shorter way gets Sparse identities, and a bias starts when the first token arrives.
"""

# pyright: reportMissingImports=false
import argparse
import json
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.s4d.process import S4d
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from lava.proc.sparse.process import Sparse

MESSAGE_BITS = 24  # not 0: messages are values, not spikes


class Signal:
    """Values on their way: ports whose values add up, and the steps that a token has taken."""

    def __init__(self, ports, steps):
        self.ports, self.steps = ports, steps

    def into(self, port):
        """Connect to a port, which adds up what comes."""
        for source in self.ports:
            source.connect(port)


def connect(kind, signal, weights):
    """Through a connection process: one step later."""
    process = kind(weights=weights, num_message_bits=MESSAGE_BITS)
    signal.into(process.s_in)
    return Signal([process.a_out], signal.steps + 1)


def through(signal, process):
    """Through a neuron process: at the same step."""
    signal.into(process.a_in)
    return Signal([process.s_out], signal.steps)


def linear(signal, weight, bias, steps):
    """Weights, and the bias from the step at which the first token arrives."""
    ones = np.zeros((1, steps))
    ones[:, signal.steps :] = 1
    constant = Signal([Source(data=ones).s_out], signal.steps)
    parts = connect(Dense, signal, weight), connect(Dense, constant, bias[:, None])
    return Signal([port for part in parts for port in part.ports], signal.steps + 1)


def recurrence(signal, a, b, c, d):
    """A diagonal state-space model per channel."""
    channels, modes = a.shape
    a = np.column_stack([a, np.zeros(channels)]).ravel()
    b = np.column_stack([b, np.ones(channels)]).ravel()
    c = np.column_stack([c, d]).ravel() / 2
    ones = np.kron(np.eye(channels), np.ones(modes + 1))
    spread = connect(Sparse, signal, ones.T)
    return connect(Sparse, through(spread, S4d(shape=a.shape, a=a, b=b, c=c)), ones)


def add(signal, source, weight, skip):
    """A residual connection."""
    while source.steps < signal.steps:
        source = connect(Sparse, source, np.eye(len(skip)))
    parts = connect(Sparse, signal, np.diag(weight)), connect(Sparse, source, np.diag(skip))
    return Signal([port for part in parts for port in part.ports], signal.steps + 1)


def relu(signal, width):
    """Exact for values: Sigma adds up the differences that SigmaDelta gives."""
    shape = (width,)
    signal = through(signal, Delta(shape=shape, vth=0))
    neuron = SigmaDelta(shape=shape, vth=0, act_mode=ActivationMode.RELU)
    return through(through(signal, neuron), Sigma(shape=shape))


def build(parameters, tokens):
    """Connect everything; returns the sink and the steps that a token takes to it."""
    links = json.loads(str(parameters["links"]))
    # Upper bound of the steps on the way, so that a source need not begin again.
    steps = len(tokens) + 2 * len(links) + 2
    scaled = (tokens - parameters["offset"]) / parameters["scale"]
    signal = Signal([Source(data=np.pad(scaled.T, ((0, 0), (0, steps - len(tokens))))).s_out], 0)
    sent = {}
    for link in links:
        own = {field: parameters[f"{link['name']}/{field}"] for field in link["fields"]}
        if link["kind"] == "linear":
            signal = linear(signal, own["weight"], own["bias"], steps)
        elif link["kind"] == "recurrence":
            signal = recurrence(signal, own["a"], own["b"], own["c"], own["d"])
        else:
            signal = add(signal, sent[link["source"]], own["weight"], own["skip"])
        if link["activation"] == "relu":
            signal = relu(signal, link["width"])
        sent[link["name"]] = signal
    weight, bias = parameters["readout/weight"], parameters["readout/bias"]
    signal = linear(signal, weight, bias, steps)
    scores = through(signal, Sigma(shape=bias.shape))
    sink = Sink(shape=bias.shape, buffer=steps)
    scores.into(sink.a_in)
    return sink, scores.steps


def run(parameters, tokens):
    """The scores (l, classes) after every token of (l, i)."""
    sink, steps = build(parameters, tokens)
    last = len(tokens) + steps
    sink.run(RunSteps(num_steps=last), Loihi2SimCfg(select_tag="floating_pt"))
    received = sink.data.get()
    sink.stop()
    return received.T[steps:last]


def main():
    """Read the tokens, run, write the scores."""
    parser = argparse.ArgumentParser(description="Run the network on tokens.")
    parser.add_argument("tokens", type=Path, help=".npy of shape (l, i), raw values")
    parser.add_argument("scores", type=Path, help=".npy to write, (l, classes)")
    given = parser.parse_args()
    with np.load(Path(__file__).with_name("parameters.npz")) as parameters:
        scores = run(parameters, np.load(given.tokens).astype(float))
        names = json.loads(str(parameters["classes"]))
    np.save(given.scores, scores)
    print(f"{len(scores)} tokens, decided {names[scores[-1].argmax()]}")


if __name__ == "__main__":
    main()
