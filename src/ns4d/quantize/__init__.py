"""From a trained network to an integer program: observe, choose scales, lower, compare."""

from ns4d.quantize.compare import Agreement, agreement, stream_split
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.lower import choose_scales, lower
from ns4d.quantize.observe import LayerRange, NetworkRange, observe
from ns4d.quantize.observers import (
    OBSERVERS,
    Maximum,
    MeanSquaredError,
    Observer,
    Percentile,
)
from ns4d.quantize.options import Options
from ns4d.quantize.ptq import build_program, calibrate, post_training_quantize
from ns4d.quantize.scales import DenseScale, LayerScale, Messages, NeuronScale, Scales

__all__ = [
    "OBSERVERS",
    "Agreement",
    "DenseScale",
    "LayerRange",
    "LayerScale",
    "Maximum",
    "MeanSquaredError",
    "Messages",
    "NetworkRange",
    "NeuronScale",
    "Observer",
    "Options",
    "Percentile",
    "Scales",
    "agreement",
    "build_program",
    "calibrate",
    "choose_scales",
    "fold_batch_norm",
    "lower",
    "observe",
    "post_training_quantize",
    "stream_split",
]
