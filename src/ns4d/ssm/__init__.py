"""Diagonal state-space models: spectra, discretization, kernel, convolution, recurrence."""

from ns4d.ssm.convolution import convolve
from ns4d.ssm.impulse import impulse_response, powers
from ns4d.ssm.initial import inverse_spectrum, legs_spectrum, linear_spectrum
from ns4d.ssm.s4d import (
    DiscreteSSM,
    advance,
    discretize_bilinear,
    discretize_zoh,
    kernel,
    respond,
    scan,
)

__all__ = [
    "DiscreteSSM",
    "advance",
    "convolve",
    "discretize_bilinear",
    "discretize_zoh",
    "impulse_response",
    "inverse_spectrum",
    "kernel",
    "legs_spectrum",
    "linear_spectrum",
    "powers",
    "respond",
    "scan",
]
