"""From a trained network to an integer program: observe, choose scales, lower, compare."""

from ns4d.quantize.compare import Agreement, agreement, stream_split
from ns4d.quantize.observe import LayerRange, NetworkRange, observe
from ns4d.quantize.ptq import post_training_quantize

__all__ = [
    "Agreement",
    "LayerRange",
    "NetworkRange",
    "agreement",
    "observe",
    "post_training_quantize",
    "stream_split",
]
