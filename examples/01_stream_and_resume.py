"""Stream a program token by token, stop in the middle, go on elsewhere: the bits are the same.

Run it with `python examples/01_stream_and_resume.py`; it trains a small network for a few seconds.
"""

import tempfile
from pathlib import Path

import numpy as np

import ns4d
from ns4d.data import load_task
from ns4d.quantize import post_training_quantize
from ns4d.train import RECIPES, load_network, override, train

digits = load_task("digits")
with tempfile.TemporaryDirectory() as folder:
    recipe = override(RECIPES["digits"], ["schedule.epochs=2", "model.channels=16"])
    train(recipe, digits, Path(folder), show=False)
    network, _ = load_network(Path(folder))
    path = Path(folder) / "digits.ns4d"
    ns4d.save(post_training_quantize(network, digits), path)
    program = ns4d.load(path)

tokens = digits.test.tokens[0].astype(float)

# One stream sees everything.
whole = program.stream()
scores = whole.run(tokens)

# Another stops after 20 tokens. Its state is a value: write it to disk, read it back, go on.
first = program.stream()
first.run(tokens[:20])
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "state.npz"
    np.savez(file, **first.state.to_arrays())
    with np.load(file) as arrays:
        state = ns4d.State.from_arrays(dict(arrays))

second = program.stream()
second.state = state
assert (second.run(tokens[20:]) == scores[20:]).all()
print("resumed after 20 of", len(tokens), "tokens: every score equal")
