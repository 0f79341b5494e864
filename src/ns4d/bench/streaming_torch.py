"""PyTorch baselines: the recurrent step, eager or compiled, for one stream or many at once.

Equations of `ns4d.bench.streaming_float`. Many streams lie between channel and mode, (h, b, n),
so that the sum over modes (2) is one batched matrix product that copies nothing.

Axes      b stream, h channel, n stored mode, i in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ns4d.bench.streaming_float import FloatParameters

Reading = Callable[[Tensor, Tensor], Tensor]


def can_compile() -> bool:
    """Whether there is the C++ compiler that `torch.compile` needs."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def read_by_product(x: Float[Tensor, "h b m"], w: Float[Tensor, "h m 1"]) -> Float[Tensor, "h b"]:
    """The sum of (2) as a matrix product per channel."""
    return torch.bmm(x, w)[:, :, 0]


def read_by_dot(x: Float[Tensor, "h b m"], w: Float[Tensor, "h m 1"]) -> Float[Tensor, "h b"]:
    """The sum of (2) as a dot product per channel and stream."""
    return torch.linalg.vecdot(x, w.mT)


@final
class EagerStep:
    """The step in eager PyTorch: complex64 state, everything in place that can be.

    Args:
        parameters: The network.
        streams: How many streams advance together.
        read: How the sum over modes is taken.
    """

    def __init__(self, parameters: FloatParameters, streams: int, read: Reading) -> None:
        p = self._parameters = parameters
        self._read = read
        shape = (p.channels, streams, p.modes)
        self._states = [torch.zeros(shape, dtype=torch.complex64) for _ in p.layers]
        self._pairs = [torch.view_as_real(x).flatten(2) for x in self._states]
        self._constants = [
            (k.a[:, None], _real_pairs(k.w)[..., None], k.d[:, None], k.bias[:, None], k.weight)
            for k in p.layers
        ]
        self._total = torch.zeros(p.channels, streams)
        self._tokens = 0

    def reset(self) -> None:
        """Back to the zero state."""
        for x in (*self._states, self._total):
            x.zero_()
        self._tokens = 0

    def step(self, token: Float[Tensor, "i b"]) -> Float[Tensor, "classes b"]:
        """One token for every stream; the logits so far."""
        p = self._parameters
        h = torch.addmm(p.encoder_bias[:, None], p.encoder_weight, token)
        for constants, x, pairs in zip(self._constants, self._states, self._pairs, strict=True):
            a, w, d, bias, weight = constants
            x.mul_(a).add_(h[:, :, None])
            y = self._read(pairs, w).addcmul_(d, h).relu_()
            h = torch.addmm(bias, weight, y).relu_()
        self._tokens += 1
        mean = self._total.add_(h) / self._tokens
        return torch.addmm(p.decoder_bias[:, None], p.decoder_weight, mean)


@final
class CompiledStep:
    """The step through `torch.compile`: real arithmetic, which its code generator can fuse.

    Args:
        parameters: The network.
        streams: How many streams advance together.
        options: For `torch.compile`, such as {"mode": "max-autotune"}.
    """

    def __init__(self, parameters: FloatParameters, streams: int, options: dict[str, Any]) -> None:
        p = parameters
        shape = (p.channels, streams, p.modes)
        self._start = [torch.zeros(shape) for _ in range(2 * len(p.layers))]
        self._start.append(torch.zeros(p.channels, streams))
        self._state = self._start
        self._inverses: list[Tensor] = []
        self._tokens = 0
        self._function = torch.compile(
            _RealStep(p).eval(), fullgraph=True, dynamic=False, **options
        )

    def reset(self) -> None:
        """Back to the zero state."""
        self._state = self._start
        self._tokens = 0

    def step(self, token: Float[Tensor, "i b"]) -> Float[Tensor, "classes b"]:
        """One token for every stream; the logits so far."""
        if self._tokens == len(self._inverses):  # made once per position, in the warm-up
            self._inverses.append(torch.tensor(1 / (self._tokens + 1)))
        logits, *self._state = self._function(token, self._inverses[self._tokens], *self._state)
        self._tokens += 1
        return logits


class _RealStep(nn.Module):
    """From token, 1/T and state to logits and state; the constants are buffers."""

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor

    def __init__(self, parameters: FloatParameters) -> None:
        super().__init__()
        p = parameters
        self.layers = len(p.layers)
        constants = {
            "encoder": p.encoder_weight,
            "encoder_bias": p.encoder_bias[:, None],
            "decoder": p.decoder_weight,
            "decoder_bias": p.decoder_bias[:, None],
        }
        for k, layer in enumerate(p.layers):
            constants |= {
                f"a_re{k}": layer.a.real[:, None],
                f"a_im{k}": layer.a.imag[:, None],
                f"w_re{k}": layer.w.real[:, None],
                f"w_im{k}": layer.w.imag[:, None],
                f"d{k}": layer.d[:, None],
                f"weight{k}": layer.weight,
                f"bias{k}": layer.bias[:, None],
            }
        for name, value in constants.items():
            self.register_buffer(name, value.clone())

    def forward(self, token: Tensor, inverse: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        h = torch.addmm(self.encoder_bias, self.encoder, token)
        after = []
        for k in range(self.layers):
            a_re, a_im, w_re, w_im, d, weight, bias = (
                getattr(self, f"{name}{k}")
                for name in ("a_re", "a_im", "w_re", "w_im", "d", "weight", "bias")
            )
            x_re, x_im = state[2 * k : 2 * k + 2]
            new_re = a_re * x_re - a_im * x_im + h[:, :, None]
            new_im = a_re * x_im + a_im * x_re
            y = torch.relu((w_re * new_re - w_im * new_im).sum(2) + d * h)
            h = torch.relu(torch.addmm(bias, weight, y))
            after += [new_re, new_im]
        total = state[-1] + h
        logits = torch.addmm(self.decoder_bias, self.decoder, total * inverse)
        return (logits, *after, total)


def _real_pairs(w: Tensor) -> Tensor:
    """Re(w x) is the dot product of (Re x, Im x) with (Re w, -Im w)."""
    return torch.view_as_real(w.conj().resolve_conj()).flatten(1).contiguous()
