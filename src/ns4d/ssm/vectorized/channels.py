"""Causal convolution of many sequences, `LANES` of them at once, on a CPU in single precision.

    y[k] = Re θ^-k Σ_{i+j ≡ k mod M} θ^i u[i] θ^j K[j]      θ = e^(iπ/2M), M ≥ l             (1)

The sum is a cyclic convolution, for a complex FFT of M points. What wraps round, i + j = k + M,
comes with θ^M = i and is imaginary: (1) is the causal sum, without padding to 2l - 1. The
frequencies stay in the order in which the passes down leave them; the passes up take them so.

With g the gradient at y, and ~ a sequence backwards in time, the gradients are such sums too:

    ∂L/∂u = ~(K * ~g)        ∂L/∂K = ~(Σ_b u * ~g)                                           (2)

Channels are spread over as many threads as torch has; each is computed as it would be alone, so
neither their number nor the other sequences change a bit of (1) or of ∂L/∂u. A room is memory for
the rows of one transform or of several.

Source    R. Crandall, B. Fagin, Discrete Weighted Transforms and Large-Integer Arithmetic,
          Mathematics of Computation 62, 1994: the weights θ^i ("right-angle convolution").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ns4d.ssm.vectorized import passes
from ns4d.ssm.vectorized.code import LANES, PART, ROW
from ns4d.ssm.vectorized.plan import Plan, plan_for
from ns4d.threads import spread

NUMBERS = ROW // 4  # of a row
PARTS = 8  # per thread


def serves(*tensors: Tensor) -> bool:
    """Whether this file can compute with these: numbers that lie in memory, and nobody records how.

    Torch records what it compiles, traces or exports; it cannot see into compiled code.
    """
    recorded = torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None
    if recorded or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return False
    plain = all(
        each.device.type == "cpu" and each.dtype == torch.float32 and not each.is_neg()
        for each in tensors
    )
    return plain and tensors[0].shape[-1] >= LANES


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

    def compute(first: int, end: int, room: Tensor) -> None:
        tensors = (_spare(plan), room, u, frequencies, y)
        places = (tensor.data_ptr() for tensor in tensors)
        passes.convolve(*_shared(plan), first, end, u.shape[1], len(u), *places)

    _by_channels(compute, u.shape[1], lambda: _room(plan, 1))
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

    def compute(first: int, end: int, room: Tensor) -> None:
        tensors = (_spare(plan), room, u, frequencies, g, of_u, sums)
        places = (tensor.data_ptr() for tensor in tensors)
        passes.gradients(*_shared(plan), first, end, u.shape[1], len(u), *places)

    _by_channels(compute, u.shape[1], lambda: _room(plan, 3))
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
    k = torch.empty(channels, plan.length, dtype=torch.float32, device="cpu")
    places = (tensor.data_ptr() for tensor in (spare, rows))
    passes.responses(*_shared(plan), k.data_ptr(), channels, *places)
    return k


def _shared(plan: Plan) -> tuple[object, ...]:
    return plan.passes, plan.powers.ctypes.data, plan.length, plan.rows * ROW


def _room(plan: Plan, count: int) -> Tensor:
    """Rows for so many transforms; torch begins every tensor at a multiple of 64 bytes."""
    room = torch.empty(count * plan.rows * NUMBERS, dtype=torch.float32, device="cpu")
    assert room.data_ptr() % PART == 0
    return room


def _spare(plan: Plan) -> Tensor:
    """Two sequences for the lanes that have none: zeros to read, then what nobody reads."""
    return torch.zeros(2 * plan.length, dtype=torch.float32, device="cpu")


def _by_channels(
    compute: Callable[[int, int, Tensor], None], channels: int, room: Callable[[], Tensor]
) -> None:
    """Compute some consecutive channels at a time, in more parts than threads: none waits long.

    The rooms are as many as the threads, and pass from part to part.
    """
    threads = max(1, min(torch.get_num_threads(), channels))
    parts = 1 if threads == 1 else min(PARTS * threads, channels)
    free = [room() for _ in range(threads)]

    def one(k: int) -> None:
        first, end = (channels * at // parts for at in (k, k + 1))
        taken = free.pop()
        compute(first, end, taken)
        free.append(taken)

    spread(one, parts, threads)
