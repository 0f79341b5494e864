"""The n-S4D network: its configuration, one layer, the whole stack."""

from ns4d.model.config import Discretization, Mixer, ModelConfig, Nonlinearity, Norm, Spectrum
from ns4d.model.layer import S4DLayer
from ns4d.model.network import Network, NetworkState

__all__ = [
    "Discretization",
    "Mixer",
    "ModelConfig",
    "Network",
    "NetworkState",
    "Nonlinearity",
    "Norm",
    "S4DLayer",
    "Spectrum",
]
