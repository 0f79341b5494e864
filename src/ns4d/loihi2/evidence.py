"""Published figures that the model was not fitted to: what it is judged by.

Where a figure is known to this project at second hand only, the source says so.
"""

from __future__ import annotations

from ns4d.loihi2.fact import Fact, Tag

COLLECTED = "published measurement, known at second hand"

BOARD_STATIC_W = Fact(0.255, "W", f"static power of boards, {COLLECTED}", Tag.MEASURED, 0.23, 0.28)
IZHIKEVICH_S = Fact(
    31.5e-9,
    "s",
    f"update of an Izhikevich neuron in microcode, {COLLECTED}",
    Tag.MEASURED,
    28e-9,
    35e-9,
)
PILOTNET_J = Fact(
    0.43e-9, "J", f"PilotNet, all dynamic energy per LIF update, {COLLECTED}", Tag.MEASURED
)
LIF_STEP_S = Fact(
    1.76e-6,
    "s",
    "time step of LIF networks, OzU-CAST/LoihiScalingEfficiency",
    Tag.MEASURED,
    1.75e-6,
    1.77e-6,
)
LEAST_STEP_S = Fact(
    200e-9,
    "s",
    "Intel Labs, Loihi 2 technology brief: least time step, below 200 ns",
    Tag.PUBLISHED,
    0.0,
    200e-9,
)
SAMPLES_PER_S = Fact(
    80.0, "samples/s", "arXiv 2409.15022: pipelined, sCIFAR", Tag.PUBLISHED, 79.5, 80.5
)
# Sparse S5 of arXiv 2502.01330, token by token: against the dense one on an Orin Nano.
SPARSE_S5_GROUPS = Fact(11.0, "neuron groups", "arXiv 2502.01330", Tag.PUBLISHED)
SPARSE_S5_FASTER = Fact(42.0, "times", "arXiv 2502.01330", Tag.PUBLISHED)
SPARSE_S5_FRUGAL = Fact(149.0, "times", "arXiv 2502.01330", Tag.PUBLISHED)
