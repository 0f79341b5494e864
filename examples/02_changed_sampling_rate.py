"""Train at one sampling rate, deploy at another: the step of a state-space model is a number.

Run it with `python examples/02_changed_sampling_rate.py`.
"""

import torch

from ns4d.model import ModelConfig, Network

torch.manual_seed(0)
network = Network(ModelConfig(inputs=1, classes=4, channels=16, modes=8)).eval()

# A signal of 400 samples, and the same signal at half the sampling rate.
time = torch.linspace(0, 12, 400)
signal = (torch.sin(time) + 0.3 * torch.sin(3 * time))[None, :, None]
halved = signal[:, ::2]

with torch.no_grad():
    full = network(signal)
    adapted = network(halved, rate=2.0)
    ignored = network(halved)

print(f"difference with rate=2:       {(adapted - full).abs().max():.1e}")
print(f"difference with rate ignored: {(ignored - full).abs().max():.1e}")
assert (adapted - full).abs().max() < 0.2 * (ignored - full).abs().max()
