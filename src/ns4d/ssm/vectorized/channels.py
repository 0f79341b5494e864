"""Causal convolution of many sequences, `LANES` of them at once, on a CPU in single precision.

    y[k] = Re θ^-k Σ_{i+j ≡ k mod M} θ^i u[i] θ^j K[j]      θ = e^(iπ/2M), M ≥ l             (1)

The sum is a cyclic convolution, for a complex FFT of M points. What wraps round, i + j = k + M,
comes with θ^M = i and is imaginary: (1) is the causal sum, without padding to 2l - 1. The
frequencies stay in the order in which the passes down leave them; the passes up take them so.

With g the gradient at y, and ~ a sequence backwards in time, the gradients are such sums too:

    ∂L/∂u = ~(K * ~g)        ∂L/∂K = ~(Σ_b u * ~g)                                           (2)

Channels are spread over the threads of torch; each is computed as it would be alone, so neither
their number nor the other sequences change a bit of (1) or of ∂L/∂u.

Source    R. Crandall, B. Fagin, Discrete Weighted Transforms and Large-Integer Arithmetic,
          Mathematics of Computation 62, 1994: the weights θ^i ("right-angle convolution").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ns4d.ssm.vectorized import passes
from ns4d.ssm.vectorized.code import LANES, ROW
from ns4d.ssm.vectorized.plan import Plan, plan_for
from ns4d.threads import spread

NUMBERS = ROW // 4  # of a row
PARTS = 8  # per thread


def serves(u: Tensor, k: Tensor) -> bool:
    """Whether this file can convolve these; what torch compiles itself has no addresses yet."""
    if torch.compiler.is_compiling():
        return False
    on_cpu = u.device.type == k.device.type == "cpu"
    return on_cpu and u.dtype == k.dtype == torch.float32 and u.shape[-1] >= LANES


def convolve(u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"]) -> Float[Tensor, "b h l"]:
    """Equation (1).

    Args:
        u: Input sequences that `serves` allows.
        k: One kernel per channel, as long as the input.

    Returns:
        The first l outputs.
    """
    u, plan = u.contiguous(), plan_for(u.shape[-1])
    frequencies, y = _frequencies(plan, k), torch.empty_like(u)

    def part(first: int, end: int, room: Tensor) -> None:
        tensors = (_spare(plan), room, u, frequencies, y)
        places = (tensor.data_ptr() for tensor in tensors)
        passes.convolve(*_shared(plan), first, end, u.shape[1], len(u), *places)

    _by_channels(part, u.shape[1], lambda: _room(plan, 1))
    return y


def gradients(
    u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"], g: Float[Tensor, "b h l"]
) -> tuple[Float[Tensor, "b h l"], Float[Tensor, "h l"]]:
    """Equations (2).

    Args:
        u, k: As in `convolve`.
        g: Gradient with respect to its result.

    Returns:
        The gradients with respect to u, to k.
    """
    u, g, plan = u.contiguous(), g.contiguous(), plan_for(u.shape[-1])
    frequencies, of_u = _frequencies(plan, k), torch.empty_like(u)
    sums = torch.zeros_like(frequencies)

    def part(first: int, end: int, room: Tensor) -> None:
        tensors = (_spare(plan), room, u, frequencies, g, of_u, sums)
        places = (tensor.data_ptr() for tensor in tensors)
        passes.gradients(*_shared(plan), first, end, u.shape[1], len(u), *places)

    _by_channels(part, u.shape[1], lambda: _room(plan, 3))
    return of_u, _responses(plan, sums, u.shape[1])


def _frequencies(plan: Plan, k: Tensor) -> Float[Tensor, "h m 2"]:
    """F(θ^j K[j]) / M; as many channels as fill the lanes."""
    k, channels = k.contiguous(), len(k)
    rows, spare = _room(plan, -(-channels // LANES)), _spare(plan)
    places = (tensor.data_ptr() for tensor in (spare, rows))
    passes.spectra(*_shared(plan), k.data_ptr(), channels, *places)
    by_lane = rows.view(-1, plan.rows, 2, LANES).permute(0, 3, 1, 2)
    return (by_lane / plan.rows).reshape(-1, plan.rows, 2).contiguous()


def _responses(plan: Plan, frequencies: Tensor, channels: int) -> Float[Tensor, "h l"]:
    """The inverse of F at as many channels, backwards in time."""
    by_lane = frequencies.view(-1, LANES, plan.rows, 2).permute(0, 2, 3, 1)
    rows, spare = (by_lane / plan.rows).contiguous(), _spare(plan)
    k = torch.empty(channels, plan.length)
    places = (tensor.data_ptr() for tensor in (spare, rows))
    passes.responses(*_shared(plan), k.data_ptr(), channels, *places)
    return k


def _shared(plan: Plan) -> tuple[object, ...]:
    return plan.passes, plan.powers.ctypes.data, plan.length, plan.rows * ROW


def _room(plan: Plan, count: int) -> Tensor:
    """Rows for so many transforms; torch begins every tensor at a multiple of 64 bytes."""
    return torch.empty(count * plan.rows * NUMBERS)


def _spare(plan: Plan) -> Tensor:
    """Two sequences for the lanes that have none: zeros to read, then what nobody reads."""
    return torch.zeros(2 * plan.length)


def _by_channels(
    part: Callable[[int, int, Tensor], None], channels: int, room: Callable[[], Tensor]
) -> None:
    """Call a part with consecutive channels, more of them than threads, so that none waits long.

    The rooms to work in are as many as the threads, and pass from part to part.
    """
    threads = max(1, min(torch.get_num_threads(), channels))
    parts = 1 if threads == 1 else min(PARTS * threads, channels)
    free = [room() for _ in range(threads)]

    def one(k: int) -> None:
        first, end = (channels * at // parts for at in (k, k + 1))
        taken = free.pop()
        part(first, end, taken)
        free.append(taken)

    spread(one, parts, threads)
