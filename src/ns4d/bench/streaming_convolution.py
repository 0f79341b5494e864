"""The whole-sequence baseline: FFT convolutions with kernels transformed once, not per batch."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ns4d.model import Network
from ns4d.model.layer import mix_channels
from ns4d.ssm import kernel
from ns4d.ssm.fourier import fft_length


@final
class PreparedConvolution:
    """A network for sequences of one length, with the spectra of its kernels.

    Args:
        network: An n-S4D without normalization or residual.
        length: Tokens per sequence.
    """

    def __init__(self, network: Network, length: int) -> None:
        self._network = network
        self._length = length
        self._size = fft_length(2 * length - 1)
        self._spectra = []
        with torch.no_grad():
            for layer in network.stack:
                k = kernel(layer.ssm.discrete(), length)
                k[:, 0] += layer.ssm.d
                self._spectra.append(torch.fft.rfft(k, n=self._size))

    def __call__(self, tokens: Float[Tensor, "b l i"]) -> Float[Tensor, "b classes"]:
        """The logits of whole sequences; call it in inference mode."""
        h = mix_channels(self._network.encoder, tokens.mT)
        for layer, spectrum in zip(self._network.stack, self._spectra, strict=True):
            product = torch.fft.rfft(h, n=self._size).mul_(spectrum)
            y = torch.fft.irfft(product, n=self._size)[..., : self._length]
            h = functional.relu_(mix_channels(layer.linear, functional.relu(y)))
        return self._network.decoder(h.mean(-1))
